"""Work that a process does now and then, beside its requests, for as long as it serves."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog

log = structlog.get_logger()

STOP_SECONDS = 2
"""How long an end waits for a turn that does not let itself be cancelled."""


@contextlib.asynccontextmanager
async def repeated(work: Callable[[], Awaitable[object]], *, name: str, seconds: float) -> AsyncIterator[None]:
    """Do the work every so many seconds, a tenth more or less, until the context ends.

    A failure is logged when it begins and when it is over; the next turn tries again.
    """

    ended = False

    async def loop() -> None:
        failing = False
        while not ended:
            await asyncio.sleep(seconds * random.uniform(0.9, 1.1))  # noqa: S311 (so that replicas do not march in step)
            try:
                await work()
            except Exception as error:  # noqa: BLE001 (whatever it is, it must not be the last turn)
                if not failing and not ended:
                    log.warning("background work fails", work=name, reason=type(error).__name__)
                failing = True
            else:
                if failing:
                    log.info("background work is back", work=name)
                failing = False

    task = asyncio.create_task(loop(), name=name)
    try:
        yield
    finally:
        ended = True  # for work that takes the cancellation for itself
        task.cancel()
        await asyncio.wait([task], timeout=STOP_SECONDS)
