"""Keeps the counts in PostgreSQL: one statement for each share of a quota."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import case, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.datastructures import State

from app.chassis.background import repeated
from app.chassis.http.rate_limit.models import RateLimit

CLEAN_SECONDS = 60
BATCH = 10_000


class PostgresqlStore:
    """Counts on the database's clock, which all replicas share."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def add(self, key: bytes, units: int, window_seconds: int) -> tuple[int, float]:
        """Add to a count, which begins anew after its window. Return it, and the seconds left of the window."""
        new = insert(RateLimit).values(
            key=key, used=units, resets_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, window_seconds)
        )
        runs = RateLimit.resets_at > func.now()
        statement = new.on_conflict_do_update(
            index_elements=[RateLimit.key],
            set_={
                "used": case((runs, RateLimit.used), else_=0) + new.excluded.used,
                "resets_at": case((runs, RateLimit.resets_at), else_=new.excluded.resets_at),
            },
        ).returning(RateLimit.used, func.extract("epoch", RateLimit.resets_at - func.now()))
        async with self._engine.connect() as connection:
            used, resets_in = (await connection.execute(statement)).one()
        return used, float(resets_in)

    async def clean(self) -> None:
        """Delete counts whose window is over."""
        over = select(RateLimit.key).where(RateLimit.resets_at < func.now()).limit(BATCH)
        # Skipping what is locked, so that replicas that clean at the same time do not wait for each other.
        statement = delete(RateLimit).where(RateLimit.key.in_(over.with_for_update(skip_locked=True)))
        async with self._engine.connect() as connection:
            await connection.execute(statement)


@asynccontextmanager
async def store(state: State) -> AsyncIterator[PostgresqlStore]:
    """Return the store, on the connections of the application with this state. It is cleaned while the service runs."""
    counts = PostgresqlStore(state.engine)
    async with repeated(counts.clean, name="clean rate limits", seconds=CLEAN_SECONDS):
        yield counts
