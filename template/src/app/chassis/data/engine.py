"""The connection pool of one process."""

from pydantic import PostgresDsn
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.chassis.settings import ChassisSettings
from app.identity import NAME


def async_url(database_url: PostgresDsn | str) -> URL:
    """Return the address with the asynchronous driver that we use, whichever one it named."""
    return make_url(str(database_url)).set(drivername="postgresql+asyncpg")


def create_engine(settings: ChassisSettings) -> AsyncEngine:
    """Return an engine that connects on first use.

    A statement that runs for ten seconds, or a transaction that idles for thirty, is a defect: PostgreSQL ends it
    before it holds up everybody else.
    """
    return create_async_engine(
        async_url(settings.database_url),
        pool_size=settings.database_pool_size,
        max_overflow=0,  # the setting is the limit: what the database must be able to carry
        pool_timeout=5,
        pool_pre_ping=True,
        connect_args={
            "timeout": 5,
            "server_settings": {
                "application_name": NAME,
                "timezone": "UTC",
                "statement_timeout": "10s",
                "idle_in_transaction_session_timeout": "30s",
            },
        },
    )
