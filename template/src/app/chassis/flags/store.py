"""Keeps the changes of feature flags in PostgreSQL, where every replica finds them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.chassis.flags.models import FlagChange


async def latest(engine: AsyncEngine) -> dict[str, FlagChange]:
    """Return the last change of each flag that was ever flipped."""
    query = select(FlagChange).ext(distinct_on(FlagChange.name)).order_by(FlagChange.name, FlagChange.id.desc())
    async with AsyncSession(engine) as session:
        return {change.name: change for change in await session.scalars(query)}


async def history(engine: AsyncEngine, name: str) -> Sequence[FlagChange]:
    """Return every change of a flag, the newest first."""
    query = select(FlagChange).where(FlagChange.name == name).order_by(FlagChange.id.desc())
    async with AsyncSession(engine) as session:
        return (await session.scalars(query)).all()


async def flip(engine: AsyncEngine, name: str, enabled: bool | None, *, by: str, reason: str) -> None:
    """Switch a flag on or off, or back to its default with None."""
    async with AsyncSession(engine) as session, session.begin():
        session.add(FlagChange(name=name, enabled=enabled, changed_by=by, reason=reason))
