"""Enqueues scheduled jobs when they are due: once, however many workers there are and whatever their clocks say.

The database's clock is the only one that counts, and a moment that has passed never comes again: should that clock be
put back, a schedule waits until it is where it was. procrastinate's schedules go by each worker's own clock, and when
one is ahead of the other by more than an interval, they run twice.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import structlog
from croniter import croniter
from sqlalchemy import exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.chassis.jobs.job import Job, Tick
from app.chassis.jobs.models import QueuedJob, Schedule, Status

log = structlog.get_logger()

LOOK_SECONDS = 1


class BadScheduleError(ValueError):
    """A schedule is not one. The message says which."""


class Scheduler:
    """Looks, again and again, which schedules are due."""

    def __init__(self, engine: AsyncEngine, jobs: Iterable[Job[Any]]) -> None:
        self._engine = engine
        self._jobs = [job for job in jobs if job.cron]
        self._seen: dict[str, datetime] = {}
        """When each was due last, as far as this worker knows: the table is only asked about what is newer."""
        for job in self._jobs:
            if not croniter.is_valid(job.cron):
                raise BadScheduleError(f'The schedule of {job.name} is none: "{job.cron}". Minute, hour, day, month, …')

    async def look(self) -> None:
        """Enqueue what is due."""
        if not self._jobs:
            return
        async with AsyncSession(self._engine) as session, session.begin():
            now = (await session.execute(select(func.now()))).scalar_one()
            for job in self._jobs:
                due = croniter(job.cron, now).get_prev(datetime)
                if due != self._seen.get(job.name):
                    await _enqueue(session, job, due)
                    self._seen[job.name] = due


async def _enqueue(session: AsyncSession, job: Job[Tick], due: datetime) -> None:
    new = insert(Schedule).values(name=job.name, due_at=due, done_at=func.now()).on_conflict_do_nothing()
    if (await session.execute(new.returning(Schedule.name))).one_or_none():
        return  # its first moment is the next one
    mine = update(Schedule).where(Schedule.name == job.name, Schedule.due_at < due).values(due_at=due)
    if not (await session.execute(mine.returning(Schedule.name))).one_or_none():
        return  # another worker was faster
    waits = exists().where(QueuedJob.task_name == job.name, QueuedJob.status == Status.TODO)
    if await session.scalar(select(waits)):
        log.warning("schedule is behind", job=job.name)
        return
    await job.enqueue(session, Tick(due_at=due), lock=job.name)
