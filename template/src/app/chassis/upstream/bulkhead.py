"""A bulkhead: one upstream gets only so much of us, however slow it is (M. Nygard, Release It!)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from app.chassis.upstream.failures import Reason, UpstreamUnavailable


class Bulkhead:
    """So many calls at a time. Whoever finds no place within `wait_seconds` goes without."""

    def __init__(self, name: str, *, places: int, wait_seconds: float) -> None:
        self._name = name
        self._places = asyncio.Semaphore(places)  # first in, first out
        self._wait_seconds = wait_seconds

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Make a call in this context. Raises UpstreamUnavailable if there is no place."""
        if self._places.locked():
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await self._places.acquire()
            except TimeoutError:
                raise UpstreamUnavailable(self._name, Reason.BUSY) from None
        else:
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()
