"""What was done to an environment, by whom and how far: a numbered entry each. It is the lock as well.

An entry is a parameter of SSM. AWS refuses to create one that exists, so of two who want to write entry 43 one does,
and the other is refused. Entry 43 may be written when 42 has ended, or when its holder has given no sign of life for
LEASE_SECONDS: then its process was killed, and 43 takes over what it knew. A holder that was only asleep finds, before
its next step, that 43 is there, and stops.
"""

import getpass
import re
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError
from pydantic import AwareDatetime, BaseModel

from ops.aws import code
from ops.command import Operation
from ops.outcome import RefusedError

LEASE_SECONDS = 300  # longer than the repetitions of one call can take
KEPT = 30
CHANGES = {"deploy", "rollback"}


class State(StrEnum):
    """How an entry has ended, if it has."""

    RUNNING = "running"
    DONE = "done"
    UNDONE = "undone"
    UNKNOWN = "unknown"


class Release(BaseModel):
    """An image, and the task definition that runs it in each service."""

    digest: str
    task_definitions: dict[str, str]


class Entry(BaseModel):
    """One operation."""

    number: int
    kind: str
    holder: str
    started: AwareDatetime
    seen: AwareDatetime
    """The holder's last sign of life."""
    state: State = State.RUNNING
    step: str = "begin"
    release: Release | None = None
    """What is to serve."""
    before: Release | None = None
    """What served when nothing was half-done."""
    ignored_alarms: list[str] = []
    """Those that were on before."""

    def __str__(self) -> str:
        digest = f" of {self.release.digest[:19]}" if self.release else ""
        return (
            f"{self.kind} {self.number}{digest} by {self.holder} (began {self.started:%d %b %H:%M} UTC, {self.state})"
        )


class SupersededError(Exception):
    """Another process has taken over."""


def holder() -> str:
    """Return who runs this process."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


@dataclass(frozen=True)
class Journal:
    """The entries of one sort of operation in one environment. Restores are a sort of their own: they do not exclude
    a deploy.
    """

    operation: Operation
    sort: str = "deploys"

    @property
    def path(self) -> str:
        """The parameters' common path."""
        environment = self.operation.environment
        return f"/{environment.name}/{environment.environment}/{self.sort}"

    def entries(self) -> list[Entry]:
        """Return those that are kept, the newest last."""
        pages = self.operation.aws.ssm.get_paginator("get_parameters_by_path").paginate(Path=self.path)
        values = [each.get("Value", "") for page in pages for each in page["Parameters"]]
        return sorted((Entry.model_validate_json(value) for value in values), key=lambda entry: entry.number)

    def check(self, entries: list[Entry], *, take_over: bool) -> None:
        """Raise RefusedError while the last of these runs."""
        last = entries[-1] if entries else None
        if last is None or last.state is not State.RUNNING or take_over:
            return
        silent = self.operation.clock.now() - last.seen
        if silent < timedelta(seconds=LEASE_SECONDS):
            raise RefusedError(
                f"{last} is at the step {last.step}, seen {silent.total_seconds():.0f} s ago. Wait for it. "
                f"If its process is dead, run this again in {LEASE_SECONDS - silent.total_seconds():.0f} s, "
                "or with --take-over."
            )

    def begin(self, kind: str, entries: list[Entry], **known: Any) -> Entry:
        """Write the next entry, with what is known about it. Raises RefusedError if somebody else is faster."""
        number = entries[-1].number + 1 if entries else 1
        now = self.operation.clock.now()
        # In one call: who takes over from a process killed right here must find what served before.
        entry = Entry(number=number, kind=kind, holder=holder(), started=now, seen=now, **known)
        try:
            self._put(entry, overwrite=False)
        except ClientError as error:
            if code(error) != "ParameterAlreadyExists":
                raise
            raise RefusedError(f"Somebody else began {number} at the same moment. Wait for it.") from None
        for old in entries[: max(0, len(entries) + 1 - KEPT)]:
            self.operation.aws.ssm.delete_parameter(Name=self._name(old.number))
        return entry

    def write(self, entry: Entry) -> None:
        """Note how far it is, which is a sign of life as well. Raises SupersededError if somebody has taken over."""
        self.check_ours(entry)
        entry.seen = self.operation.clock.now()
        self._put(entry, overwrite=True)

    def check_ours(self, entry: Entry) -> None:
        """Raise SupersededError if there is a later entry."""
        try:
            self.operation.aws.ssm.get_parameter(Name=self._name(entry.number + 1))
        except ClientError as error:
            if code(error) != "ParameterNotFound":
                raise
        else:
            raise SupersededError(f"{entry.kind} {entry.number + 1} has taken over from {entry.number}.")

    def wait(self, entry: Entry, seconds: float) -> None:
        """Sleep, and give a sign of life."""
        self.operation.clock.sleep(seconds)
        self.write(entry)

    def _put(self, entry: Entry, *, overwrite: bool) -> None:
        self.operation.aws.ssm.put_parameter(
            Name=self._name(entry.number), Value=entry.model_dump_json(), Type="String", Overwrite=overwrite
        )

    def _name(self, number: int) -> str:
        return f"{self.path}/{number:06}"


def interrupted(entries: list[Entry]) -> Entry | None:
    """Return the last entry if it left the environment half-done."""
    last = entries[-1] if entries else None
    half_done = last and last.kind in CHANGES and last.state in {State.RUNNING, State.UNKNOWN}
    return last if half_done else None


def served(entries: list[Entry]) -> list[Entry]:
    """Return the entries after which their release served, the newest last."""
    return [each for each in entries if each.state is State.DONE and each.release]


def is_digest(text: str) -> bool:
    """Is this the digest of an image?"""
    return re.fullmatch(r"sha256:[0-9a-f]{64}", text) is not None


def minutes(began: datetime, ended: datetime) -> float:
    """Return how long that was, in minutes."""
    return round((ended - began).total_seconds() / 60, 1)
