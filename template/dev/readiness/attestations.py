"""What people vouch for, and until when: readiness/attestations.toml."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dev.environment import PROJECT
from dev.readiness.catalogue import ReadinessError, Row, described, read

FILE = PROJECT / "readiness" / "attestations.toml"
LONGEST = timedelta(days=366)


class Attestation(BaseModel):
    """Somebody's word."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str = Field(min_length=3)
    says: str = Field(min_length=10)
    evidence: str = Field(min_length=3)
    on: date
    until: date
    reviewed: dict[str, str] = {}  # each document as it was read: its path, and its fingerprint

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not self.on <= self.until <= self.on + LONGEST:
            raise ValueError("until is after on, and a year later at most")
        return self

    def holds(self, today: date) -> bool:
        """Tell whether it counts today."""
        return self.on <= today <= self.until


def load(rows: Mapping[str, Row], file: Path = FILE) -> dict[str, Attestation]:
    """Return the attestations by the ids of their rows. Raises ReadinessError."""
    found: dict[str, Attestation] = {}
    if not file.exists():  # a service from before there was one
        return found
    for id_, values in read(file):
        if id_ not in rows:
            raise ReadinessError(f"{file.name}: [{id_}] is no row of readiness/catalogue/")
        if not rows[id_].takes_a_word:
            raise ReadinessError(f"{file.name}: [{id_}] is proven by tests alone, and nobody's word counts")
        try:
            found[id_] = Attestation(**values)
        except ValidationError as error:
            raise ReadinessError(f"{file.name}: [{id_}] {described(error)}") from error
    return found
