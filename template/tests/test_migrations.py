"""Revisions go up, down and up again, and end where the models are."""

import asyncio

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from app.chassis.data.engine import async_url
from app.chassis.data.model import metadata
from dev.database import alembic

REVISIONS = [each.revision for each in ScriptDirectory.from_config(alembic()).walk_revisions()][::-1]


async def differences(database_url: str) -> list[object]:
    """What a new revision would have to do."""

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata()))

    engine = create_async_engine(async_url(database_url))
    async with engine.connect() as connection:
        found = await connection.run_sync(compare)
    await engine.dispose()
    return found


async def test_models_and_revisions_agree(database_url: str) -> None:
    assert not await differences(database_url), "write a revision: make migration NAME=…"


async def test_every_revision_goes_up_and_down_and_up(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    for revision in REVISIONS:
        for step, target in [(command.upgrade, revision), (command.downgrade, "-1"), (command.upgrade, revision)]:
            await asyncio.to_thread(step, alembic(), target)
    assert not await differences(empty_database_url)
