"""The connection pool of one process."""

from typing import Any

import asyncpg
from sqlalchemy import event
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


def create_engine(settings: ChassisSettings) -> AsyncEngine:
    """Return an engine that connects on first use. It raises DatabaseUnavailableError for what may work later."""
    engine = create_async_engine(
        async_url(settings.database_url),
        poolclass=FairPool,
        pool_size=settings.database_pool_size,
        max_overflow=0,  # the setting is the limit: what the database must be able to carry
        pool_timeout=5,
        pool_pre_ping=True,
        connect_args={
            **connect_arguments(settings.database_url),
            "async_creator_fn": _connect,
            "timeout": 5,
            "command_timeout": COMMAND_TIMEOUT_SECONDS,
            "server_settings": SESSION,
        },
    )
    event.listen(engine.sync_engine, "handle_error", classify)
    return engine


async def _connect(*args: Any, **kwargs: Any) -> Any:
    try:
        return await asyncpg.connect(*args, **kwargs)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailableError(f"cannot connect: {type(error).__name__}") from error
