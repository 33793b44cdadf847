"""The numbers that tell whether jobs get done, for alarms to watch. Every worker sends them: take the highest."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from croniter import croniter
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.chassis.jobs.job import Job
from app.chassis.jobs.models import DeadLetter, QueuedJob, Schedule, Status
from app.chassis.telemetry.metrics import counter, gauge

MEASURE_SECONDS = 15
TELL_SECONDS = 300
"""How often the log says it too, for alarms that read logs: silence is one of the things that they notice."""

log = structlog.get_logger()

ATTEMPTS = counter("jobs.attempts", "Attempts at jobs, by how they ended: done, again or given_up.", "{attempt}")
RESCUED = counter("jobs.rescued", "Jobs whose worker died in the middle of them.", "{job}")
WAITING = gauge("jobs.waiting", "Jobs that are due, and not begun.", "{job}")
AGE = gauge("jobs.age", "How long the job has been due that has been due longest.", "s")
DEAD_LETTERS = gauge("jobs.dead_letters", "Jobs that were given up, and wait for somebody to decide.", "{job}")
LATE = gauge("jobs.schedule.late", "For how long a moment of a schedule has gone by without being done.", "s")


@dataclass(frozen=True, slots=True)
class Numbers:
    """How it stands."""

    waiting: int
    age_seconds: float
    dead_letters: int
    late_seconds: dict[str, float] = field(default_factory=dict)
    """By schedule; 0 for one that is on time."""


async def read(engine: AsyncEngine, jobs: Iterable[Job[Any]]) -> Numbers:
    """Ask the database how it stands."""
    async with engine.connect() as connection:
        due = select(func.count(), func.min(QueuedJob.scheduled_at), func.now())
        due = due.where(QueuedJob.status == Status.TODO, QueuedJob.scheduled_at <= func.now())
        waiting, since, now = (await connection.execute(due)).one()
        dead = (await connection.execute(select(func.count()).select_from(DeadLetter))).scalar_one()
        done = {row.name: row.done_at for row in await connection.execute(select(Schedule.name, Schedule.done_at))}
    late = {job.name: _late(job.cron, done.get(job.name, now), now) for job in jobs if job.cron}
    return Numbers(waiting, (now - since).total_seconds() if since else 0, dead, late)


async def send(engine: AsyncEngine, jobs: Iterable[Job[Any]]) -> None:
    """Put the numbers where metrics are collected."""
    numbers = await read(engine, jobs)
    WAITING.set(numbers.waiting)
    AGE.set(numbers.age_seconds)
    DEAD_LETTERS.set(numbers.dead_letters)
    for name, seconds in numbers.late_seconds.items():
        LATE.set(seconds, schedule=name)


async def tell(engine: AsyncEngine, jobs: Iterable[Job[Any]]) -> None:
    """Put the numbers into the log."""
    numbers = await read(engine, jobs)
    missed = sum(seconds > TELL_SECONDS for seconds in numbers.late_seconds.values())
    age = round(numbers.age_seconds)
    log.info("jobs measured", waiting=numbers.waiting, age_seconds=age, dead=numbers.dead_letters, missed=missed)


def _late(cron: str, done: datetime, now: datetime) -> float:
    """Return how long ago the first moment was that came after what was done last: 0 if it is still to come."""
    due: datetime = croniter(cron, done).get_next(datetime)
    return max(0.0, (now - due).total_seconds())
