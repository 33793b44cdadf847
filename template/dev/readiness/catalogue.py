"""The promises: every file in readiness/catalogue/. Add a file of your own for promises of your own."""

import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from dev.environment import PROJECT

FOLDER = PROJECT / "readiness" / "catalogue"
CONTROLS = PROJECT / "readiness" / "controls.toml"


class ReadinessError(Exception):
    """A file that a person writes says something wrong. The message says which, where, and what to do."""


class Gravity(StrEnum):
    """What an open row blocks."""

    LAUNCH = "launch"
    GROWTH = "growth"
    LATER = "later"


class Part(StrEnum):
    """What has to be proven of a row."""

    CODE = "code"
    INFRASTRUCTURE = "infrastructure"


class Row(BaseModel):
    """A promise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    promise: str
    where: tuple[str, ...] = ()
    gravity: Gravity
    parts: frozenset[Part] = frozenset({Part.CODE})
    attestable: bool = False
    documents: tuple[str, ...] = ()
    reviewed: bool = False
    controls: Mapping[str, tuple[str, ...]] = {}

    @property
    def area(self) -> str:
        """What stands before the dot."""
        return self.id.partition(".")[0]

    @property
    def places(self) -> list[str]:
        """Where to look when it is broken, of what this service has."""
        return [place for place in (*self.where, *self.documents) if (PROJECT / place).exists()]

    def may_be_attested(self, part: Part) -> bool:
        """Tell whether a person may vouch for this part of it."""
        return self.attestable or part is Part.INFRASTRUCTURE

    @property
    def takes_a_word(self) -> bool:
        """Tell whether anybody's word counts for anything of it."""
        return self.reviewed or any(self.may_be_attested(part) for part in self.parts)


def read(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the tables of a file by their ids: `[error.shape]` is `error.shape`. Raises ReadinessError."""
    try:
        areas = tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ReadinessError(f"{file.relative_to(PROJECT)}: {error}") from error
    for area, rows in areas.items():
        for name, values in rows.items():
            if not isinstance(values, dict):
                raise ReadinessError(f"{file.relative_to(PROJECT)}: [{area}] needs a name too: [{area}.something]")
            yield f"{area}.{name}", values


def described(error: ValidationError) -> str:
    """Return what is wrong with a table, in one line."""
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg'].lower()}" for each in error.errors())


def load(folder: Path = FOLDER, controls: Path = CONTROLS) -> dict[str, Row]:
    """Return all rows by their ids. Raises ReadinessError."""
    rows: dict[str, Row] = {}
    required = dict(read(controls)) if controls.exists() else {}
    for file in sorted(folder.glob("*.toml")):
        for id_, values in read(file):
            if id_ in rows:
                raise ReadinessError(f"{file.relative_to(PROJECT)}: [{id_}] stands in another file too")
            try:
                rows[id_] = Row(id=id_, **{"controls": required.get(id_, {}), **values})
            except ValidationError as error:
                raise ReadinessError(f"{file.relative_to(PROJECT)}: [{id_}] {described(error)}") from error
    if not rows:
        raise ReadinessError(f"{folder.relative_to(PROJECT)}/ has no promises: bring its files back from git.")
    return rows
