"""docs/sabotage.md: which break of a promise was caught by what."""

from collections.abc import Iterable, Sequence
from statistics import median

from tests.sabotage.catalogue import ALL, MISSING
from tests.sabotage.run import Caught

HEAD = """\
# What happens when a promise is broken

Each line is a small edit of a generated service, the kind that somebody in a hurry makes, and the check of the service
that went red, named the row of the readiness catalogue and led to the place. Formatters and linters ran before it, as
`make fix` does, and had nothing to say. Written by `make sabotage ARGS=--write`; the edits are in `tests/sabotage`.
"""


def page(found: Sequence[Caught], seconds: float) -> str:
    caught = [each for each in found if not each.problem]
    rows = {each.sabotage.row for each in caught}
    gates = [each for each in found if each.gate]
    lines = [
        HEAD,
        (
            f"{len(found)} sabotages of {len({each.sabotage.row for each in found})} rows, {len(caught)} caught "
            f"({len(rows)} rows), in {seconds / 60:.0f} minutes on two cores; half of them within "
            f"{median(each.seconds for each in found):.0f} s. {_gates(gates)}"
        ),
        "",
        "| row | sabotage | caught by | s |",
        "|---|---|---|---|",
        *_table(found),
    ]
    if untried := [each for each in ALL if each not in {caught.sabotage for caught in found}]:
        rows = {each.row for each in untried} - {each.sabotage.row for each in found}
        lines += [
            "",
            f"Not tried in this run: {len(untried)} more, and of these rows none: {', '.join(sorted(rows)) or 'none'}.",
        ]
    if MISSING:
        lines += ["", f"Not yet sabotaged, because their proof is still being built: {', '.join(sorted(MISSING))}."]
    return "\n".join(lines) + "\n"


def _gates(found: Sequence[Caught]) -> str:
    red = [each for each in found if not each.gate.startswith("!")]
    return f"The whole `make check` was asked of {len(found)}: red, and the row named, in {len(red)}." if found else ""


def _table(found: Iterable[Caught]) -> Iterable[str]:
    for each in sorted(found, key=lambda caught: caught.sabotage.row):
        by = f"**{each.problem.splitlines()[0]}**" if each.problem else f"`{each.by.removeprefix('tests/')}`"
        yield f"| `{each.sabotage.row}` | {each.sabotage.what} | {by} | {each.seconds:.0f} |"
