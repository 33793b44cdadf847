"""The connection pool of one process."""

import select
import time
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.chassis.data.address import async_url, connect_arguments
from app.chassis.data.failures import DatabaseUnavailableError, classify
from app.chassis.data.pool import FairPool
from app.chassis.settings import ChassisSettings
from app.identity import NAME

# Given with the connection, so that RESET and the pool's own reset return to them.
SESSION = {
    "application_name": NAME,
    "timezone": "UTC",
    # What runs or waits longer is a defect: PostgreSQL ends it before it holds up everybody else.
    "lock_timeout": "3s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
}

# For a server that has vanished: a living one gives up before, on its own.
COMMAND_TIMEOUT_SECONDS = 12

TRUSTED_SECONDS = 1
"""How long after its last use a connection is taken to be good, if nothing has arrived on it."""


def create_engine(settings: ChassisSettings) -> AsyncEngine:
    """Return an engine that connects on first use. It raises DatabaseUnavailableError for what may work later."""
    engine = create_async_engine(
        async_url(settings.database_url),
        poolclass=FairPool,
        pool_size=settings.database_pool_size,
        max_overflow=0,  # the setting is the limit: what the database must be able to carry
        pool_timeout=5,
        hide_parameters=True,  # in what its exceptions say: they hold what people have sent
        connect_args={
            **connect_arguments(settings.database_url),
            "async_creator_fn": _connect,
            "timeout": 5,
            "command_timeout": COMMAND_TIMEOUT_SECONDS,
            "server_settings": SESSION,
        },
    )
    event.listen(engine.sync_engine, "handle_error", classify)
    event.listen(engine.sync_engine, "checkin", _note)
    event.listen(engine.sync_engine, "checkout", _check)
    return engine


async def _connect(*args: Any, **kwargs: Any) -> Any:
    try:
        return await asyncpg.connect(*args, **kwargs)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailableError(f"cannot connect: {type(error).__name__}") from error


def _note(_: Any, record: Any) -> None:
    record.info["used_at"] = time.monotonic()


def _check(connection: Any, record: Any, _: Any) -> None:
    """Give nobody a connection that was lost since its last use. Raises InvalidatePoolError: the pool connects anew.

    SQLAlchemy's `pool_pre_ping` asks the server each time, in three round trips: a tenth of what a request costs. But
    a server that stops, fails over or ends a session says so, and has nothing else to say to one that is idle: it is
    enough to look whether something has arrived. Only one that may have vanished without a word has to be asked.
    """
    used_at = record.info.get("used_at")
    if used_at is None or (time.monotonic() - used_at < TRUSTED_SECONDS and _is_silent(connection.driver_connection)):
        return
    try:
        connection.ping()
    except Exception as error:
        raise InvalidatePoolError from error


def _is_silent(connection: asyncpg.Connection) -> bool:
    """Tell whether nothing has arrived, as the operating system knows it: the event loop may not have read it yet."""
    if connection.is_closed():
        return False
    arrived = select.poll()
    arrived.register(connection._transport.get_extra_info("socket"), select.POLLIN)  # noqa: SLF001 (the one way to it)
    return not arrived.poll(0)
