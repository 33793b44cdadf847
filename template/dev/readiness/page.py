"""The report as one page that needs nothing else: for an auditor, or whoever decides about the launch."""

from html import escape
from itertools import groupby
from typing import Final

from dev.readiness.report import BLOCKS, MARKS, Report, proofs
from dev.readiness.verdict import Verdict

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1a1f24; --paper: #fff; --quiet: #57606a; --line: #d0d7de;
  --proven: #116329; --attested: #7a4d00; --open: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --quiet: #9aa4af; --line: #30363d;
  --proven: #56d364; --attested: #e3b341; --open: #ff8178; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.2; } h2 { margin: 2.5rem 0 .5rem; font-size: 1.1rem; }
p { margin: .25rem 0; } .quiet { color: var(--quiet); font-size: .9rem; }
.bar { display: flex; gap: 2px; height: .75rem; margin: 1rem 0 .5rem; }
.bar span { min-width: 4px; border-radius: 2px; }
ul { list-style: none; margin: 0; padding: 0; } li { padding: .6rem 0; border-top: 1px solid var(--line); }
.row { display: grid; grid-template-columns: 6.5rem 1fr; gap: 0 1rem; }
.state { font-weight: 600; } .proven { color: var(--proven); } .attested { color: var(--attested); }
.open { color: var(--open); }
.bar .proven { background: var(--proven); } .bar .attested { background: var(--attested); }
.bar .open { background: var(--open); }
code, summary { font: .85rem/1.5 ui-monospace, monospace; } summary { cursor: pointer; color: var(--quiet); }
summary:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
details ul { padding: .25rem 0 0; } details li { border: 0; padding: .1rem 0; }
@media (max-width: 34rem) { .row { grid-template-columns: 1fr; } }
@media print { details ul { display: block; } }
"""


def page(report: Report) -> str:
    """Return the page."""
    counts = report.counts
    bar = "".join(f'<span class="{state}" style="flex:{count}"></span>' for state, count in counts.items() if count)
    legend = " · ".join(f'<span class="state {state}">{count} {state}</span>' for state, count in counts.items())
    areas = groupby(sorted(report.verdicts, key=lambda each: each.row.id), key=lambda each: each.row.area)
    title = f"Readiness of {escape(report.service)}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="quiet">Commit <code>{escape(report.commit)}</code>, {report.at:%Y-%m-%d %H:%M} UTC. Computed from
the tests that ran, and from what named people vouch for.</p>
</header>
<main>
<section aria-label="Summary">
<div class="bar" aria-hidden="true">{bar}</div>
<p>{len(report.verdicts)} promises: {legend}</p>
</section>
{"".join(_section(f"Open, {BLOCKS[gravity]}", found) for gravity, found in report.open_by_gravity.items())}
{_list("To decide, by a person", [str(each) for each in report.undecided])}
{_list("Expires within 30 days", [f"{each.row.id} {each.why}" for each in report.expiring])}
{"".join(_section(area.capitalize(), list(found)) for area, found in areas)}
</main>
</body>
</html>
"""


def _section(title: str, verdicts: list[Verdict]) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n<ul>{''.join(map(_row, verdicts))}</ul>\n</section>\n"


def _list(title: str, lines: list[str]) -> str:
    items = "".join(f"<li>{escape(each)}</li>" for each in lines)
    return f"<section>\n<h2>{escape(title)}</h2>\n<ul>{items}</ul>\n</section>\n" if lines else ""


def _row(verdict: Verdict) -> str:
    row = verdict.row
    controls = "".join(f" · {escape(name)} {escape(', '.join(ids))}" for name, ids in row.controls.items())
    return (
        f'<li class="row"><span class="state {verdict.state}">{MARKS[verdict.state]} {verdict.state}</span>'
        f"<div><p>{escape(row.promise)}</p>"
        f'<p class="quiet"><code>{row.id}</code> {escape(verdict.why)}{controls}</p>{_proof(verdict)}</div></li>\n'
    )


def _proof(verdict: Verdict) -> str:
    found = "".join(f"<li>{escape(each)}</li>" for each in proofs(verdict))
    return f"<details><summary>proof of {verdict.row.id}</summary><ul>{found}</ul></details>" if found else ""
