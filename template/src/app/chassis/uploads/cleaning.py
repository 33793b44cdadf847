"""Removes what nobody can read: files whose row is gone, and rows whose file never came."""

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.chassis.uploads.models import Upload, UploadRemoval
from app.chassis.uploads.storage import Storage

SECONDS = 60
BATCH = 1000
"""As many as S3 removes at once."""
PATIENCE = timedelta(hours=1)
"""How long an upload may take from when it is announced until it is complete."""


async def clean(engine: AsyncEngine, storage: Storage) -> None:
    """Do both, a batch at a time. Raises StorageUnavailable: what is left is for the next turn."""
    while await _forget_never_stored(engine) == BATCH:
        pass
    due = select(UploadRemoval.id).where(UploadRemoval.due_at <= func.now()).limit(BATCH)
    while True:
        async with engine.connect() as connection:
            ids = (await connection.scalars(due)).all()
        if not ids:
            return
        await storage.remove(ids)  # a replica may do the same at the same time: it is done once
        async with engine.begin() as connection:
            await connection.execute(delete(UploadRemoval).where(UploadRemoval.id.in_(ids)))


async def _forget_never_stored(engine: AsyncEngine) -> int:
    # Skipping what is locked: somebody completes it, or another replica cleans as well.
    late = select(Upload.id).where(Upload.stored_at.is_(None), Upload.created_at <= func.now() - PATIENCE).limit(BATCH)
    statement = delete(Upload).where(Upload.id.in_(late.with_for_update(skip_locked=True)))
    async with engine.begin() as connection:
        return (await connection.execute(statement)).rowcount
