"""The texts of legal/ that people read, and whether somebody has reviewed them as they are.

The word of who reviewed them is in readiness/attestations.toml, with a fingerprint of each document that was read, the
records of processing among them: when one was changed since, or the word has expired, the texts are drafts again.
"""

import hashlib
import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from app.chassis.legal import tables

FILES = ("privacy", "terms", "cookies")
ATTESTATIONS = "readiness/attestations.toml"

_COMMENTS = re.compile(r"<!--.*?-->\n?", re.DOTALL)


class MissingTextError(RuntimeError):
    """A text that people have to be able to read is not there."""


@dataclass(frozen=True)
class Review:
    """Somebody's word that a text is good."""

    on: date
    until: date
    documents: frozenset[str]

    def holds(self, today: date) -> bool:
        """Tell whether it counts today."""
        return self.on <= today <= self.until


@dataclass(frozen=True)
class Text:
    """A text, as it is served."""

    name: str
    body: str
    fingerprint: str
    review: Review | None

    @property
    def version(self) -> str:
        """The day of its review and its fingerprint, or that it is a draft."""
        if self.review and self.review.holds(datetime.now(UTC).date()):
            return f"{self.review.on}-{self.fingerprint}"
        return f"draft-{self.fingerprint}"

    @property
    def is_draft(self) -> bool:
        """Tell whether nobody vouches for it today."""
        return self.version.startswith("draft")

    def markdown(self) -> str:
        """Return it with its version on top."""
        draft = "**Draft for counsel: nobody vouches for this text.** " if self.is_draft else ""
        title, _, rest = self.body.partition("\n")
        return f"{title}\n\n> {draft}Version {self.version}.\n{rest}"


def read(project: Path) -> dict[str, Text]:
    """Return the texts by name. Raises MissingTextError."""
    review = _review(project)
    found = {}
    for name in FILES:
        document = f"legal/{name}.md"
        fingerprint = _fingerprint(project, document)
        if fingerprint is None:
            raise MissingTextError(f"{document} is missing: the image needs the folder legal/, as the Dockerfile says.")
        body = _COMMENTS.sub("", tables.filled((project / document).read_text(encoding="utf-8"), project))
        is_reviewed = review is not None and document in review.documents
        found[name] = Text(name, body, fingerprint, review if is_reviewed else None)
    return found


def _review(project: Path) -> Review | None:
    """Return somebody's word, if it is about the documents as they are."""
    try:
        words = tomllib.loads((project / ATTESTATIONS).read_text(encoding="utf-8"))
        word = words["law"]["privacy"]
        review = Review(word["on"], word["until"], frozenset(word["reviewed"]))
    except (FileNotFoundError, KeyError):
        return None
    is_same = all(_fingerprint(project, document) == known for document, known in word["reviewed"].items())
    return review if is_same else None


def _fingerprint(project: Path, document: str) -> str | None:
    """Return what `make attest` writes of a document, or None if it is not there."""
    file = project / document
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else None
