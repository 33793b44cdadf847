"""Whether a restored copy holds what it should, on real PostgreSQL."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.chassis.data.restored import check
from dev.environment import PROJECT


@pytest.fixture
async def original(database_url: str) -> str:
    """A migrated database with a table that PostgreSQL knows to be large, and one that is not."""
    await run(
        database_url,
        "CREATE TABLE parcels (id integer PRIMARY KEY, label text)",
        "ALTER TABLE parcels ALTER label SET STORAGE EXTERNAL",
        "INSERT INTO parcels SELECT each, repeat('anchor', 1000) FROM generate_series(1, 500) AS each",
        "CREATE TABLE few (id integer PRIMARY KEY)",
        "ANALYZE",
    )
    return database_url


@pytest.fixture
async def copy(original: str) -> AsyncIterator[str]:
    """What was restored of it."""
    server, _, name = original.rpartition("/")
    await run(f"{server}/postgres", f"CREATE DATABASE {name}_copy TEMPLATE {name} STRATEGY FILE_COPY")
    yield f"{original}_copy"
    await run(f"{server}/postgres", f"DROP DATABASE {name}_copy WITH (FORCE)")


async def run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for each in statements:
            await connection.execute(each)
    finally:
        await connection.close()


@pytest.mark.row("backup.restore-drill")
async def test_a_good_copy(original: str, copy: str) -> None:
    report = await check(original, copy)
    assert report.problems == []
    assert report.tables["parcels"] == 500
    assert report.tables["few"] == 0
    assert report.revisions


@pytest.mark.row("backup.restore-drill")
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (["DELETE FROM parcels WHERE id > 40"], "parcels has 40 rows, the original about 500"),
        (["DROP TABLE few"], "tables are missing: few"),
        (["DELETE FROM alembic_version"], "no revision was ever run"),
        (
            ["UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'parcels_pkey'::regclass"],
            "parcels_pkey is invalid",
        ),
    ],
)
async def test_a_damaged_copy(original: str, copy: str, damage: list[str], problem: str) -> None:
    await run(copy, *damage)
    assert problem in " ".join((await check(original, copy)).problems)


async def test_the_command(original: str) -> None:
    """The copy is at the host that is named, with the same name, role and password; here it is the original itself."""
    asked = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app.chassis.data.restored",
        "127.0.0.1",
        env={"DATABASE_URL": original},
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asked.communicate()
    assert asked.returncode == 0
    assert json.loads(said)["tables"]["parcels"] == 500
