"""The application's role works with rows; only the migrator's changes tables."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from alembic import command
from sqlalchemy import make_url

from app.chassis.data import roles
from dev.database import alembic

pytestmark = pytest.mark.row("data.deploy")


@pytest.fixture
async def urls(empty_database_url: str) -> AsyncIterator[dict[str, str]]:
    """The address of a database as each of the roles sees it."""
    await roles.create(empty_database_url)
    await roles.create(empty_database_url)  # again changes nothing
    administrator = await asyncpg.connect(empty_database_url)
    for role in ("migrator", "app"):
        await administrator.execute(f"ALTER ROLE {role} PASSWORD 'secret'")
    url = make_url(empty_database_url)
    yield {
        role: url.set(username=role, password="secret").render_as_string(hide_password=False)  # noqa: S106
        for role in ("migrator", "app")
    }
    for role in ("app", "migrator"):
        await administrator.execute(f"DROP OWNED BY {role} CASCADE")
        await administrator.execute(f"DROP ROLE {role}")
    await administrator.close()


async def test_the_migrator_changes_tables_and_the_application_only_rows(
    urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", urls["migrator"])
    await asyncio.to_thread(command.upgrade, alembic(), "heads")
    migrator = await asyncpg.connect(urls["migrator"])
    await migrator.execute("CREATE TABLE things (id int GENERATED ALWAYS AS IDENTITY, name text)")
    await migrator.close()

    app = await asyncpg.connect(urls["app"])
    await app.execute("INSERT INTO things (name) VALUES ('a')")
    await app.execute("UPDATE things SET name = 'b'")
    assert await app.fetchval("SELECT name FROM things") == "b"
    for forbidden in (
        "CREATE TABLE others ()",
        "ALTER TABLE things ADD COLUMN other int",
        "DROP TABLE things",
        "TRUNCATE things",
        "CREATE INDEX ON things (name)",
        "CREATE SCHEMA private",
        "CREATE ROLE somebody",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(forbidden)
    await app.execute("DELETE FROM things")
    await app.close()


@pytest.mark.row("security.secrets")
async def test_passwords_are_rotated_by_running_it_again(urls: dict[str, str], empty_database_url: str) -> None:
    for password in ("the first, with 'quotes' and ünïcode", "the second"):
        await roles.create(empty_database_url, {"app": password})
        url = make_url(urls["app"]).set(password=password).render_as_string(hide_password=False)
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT current_user") == "app"
        await connection.close()
    kept = await asyncpg.connect(empty_database_url)
    assert (await kept.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")).startswith("SCRAM-SHA-256$")
    await kept.close()


@pytest.mark.row("security.secrets")
async def test_no_statement_holds_what_is_kept_of_a_password(
    urls: dict[str, str], empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers log slow and failed statements, and keep statistics of all of them."""
    assert urls
    statements: list[str] = []
    values: list[str] = []
    connect = asyncpg.connect

    def note(logged: Any) -> None:
        statements.append(logged.query)
        values.append(str(logged.args))

    async def watched(*arguments: Any, **options: Any) -> asyncpg.Connection:
        connection = await connect(*arguments, **options)
        connection.add_query_logger(note)
        return connection

    monkeypatch.setattr(asyncpg, "connect", watched)
    await roles.create(empty_database_url, {"app": "secret"})
    with pytest.raises(asyncpg.RaiseError, match='role "nobody" does not exist') as failed:
        await roles.create(empty_database_url, {"nobody": "secret"})
    assert len(statements) > 4
    assert [each for each in values if "secret" in each] == [], "the password itself never leaves"
    assert [text for text in [*statements, str(failed.value), str(failed.value.context)] if "SCRAM" in text] == []
