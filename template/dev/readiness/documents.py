"""What people have to read and to decide: the documents of rows, and the places left for a decision.

Such a place looks like this, and is nothing but that: `[to decide: who is called next]`.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dev.environment import PROJECT
from dev.readiness.catalogue import Row

ELSEWHERE = {"dev", "reports", "tests"}
"""Folders where nobody looks for a decision, beside hidden ones."""

KINDS = {".md", ".py", ".toml", ".yml", ".yaml", ".json", ".tfvars"}
DECISION = re.compile(r"\[to decide: ([^\]]+)\]")


@dataclass(frozen=True)
class Undecided:
    """A place where a person has to decide."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        """Return it as editors find it."""
        return f"{self.file}:{self.line} {self.what}"


def undecided() -> list[Undecided]:
    """Return every place, in the order of files."""
    return list(_places())


def _places() -> Iterator[Undecided]:
    folders = [each for each in PROJECT.iterdir() if each.is_dir() and each.name not in ELSEWHERE]
    searched = [each for each in folders if each.name == ".github" or not each.name.startswith(".")]
    files = [*PROJECT.glob("*.md"), *(file for folder in searched for file in folder.rglob("*"))]
    for file in sorted(each for each in files if each.suffix in KINDS and ".terraform" not in each.parts):
        text = file.read_text()
        for found in DECISION.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Undecided(file.relative_to(PROJECT).as_posix(), line, " ".join(found[1].split()))


def fingerprint(document: str) -> str | None:
    """Return what changes with every change of a document, or None if it is not there."""
    file = PROJECT / document
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else None


def fingerprints(rows: Mapping[str, Row]) -> dict[str, str | None]:
    """Return those of all documents of these rows."""
    return {document: fingerprint(document) for row in rows.values() for document in row.documents}
