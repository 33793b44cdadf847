"""What the texts say of data, from what the service really does: a line `<!-- here: activities -->` becomes a table."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from app.chassis.privacy import inventory
from app.chassis.privacy.annotations import words
from app.processors import PROCESSORS

PLACE = re.compile(r"^<!-- here: (\w+) -->$", re.MULTILINE)


class UnknownPlaceError(RuntimeError):
    """A text wants something that there is not."""


def filled(text: str, project: Path) -> str:
    """Return the text with its tables. Raises UnknownPlaceError."""
    return PLACE.sub(lambda place: "\n".join(_lines(place[1], project)), text)


def _lines(what: str, project: Path) -> Iterable[str]:
    match what:
        case "controller":
            return _controller(project)
        case "activities":
            return _activities()
        case "processors":
            rows = [[each.name, each.does, each.where] for each in PROCESSORS]
            return _table(["who", "what for", "where"], rows)
    raise UnknownPlaceError(f"<!-- here: {what} --> is none of controller, activities, processors.")


def _controller(project: Path) -> list[str]:
    known = tomllib.loads((project / "legal" / "controller.toml").read_text(encoding="utf-8"))
    return [f"- {name.replace('_', ' ').capitalize()}: {value}" for name, value in known.items()]


def _activities() -> list[str]:
    data = inventory.read()
    rows = [
        [each.purpose, each.subjects, ", ".join(data.categories(each)), each.basis, words(each.kept)]
        for each in data.activities
    ]
    return _table(["purpose", "whose data", "which", "legal basis (GDPR)", "kept for"], rows)


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return ["None is declared."]
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
