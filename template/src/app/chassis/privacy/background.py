"""What is done about personal data while the service runs: there are no jobs to do it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.chassis.background import repeated
from app.chassis.privacy import erasure, inventory, requests
from app.chassis.privacy.models import PrivacyRequest

REQUESTS_SECONDS = 30
RETENTION_SECONDS = 3600


async def carry_out(engine: AsyncEngine) -> None:
    """Do what is due for the requests that wait."""
    async with AsyncSession(engine) as session:
        waiting = (await session.scalars(select(PrivacyRequest.id).where(PrivacyRequest.outcome.is_(None)))).all()
    for each in waiting:
        async with AsyncSession(engine) as session, session.begin():
            await requests.carry_out(session, each)


async def retain(engine: AsyncEngine) -> None:
    """Remove what has been kept for long enough."""
    await erasure.retain(engine, inventory.read())


@asynccontextmanager
async def running(engine: AsyncEngine) -> AsyncIterator[None]:
    """Do both, now and then, until the context ends."""
    async with (
        repeated(partial(carry_out, engine), name="privacy requests", seconds=REQUESTS_SECONDS),
        repeated(partial(retain, engine), name="retention", seconds=RETENTION_SECONDS),
    ):
        yield
