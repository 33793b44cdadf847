"""Alembic's entry: runs revisions on DATABASE_URL, or prints their SQL (`--sql`)."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.chassis.data.address import async_url, connect_arguments
from app.chassis.data.migrations import SESSION, concurrent_indexes, is_compared
from app.chassis.data.model import metadata


def run(connection: Connection | None = None) -> None:
    """Run the revisions that Alembic was asked for, each in its own transaction."""
    context.configure(
        connection=connection,
        dialect_name="postgresql",
        target_metadata=metadata(),
        compare_server_default=True,
        transaction_per_migration=True,
        literal_binds=connection is None,
        include_name=is_compared,
        process_revision_directives=concurrent_indexes,
    )
    with context.begin_transaction():
        if connection is None:
            for name, value in SESSION.items():
                context.execute(f"SET {name} = '{value}'")
        context.run_migrations()


async def connect() -> None:
    """Connect, and let Alembic work on that connection."""
    url = os.environ["DATABASE_URL"]
    arguments = connect_arguments(url) | {"server_settings": SESSION}
    engine = create_async_engine(async_url(url), poolclass=NullPool, connect_args=arguments)
    async with engine.connect() as connection:
        await connection.run_sync(run)


if context.is_offline_mode():
    run()
else:
    asyncio.run(connect())
