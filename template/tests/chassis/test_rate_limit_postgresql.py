"""The counts of clients in PostgreSQL: whoever asks, and none for longer than its window."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.datastructures import State

from app.chassis.data.engine import create_engine
from app.chassis.http.rate_limit import postgresql
from app.chassis.http.rate_limit.models import RateLimit
from app.chassis.http.rate_limit.postgresql import PostgresqlStore
from app.settings import Settings

pytestmark = pytest.mark.row("security.rate-limit")

OVER, RUNNING = b"over", b"running"


async def added(counts: PostgresqlStore, key: bytes, units: int, *, window: int, left: int) -> int:
    """Add to a count, see that about so many seconds of its window are left, and return it."""
    used, seconds = await counts.add(key, units, window)
    assert left - 10 < seconds <= left
    return used


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Connections to a database with a count that is over, and one that is not."""
    engine = create_engine(settings)
    counts = PostgresqlStore(engine)
    assert await added(counts, OVER, 1, window=-1, left=-1) == 1
    assert await added(counts, RUNNING, 1, window=60, left=60) == 1
    yield engine
    await engine.dispose()


async def kept(engine: AsyncEngine) -> set[bytes]:
    async with engine.connect() as connection:
        return set(await connection.scalars(select(RateLimit.key)))


async def test_what_is_over_begins_anew_and_what_runs_goes_on(engine: AsyncEngine) -> None:
    counts = PostgresqlStore(engine)
    assert await added(counts, OVER, 2, window=60, left=60) == 2
    assert await added(counts, RUNNING, 2, window=600, left=60) == 3


async def test_what_is_over_is_deleted(engine: AsyncEngine) -> None:
    await PostgresqlStore(engine).clean()
    assert await kept(engine) == {RUNNING}


async def test_replicas_that_delete_do_not_wait_for_each_other(engine: AsyncEngine) -> None:
    async with engine.begin() as other:
        await other.execute(select(RateLimit).with_for_update())
        async with asyncio.timeout(2):  # a lock is waited for longer
            await PostgresqlStore(engine).clean()
    assert await kept(engine) == {OVER, RUNNING}


async def test_the_service_deletes_while_it_runs(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert postgresql.CLEAN_SECONDS <= 600
    monkeypatch.setattr(postgresql, "CLEAN_SECONDS", 0.02)
    async with asyncio.timeout(10), postgresql.store(State({"engine": engine})):
        while OVER in await kept(engine):  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.02)
    assert await kept(engine) == {RUNNING}


async def test_one_turn_deletes_no_more_than_a_batch(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = PostgresqlStore(engine)
    for number in range(5):
        await counts.add(b"over %d" % number, 1, -1)
    monkeypatch.setattr(postgresql, "BATCH", 2)
    await counts.clean()
    async with engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(RateLimit)) == 5
