"""docs/measures.md and its plots: hand-drawn SVG, so that nothing has to be installed for them."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import NamedTuple

DOCS = Path(__file__).parents[1] / "docs"

HEAD = """\
# Measures

Median, and in parentheses the least and the most of the rounds. `make bench ARGS=--write` measures again and writes this
page; numbers are of one machine ({machine}) and mean little on another, ratios travel better. The bare service has the
same endpoints on FastAPI, SQLAlchemy and uvicorn, as short as one can write them (`bench/bare.py`).
"""


class Bar(NamedTuple):
    name: str
    values: Sequence[float]


def plot(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars of the medians, with a line from the least to the most."""
    longest = max(max(bar.values) for bar in bars)
    height = 46 + 30 * len(bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" role="img" font-family="system-ui, sans-serif">',
        f"<title>{escape(title)}</title>",
        (
            "<style>text{fill:#1f2328;font-size:13px}.b{fill:#4a7ab5}.l{stroke:#1f2328}"
            "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.l{stroke:#e6edf3}}</style>"
        ),
        f'<text x="0" y="16" font-weight="600">{escape(title)}, {escape(unit)}</text>',
    ]
    for number, bar in enumerate(bars):
        y, scale = 36 + 30 * number, 380 / longest
        middle = median(bar.values)
        parts += [
            f'<text x="0" y="{y + 14}">{escape(bar.name)}</text>',
            f'<rect class="b" x="230" y="{y}" width="{middle * scale:.1f}" height="18"/>',
            f'<path class="l" d="M{230 + min(bar.values) * scale:.1f} {y + 9}H{230 + max(bar.values) * scale:.1f}"/>',
            f'<text x="{238 + max(bar.values) * scale:.1f}" y="{y + 14}">{number_of(middle)}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def number_of(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values: Sequence[float]) -> str:
    return f"{number_of(median(values))} ({number_of(min(values))}–{number_of(max(values))})"


def write(
    life: Mapping[str, Sequence[float]],
    starts: Mapping[str, Sequence[Mapping[str, float]]],
    requests: Mapping[str, Sequence[Sequence[Sequence[float]]]],
) -> None:
    """Write page and plots."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.0f} at the end"
    lines = [HEAD.format(machine=machine)]
    lines += [*_life(life), *_starts(starts)]
    if requests:
        lines += _requests(requests)
    (DOCS / "measures.md").write_text("\n".join(lines).rstrip() + "\n")


def _picture(name: str, svg: str, alt: str) -> Iterable[str]:
    (DOCS / "measures").mkdir(exist_ok=True)
    (DOCS / "measures" / f"{name}.svg").write_text(svg)
    return [f"![{alt}](measures/{name}.svg)", ""]


def _life(life: Mapping[str, Sequence[float]]) -> Iterable[str]:
    bars = [Bar(name, values) for name, values in life.items() if values]
    yield "## How long a person waits\n"
    yield from _picture(
        "life", plot("What a person waits for", "seconds", bars), "Seconds to generate, update and check"
    )
    yield "| | seconds |\n|---|---|"
    for bar in bars:
        yield f"| {bar.name} | {spread(bar.values)} |"
    yield ""


def _starts(starts: Mapping[str, Sequence[Mapping[str, float]]]) -> Iterable[str]:
    yield "## Start and memory\n"
    took = [Bar(name, [each["seconds"] for each in rounds]) for name, rounds in starts.items() if rounds]
    held = [Bar(name, [each["MiB"] for each in rounds]) for name, rounds in starts.items() if rounds]
    yield from _picture("start", plot("From the command to the first answer", "seconds", took), "Seconds to start")
    yield from _picture("memory", plot("Memory after the start", "MiB", held), "Memory after the start")
    yield "| | seconds to start | MiB | MiB after 500 requests |\n|---|---|---|---|"
    for name, rounds in starts.items():
        columns = [[each[key] for each in rounds if key in each] for key in ("seconds", "MiB", "MiB after requests")]
        if rounds:
            yield f"| {name} | {' | '.join(spread(column) if column else '' for column in columns)} |"
    if starts.get("API") and starts.get("bare API"):
        pairs = list(zip(starts["API"], starts["bare API"], strict=True))
        yield (
            f"\nHardened against bare: × {spread([one['seconds'] / two['seconds'] for one, two in pairs])} to start, "
            f"× {spread([one['MiB'] / two['MiB'] for one, two in pairs])} memory.\n"
        )


def _requests(requests: Mapping[str, Sequence[Sequence[Sequence[float]]]]) -> Iterable[str]:
    """Of each scenario and round: (requests a second, CPU µs) of the bare server and of the hardened one."""
    yield "## Requests\n"
    bars = [
        Bar(f"{name}, {who}", [each[number][0] for each in rounds])
        for name, rounds in requests.items()
        for number, who in enumerate(("bare", "hardened"))
    ]
    yield from _picture("requests", plot("Requests a second on one core", "", bars), "Requests a second")
    yield "| | bare req/s | hardened req/s | ratio | CPU ratio |\n|---|---|---|---|---|"
    for name, rounds in requests.items():
        ratios = spread([hard[0] / soft[0] for soft, hard in rounds])
        costs = spread([hard[1] / soft[1] for soft, hard in rounds])
        bare, hardened = (spread([each[number][0] for each in rounds]) for number in (0, 1))
        yield f"| {name} | {bare} | {hardened} | {ratios} | {costs} |"
    yield ""
