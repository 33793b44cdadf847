"""Jobs that were given up: kept until somebody replays or discards them, and says why."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.jobs.models import DeadLetter, DeadLetterAction, QueuedJob, Status

LISTED = 100


async def oldest(session: AsyncSession, limit: int = LISTED) -> Sequence[Row[int, str, int, str, datetime]]:
    """Return those that have been there longest, without what they carry."""
    letter = DeadLetter.job_id, QueuedJob.task_name, QueuedJob.attempts, DeadLetter.reason, DeadLetter.given_up_at
    query = select(*letter).join(QueuedJob, QueuedJob.id == DeadLetter.job_id)
    return (await session.execute(query.order_by(DeadLetter.given_up_at, DeadLetter.job_id).limit(limit))).all()


async def find(session: AsyncSession, job_id: int) -> tuple[QueuedJob, DeadLetter] | None:
    """Return one, with what it carries and how it failed: that may be personal data."""
    query = select(QueuedJob, DeadLetter).join(DeadLetter, QueuedJob.id == DeadLetter.job_id)
    found = (await session.execute(query.where(QueuedJob.id == job_id))).one_or_none()
    return found and (found[0], found[1])


async def ids_of(session: AsyncSession, name: str) -> Sequence[int]:
    """Return the ids of all that have this name."""
    query = select(DeadLetter.job_id).join(QueuedJob, QueuedJob.id == DeadLetter.job_id)
    return (await session.scalars(query.where(QueuedJob.task_name == name))).all()


async def replay(session: AsyncSession, ids: Collection[int], *, by: str, reason: str) -> int:
    """Have these done again, with all their attempts. Returns how many of them there were."""
    found = await _take(session, ids, "replayed", by, reason)
    await session.execute(delete(DeadLetter).where(DeadLetter.job_id.in_(found)))
    again = update(QueuedJob).where(QueuedJob.id.in_(found))
    await session.execute(again.values(status=Status.TODO, attempts=0, scheduled_at=func.now()))
    return len(found)


async def discard(session: AsyncSession, ids: Collection[int], *, by: str, reason: str) -> int:
    """Delete these. Returns how many of them there were."""
    found = await _take(session, ids, "discarded", by, reason)
    await session.execute(delete(QueuedJob).where(QueuedJob.id.in_(found)))
    return len(found)


async def actions(session: AsyncSession, limit: int = LISTED) -> Sequence[DeadLetterAction]:
    """Return who did what with which and why, the newest first."""
    return (await session.scalars(select(DeadLetterAction).order_by(DeadLetterAction.id.desc()).limit(limit))).all()


async def _take(session: AsyncSession, ids: Collection[int], action: str, by: str, reason: str) -> list[int]:
    """Lock those of these that are dead letters, and note what becomes of them."""
    query = select(QueuedJob.id, QueuedJob.task_name).join(DeadLetter, QueuedJob.id == DeadLetter.job_id)
    found = (await session.execute(query.where(QueuedJob.id.in_(ids)).with_for_update())).all()
    for id_, name in found:
        session.add(DeadLetterAction(job_id=id_, job_name=name, action=action, taken_by=by, reason=reason))
    return [id_ for id_, _ in found]
