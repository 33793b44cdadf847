"""Work beside the requests ends with the service, whatever it does."""

import asyncio
import contextlib

import pytest

from app.chassis.background import repeated

pytestmark = pytest.mark.row("run.shutdown")


async def test_work_that_takes_the_cancellation_for_itself_ends_too() -> None:
    begun = asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

    others = asyncio.all_tasks()
    async with asyncio.timeout(10):
        async with repeated(stubborn, name="stubborn", seconds=0.001):
            await begun.wait()
    assert asyncio.all_tasks() == others


async def test_a_failure_is_not_the_last_turn() -> None:
    turns = 0
    again = asyncio.Event()

    async def failing() -> None:
        nonlocal turns
        turns += 1
        if turns > 2:
            again.set()
        raise OSError

    async with asyncio.timeout(10), repeated(failing, name="failing", seconds=0.001):
        await again.wait()
