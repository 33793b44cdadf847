"""Deletes jobs that are done. Dead letters stay until somebody decides."""

from datetime import timedelta

from sqlalchemy import delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.chassis.jobs.models import JobEvent, QueuedJob, Status

KEPT = timedelta(hours=24)
BATCH = 1000
CLEAN_SECONDS = 60


async def clean(engine: AsyncEngine) -> None:
    """Delete jobs that were done KEPT ago."""
    lately = exists().where(JobEvent.job_id == QueuedJob.id, JobEvent.at > func.now() - KEPT)
    oldest = select(QueuedJob.id).where(QueuedJob.status == Status.SUCCEEDED).order_by(QueuedJob.id).limit(BATCH)
    while True:
        async with engine.begin() as connection:
            old = delete(QueuedJob).where(QueuedJob.id.in_(oldest), ~lately)
            if (await connection.execute(old)).rowcount < BATCH:
                return
