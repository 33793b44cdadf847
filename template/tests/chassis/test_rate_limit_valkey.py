"""The counts of clients in Valkey: whoever asks, and none for longer than its window."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.datastructures import State
from valkey.asyncio import Valkey

from app.chassis.data.valkey import connected
from app.chassis.http.rate_limit.valkey import ValkeyStore, store
from app.identity import NAME
from app.settings import Settings

pytestmark = pytest.mark.row("security.rate-limit")


@pytest.fixture
async def valkey(settings: Settings) -> AsyncIterator[Valkey]:
    """Connections to an empty Valkey."""
    async with connected(settings) as each:
        yield each


async def added(counts: ValkeyStore, key: bytes, units: int, *, window: int, left: int) -> int:
    """Add to a count, see that about so many seconds of its window are left, and return it."""
    used, seconds = await counts.add(key, units, window)
    assert left - 10 < seconds <= left
    return used


async def test_a_count_goes_on_within_its_window(valkey: Valkey) -> None:
    counts = ValkeyStore(valkey)
    assert await added(counts, b"key", 2, window=60, left=60) == 2
    assert await added(counts, b"key", 3, window=600, left=60) == 5
    assert await added(counts, b"another", 1, window=60, left=60) == 1


async def test_a_count_that_is_over_is_forgotten(valkey: Valkey) -> None:
    counts = ValkeyStore(valkey)
    await counts.add(b"key", 2, 1)
    async with asyncio.timeout(10):
        while await valkey.dbsize():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.1)
    assert await added(counts, b"key", 3, window=60, left=60) == 3


async def test_replicas_count_together_in_names_of_this_service(valkey: Valkey) -> None:
    async with store(State({"valkey": valkey})) as one, store(State({"valkey": valkey})) as other:
        await one.add(b"key", 2, 60)
        assert (await other.add(b"key", 2, 60))[0] == 4
    assert await valkey.keys() == [f"{NAME}:rate-limit:{b'key'.hex()}".encode()]
