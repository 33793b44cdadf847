"""Keeps the counts in Valkey: one script for each share of a quota, and Valkey forgets what is over by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import State
from valkey.asyncio import Valkey

from app.identity import NAME

ADD = """
local used = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {used, left}
"""


class ValkeyStore:
    """Counts on Valkey's clock, which all replicas share."""

    def __init__(self, valkey: Valkey) -> None:
        self._add = valkey.register_script(ADD)

    async def add(self, key: bytes, units: int, window_seconds: int) -> tuple[int, float]:
        """Add to a count, which begins anew after its window. Return it, and the seconds left of the window."""
        used, left = await self._add(keys=[f"{NAME}:rate-limit:{key.hex()}"], args=[units, window_seconds * 1000])
        return int(used), left / 1000


@asynccontextmanager
async def store(state: State) -> AsyncIterator[ValkeyStore]:
    """Return the store, on the connections of the application with this state."""
    yield ValkeyStore(state.valkey)
