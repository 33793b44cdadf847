"""Jobs of our own to test the chassis with: the domain is the owner's to change.

`python -m tests.chassis.errand` is `python -m app.worker`, with these jobs instead of the service's, and in a hurry.
"""

import asyncio
import os
import sys
from collections import Counter
from typing import Any

from sqlalchemy import text

from app import worker as entry
from app.chassis.jobs import attempt, outcome, queue, worker
from app.chassis.jobs import job as declarations
from app.chassis.jobs.job import Payload, PermanentError, Tick, job, schedule
from app.chassis.jobs.work import Work

TABLE = """
    CREATE TABLE errands (
        at timestamptz NOT NULL DEFAULT clock_timestamp(), step text NOT NULL, note text NOT NULL, process int NOT NULL
    )
"""


class Errand(Payload):
    """What to note, and how it goes."""

    note: str
    seconds: float = 0
    """How long it takes."""


class Renamed(Payload):
    """A payload that has been another, with its note under a different name."""

    version = 2

    note: str


async def note(work: Work, step: str, payload: Errand | Renamed) -> None:
    """Do what must not be lost."""
    async with work.session() as session:
        values = {"step": step, "note": payload.note, "process": os.getpid()}
        await session.execute(text("INSERT INTO errands (step, note, process) VALUES (:step, :note, :process)"), values)


@job("errand", timeout_seconds=20, retries=2)
async def errand(payload: Errand, work: Work) -> None:
    """Note when it began and when it was done. A note that says so fails."""
    await note(work, "begun", payload)
    await asyncio.sleep(payload.seconds)
    if payload.note == broken["note"]:
        raise RuntimeError(f"no luck with {payload.note}")
    await note(work, "done", payload)


broken = {"note": "bad"}
"""What is wrong with the code until it is repaired."""


@job("halting", timeout_seconds=60)
async def halting(payload: Errand, work: Work) -> None:
    """Take a long time, the first time."""
    await note(work, "begun", payload)
    async with work.session() as session:
        begun = await session.scalar(text("SELECT count(*) FROM errands WHERE note = :note"), {"note": payload.note})
    await asyncio.sleep(payload.seconds if begun == 1 else 0)
    await note(work, "done", payload)


hasty_runs: Counter[str] = Counter()


@job("hasty", timeout_seconds=20)
async def hasty(payload: Errand, work: Work) -> None:
    """Do without the database, and take note in memory."""
    await asyncio.sleep(payload.seconds)
    hasty_runs[payload.note] += 1


@job("hurried", timeout_seconds=0.05, retries=0)
async def hurried(payload: Errand, work: Work) -> None:
    """Take longer than it may."""
    await asyncio.sleep(payload.seconds)


@job("alone", timeout_seconds=5, concurrency=1)
async def alone(payload: Errand, work: Work) -> None:
    """Be the only one of its kind."""
    await errand.run(payload, work)


@job("urgent", timeout_seconds=5, priority=10)
async def urgent(payload: Errand, work: Work) -> None:
    """Come first."""
    await note(work, "done", payload)


@job("hopeless", timeout_seconds=5)
async def hopeless(payload: Errand, work: Work) -> None:
    """Know that it will never do."""
    raise PermanentError(payload.note)


@job("exits", timeout_seconds=5, retries=0)
async def exits(payload: Errand, work: Work) -> None:
    """Try to take the worker with it."""
    sys.exit(3)


@job("renamed", timeout_seconds=5, retries=1)
async def renamed(payload: Renamed, work: Work) -> None:
    """Be of a newer version."""
    await note(work, "done", payload)


@schedule("each_minute", "* * * * *", timeout_seconds=5)
async def each_minute(tick: Tick, work: Work) -> None:
    """Note when it was due."""
    await note(work, "due", Errand(note=f"{tick.due_at:%H:%M}"))


_all = declarations._declared  # noqa: SLF001
JOBS = {name: _all.pop(name) for name, each in list(_all.items()) if each.run.__module__ == __name__}
"""Taken out of the service's: its worker has nothing to do with them."""
SCHEDULES = {each_minute.name: JOBS.pop(each_minute.name)}

HURRIED: list[tuple[Any, str, object]] = [
    (worker, "declared", lambda: JOBS),
    (worker, "POLL_SECONDS", 0.1),
    (worker, "BEAT_SECONDS", 0.1),
    (worker, "LOOK_SECONDS", 0.1),
    (queue, "STALLED_SECONDS", 2),
    (queue, "RECONNECT_SECONDS", 0.05),
    (attempt, "RETRIES", 1),
    (outcome, "FIRST_WAIT_SECONDS", 0.02),
]
"""What tests need not wait for: module, name and value."""


if __name__ == "__main__":
    for module, name, value in HURRIED:
        setattr(module, name, value)
    entry.main()
