"""One break of a promise, small and realistic: as somebody in a hurry, or an assistant, would make it."""

from dataclasses import dataclass
from pathlib import Path

from tests.services import Answers

EVERYTHING: Answers = {
    "features": ["jobs", "upstream", "cache", "uploads"],
    "compliance_level": "regulated",
    "cloud": "aws",
    "domain": "example.com",
}
SERVICES: dict[str, Answers] = {"oidc": EVERYTHING, "api keys": {**EVERYTHING, "authentication": "api-keys"}}
"""The services that are broken, and their answers."""
SMALLER: dict[str, Answers] = {
    "defaults": {},
    "infrastructure": {"features": [], "authentication": "none", "cloud": "aws", "domain": "example.com"},
}
"""Those that go through whole gates, where they have what is broken: the first of them, for it takes least."""

READINESS = "readiness"
"""Instead of tests: `make readiness`, without running any."""
CI_SETUP = "setup"
"""Instead of tests: what CI does before it checks anything."""


@dataclass(frozen=True)
class Sabotage:
    row: str
    what: str
    file: str
    old: str
    """Stands in the file. Empty: the file is new."""
    new: str
    tests: str = ""
    """Where to look among the tests that prove the row, for a row with many of them."""
    service: str = "oidc"

    def apply(self, service: Path) -> None:
        """Break it. Raises ValueError if what is to be replaced is not there: the sabotage is stale."""
        path = service / self.file
        before = path.read_text() if path.exists() else ""
        if self.old not in before or bool(self.old) is not path.exists():
            raise ValueError(f"{self.row}, {self.what}: {self.file} does not have {self.old!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(before.replace(self.old, self.new, 1) if self.old else self.new)
