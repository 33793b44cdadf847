"""The records of processing activities (GDPR Art. 30), from the annotations and `app.processors` alone."""

from collections.abc import Iterable, Iterator

from app.chassis.privacy.annotations import Activity, words
from app.chassis.privacy.inventory import Inventory, Table
from app.identity import DESCRIPTION, NAME
from app.processors import PROCESSORS


def text(data: Inventory) -> str:
    """Return them as Markdown."""
    return "\n".join(_lines(data)) + "\n"


def _lines(data: Inventory) -> Iterator[str]:
    yield f"# Records of processing: {NAME}"
    yield ""
    yield f"{DESCRIPTION} `make privacy-records` writes this from the annotations of the models and"
    yield "`src/app/processors.py`; a test fails when it is not what they say (GDPR Art. 30)."
    for activity in data.activities:
        yield ""
        yield f"## {activity.name.capitalize()}"
        yield ""
        yield f"- **Purpose**: {activity.purpose}"
        yield f"- **Legal basis**: {activity.basis}"
        yield f"- **Whose data**: {activity.subjects}"
        yield f"- **Categories**: {', '.join(data.categories(activity))}"
        yield f"- **Recipients**: {', '.join(activity.recipients) or 'none but processors'}"
        yield f"- **Kept for**: {words(activity.kept)}"
        yield ""
        yield from _table(["table", "columns", "kept for", "when somebody is erased"], _rows(data, activity))
    yield ""
    yield "## Processors"
    yield ""
    yield from _table(
        ["who", "does what", "where", "agreement"],
        ([each.name, each.does, each.where, each.agreement or "**missing**"] for each in PROCESSORS),
    )


def _rows(data: Inventory, activity: Activity) -> Iterator[list[str]]:
    for table in data.tables:
        columns = [name for name, each in table.columns.items() if (each.activity or table.activity) == activity]
        if columns:
            period = table.period if activity == table.activity else words(activity.kept)
            names = ", ".join(f"`{name}`" for name in columns)
            yield [f"`{table.name}`", names, period, _fate(table)]


def _fate(table: Table) -> str:
    return table.erasure if table.rows.subject else "goes when its time is over"


def _table(head: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
