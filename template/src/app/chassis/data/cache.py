"""Answers from memory that all replicas share (cache-aside, in Valkey), as if they came from the database.

    found = await cache.get(key, OrderRead, load, seconds=60)   # reads; `load` asks the database
    cache.forget(session, key)                                  # writes; happens when the session has committed

- What was forgotten is marked for a while instead of deleted. A slow reader that still holds the old value cannot
  put it back, and readers go to the database until the mark is gone.
- Of those who miss the same key at the same time one asks the database, in this process and among all replicas.
- While Valkey does not answer everybody asks the database, and nobody waits: whether it is back is tried in the
  background. What was to be forgotten meanwhile is forgotten then. So a value can be older than the database's for
  PAUSE_SECONDS after replicas had lost sight of Valkey, or until it expires if one of them died before it was back.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import blake2b
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.util import await_only
from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from app.chassis.background import repeated
from app.identity import NAME

log = structlog.get_logger()

TIMEOUT_SECONDS = 0.5
"""For one command, reconnecting included."""
PAUSE_SECONDS = 5
"""How often Valkey is tried when it has failed."""
MARK = b""
MARK_SECONDS = 30
"""Longer than any request takes: app.chassis.settings keeps those below STOP_SECONDS."""
LOAD_SECONDS = 1
"""How long other replicas wait for the one that asks the database."""
LOOK_SECONDS = 0.02
MAX_OWED = 10_000
"""How many keys are remembered to be forgotten. Those beyond stay until they expire."""

_FAILURES = (ValkeyError, OSError, TimeoutError)


class _UnavailableError(Exception):
    """Valkey does not answer."""


class Cache:
    """Reads through Valkey."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._down = False
        self._owed: set[str] = set()
        self._loading: dict[str, asyncio.Future[bytes | None]] = {}

    async def get[M: BaseModel](
        self, key: str, model: type[M], load: Callable[[], Awaitable[M | None]], *, seconds: float
    ) -> M | None:
        """Return what the cache has for this key, or what `load` returns, which is kept for about so many seconds.

        None is not kept. The key has to name all that the answer depends on: the caller too, where it is theirs alone.
        """
        name = _name(key)
        try:
            kept = await self._ask("GET", name)
            if kept is None:
                kept = await self._load_once(name, load, seconds)
        except _UnavailableError:
            return await load()
        if kept is None:
            return None
        if kept == MARK:
            return await load()
        try:
            return model.model_validate_json(kept)
        except ValidationError:  # another release has kept it, with other fields
            return await load()

    def forget(self, session: AsyncSession, *keys: str) -> None:
        """Forget these keys as soon as the session has committed, before its answer leaves."""
        names = [_name(key) for key in keys]
        event.listen(session.sync_session, "after_commit", lambda _: await_only(self._forget(names)), once=True)

    async def recover(self) -> None:
        """Find out whether Valkey is back. Nobody reads it before what was to be forgotten is forgotten."""
        if not self._down:
            return
        with contextlib.suppress(*_FAILURES):
            await self._command("PING")
            await self._mark(self._command)
            self._down = False
            log.info("cache is back")

    async def _forget(self, names: list[str]) -> None:
        for name in names:
            self._loading.pop(name, None)  # whoever comes from now on must not share what was read before
        if len(self._owed) < MAX_OWED:
            self._owed.update(names)
        with contextlib.suppress(_UnavailableError):
            await self._mark(self._ask)

    async def _mark(self, send: Callable[..., Awaitable[Any]]) -> None:
        for name in list(self._owed):
            await send("SET", name, MARK, "EX", MARK_SECONDS)
            self._owed.discard(name)

    async def _load_once(
        self, name: str, load: Callable[[], Awaitable[BaseModel | None]], seconds: float
    ) -> bytes | None:
        """Load and keep it, or wait for the request of this process that does. Raises what `load` raises."""
        while waiting := self._loading.get(name):
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                return waiting.result()
        loading = self._loading[name] = asyncio.get_running_loop().create_future()
        try:
            kept = await self._load_alone(name, load, seconds)
            loading.set_result(kept)
        except Exception as error:
            loading.set_exception(error)
            loading.exception()  # nobody else may be there to look at it
            raise
        finally:
            loading.cancel()  # if this request was: the next one who waits takes over
            if self._loading.get(name) is loading:
                del self._loading[name]
        return kept

    async def _load_alone(
        self, name: str, load: Callable[[], Awaitable[BaseModel | None]], seconds: float
    ) -> bytes | None:
        """Load and keep it, or wait for the replica that does."""
        lock = f"{name}:lock"
        deadline = time.monotonic() + LOAD_SECONDS
        kept: bytes | None
        while not await self._ask("SET", lock, 1, "NX", "PX", int(LOAD_SECONDS * 1000)):
            await asyncio.sleep(LOOK_SECONDS)
            kept = await self._ask("GET", name)
            if kept is not None:
                return kept
            if time.monotonic() >= deadline:
                break
        try:
            # Somebody may have kept it, and given back the lock, since we looked.
            kept = await self._ask("GET", name)
            if kept is not None:
                return kept
            loaded = await load()
            if loaded is None:
                return None
            dumped = loaded.model_dump_json(by_alias=True, round_trip=True).encode()
            milliseconds = int(seconds * random.uniform(900, 1100))  # noqa: S311 (so that not all expire together)
            with contextlib.suppress(_UnavailableError):
                # Only where nothing is: not over a mark that was set while we loaded.
                await self._ask("SET", name, dumped, "NX", "PX", milliseconds)
            return dumped
        finally:
            with contextlib.suppress(_UnavailableError):
                await self._ask("DEL", lock)

    async def _ask(self, *command: str | bytes | int) -> Any:
        """Send a command. Raises _UnavailableError: at once while Valkey is known to be down."""
        if self._down:
            raise _UnavailableError
        try:
            return await self._command(*command)
        except _FAILURES as error:
            if not self._down:
                log.warning("cache does not answer", reason=type(error).__name__)
            self._down = True
            raise _UnavailableError from error

    async def _command(self, *command: str | bytes | int) -> Any:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await self._valkey.execute_command(*command)  # type: ignore[no-untyped-call]


def _name(key: str) -> str:
    """Return the name under which Valkey has it. Hashed: what keys say of people is nobody's to read there."""
    return f"{NAME}:{blake2b(key.encode(), digest_size=16).hexdigest()}"


@contextlib.asynccontextmanager
async def cached(valkey: Valkey) -> AsyncIterator[Cache]:
    """Yield the cache of this process."""
    cache = Cache(valkey)
    async with repeated(cache.recover, name="look for the cache", seconds=PAUSE_SECONDS):
        yield cache


async def _cache(request: Request) -> Cache:
    cache: Cache = request.app.state.cache
    return cache


SharedCache = Annotated[Cache, Depends(_cache)]
"""Ask for it in a route."""
