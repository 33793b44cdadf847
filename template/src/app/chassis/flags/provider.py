"""Tells OpenFeature which flags are on: from memory, brought up to date in the background."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import asyncpg
import structlog
from openfeature import api
from openfeature.exception import TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.chassis.background import repeated
from app.chassis.flags import store

log = structlog.get_logger()

REFRESH_SECONDS = 5
START_SECONDS = 2
"""How long a start waits for the first answer. Without one it serves on the defaults."""


class PostgresqlProvider(AbstractProvider):
    """Knows what it last read. While the database does not answer, that counts on: a switch stays where it was put."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__()
        self._engine = engine
        self._flipped: dict[str, bool] = {}

    async def refresh(self) -> None:
        """Read all flags."""
        changes = await store.latest(self._engine)
        flipped = {name: change.enabled for name, change in changes.items() if change.enabled is not None}
        for name in {name for name, _ in self._flipped.items() ^ flipped.items()}:
            log.info("flag changed", flag=name, enabled=flipped.get(name))
        self._flipped = flipped

    def get_metadata(self) -> Metadata:
        """Say what this is."""
        return Metadata("postgresql")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: Any = None
    ) -> FlagResolutionDetails[bool]:
        """Return whether the flag is on."""
        if flag_key not in self._flipped:
            return FlagResolutionDetails(default_value, reason=Reason.DEFAULT)
        return FlagResolutionDetails(self._flipped[flag_key], reason=Reason.CACHED)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeMismatchError("A flag is on or off.")

    resolve_string_details = _refuse
    resolve_integer_details = _refuse
    resolve_float_details = _refuse
    resolve_object_details = _refuse


@asynccontextmanager
async def refreshed(engine: AsyncEngine) -> AsyncIterator[None]:
    """Answer OpenFeature's questions until the context ends."""
    provider = PostgresqlProvider(engine)
    try:
        async with asyncio.timeout(START_SECONDS):
            await provider.refresh()
    except (SQLAlchemyError, asyncpg.PostgresError, OSError, TimeoutError) as error:
        log.warning("flags are at their defaults", reason=type(error).__name__)
    api.set_provider_and_wait(provider)
    async with repeated(provider.refresh, name="refresh flags", seconds=REFRESH_SECONDS):
        yield
    api.clear_providers()
