"""What migrations run under, on a real PostgreSQL that is being used meanwhile."""

import asyncio
import io
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from textwrap import indent

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate.api import render_python_code
from alembic.config import Config
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Text
from sqlalchemy.exc import DBAPIError

from app.chassis.data.migrations import concurrent_indexes
from dev.environment import PROJECT

pytestmark = pytest.mark.row("data.locks")

GUIDE = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "migrations.md").read_text(), re.DOTALL)
SQUAWK = Path(sys.executable).with_name("squawk")
Migrate = Callable[[str], None]


@pytest.fixture
def config(tmp_path: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The service's own environment for revisions that are written on the spot."""
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(tmp_path))
    return config


def write(config: Config, number: int, body: str) -> str:
    """Write the revision with that number, which follows the one before, and return its name."""
    before = f"revision{number - 1}" if number else None
    path = Path(config.get_main_option("version_locations") or "") / f"revision{number}.py"
    path.write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        "from app.chassis.data.migrations import backfill, create_index, drop_index\n"
        f"revision = 'revision{number}'\ndown_revision = {before!r}\n{body}\n"
    )
    return path.stem


@pytest.fixture
def migrate(config: Config) -> Migrate:
    """Run one more step up. One that fails may be tried again."""
    done = 0

    def run(step: str) -> None:
        nonlocal done
        command.upgrade(config, write(config, done, f"def upgrade():\n{indent(step, '    ')}"))
        done += 1

    return run


@pytest.fixture
async def service(empty_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the running service has them."""
    connection = await asyncpg.connect(empty_database_url)
    yield connection
    await connection.close()


LEDGER = 'op.execute("CREATE TABLE ledger (id int)")'
ADD_COLUMN = 'op.add_column("ledger", sa.Column("note", sa.Text()))'


async def test_a_held_lock_fails_the_revision_at_once_and_the_old_schema_serves_on(
    migrate: Migrate, service: asyncpg.Connection, empty_database_url: str
) -> None:
    await asyncio.to_thread(migrate, LEDGER)
    reader = await asyncpg.connect(empty_database_url)
    async with reader.transaction():
        await reader.fetch("SELECT * FROM ledger")
        began = time.monotonic()
        migration = asyncio.create_task(asyncio.to_thread(migrate, ADD_COLUMN))
        longest = 0.0
        while not migration.done():
            asked = time.monotonic()
            await service.execute("INSERT INTO ledger VALUES (1)")
            longest = max(longest, time.monotonic() - asked)
            await asyncio.sleep(0.01)
        with pytest.raises(DBAPIError, match="lock timeout"):
            await migration
        assert time.monotonic() - began < 5
        assert longest < 2, "requests queued behind the revision"
    await reader.close()

    assert await service.fetchval("SELECT version_num FROM alembic_version") == "revision0"
    await asyncio.to_thread(migrate, ADD_COLUMN)
    assert await service.fetchval("SELECT version_num FROM alembic_version") == "revision1"
    assert await service.fetchval("SELECT count(note) FROM ledger") == 0


async def test_every_revision_has_timeouts_whatever_it_says_itself(
    migrate: Migrate, service: asyncpg.Connection
) -> None:
    await asyncio.to_thread(
        migrate,
        """op.execute("CREATE TABLE seen AS SELECT name, setting FROM pg_settings WHERE context = 'user'")""",
    )
    seen = dict(await service.fetch("SELECT name, setting FROM seen"))
    assert seen["lock_timeout"] == "1000"
    assert seen["statement_timeout"] == "60000"
    assert seen["TimeZone"] == "UTC"


async def test_an_index_is_built_while_the_table_is_written_to(
    migrate: Migrate, service: asyncpg.Connection, empty_database_url: str
) -> None:
    await asyncio.to_thread(migrate, LEDGER)
    writer = await asyncpg.connect(empty_database_url)
    async with writer.transaction():
        await writer.execute("INSERT INTO ledger VALUES (1)")
        # It waits for this transaction, longer than any lock timeout, and holds nobody else up.
        migration = asyncio.create_task(asyncio.to_thread(migrate, 'create_index("ix_ledger_id", "ledger", ["id"])'))
        for _ in range(130):
            await service.execute("INSERT INTO ledger VALUES (2)", timeout=0.5)
            await asyncio.sleep(0.01)
        assert not migration.done()
    await migration
    await writer.close()
    assert await valid(service) is True


async def valid(connection: asyncpg.Connection) -> bool | None:
    """Is the index one that PostgreSQL uses? None without index."""
    found: bool | None = await connection.fetchval(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_ledger_id')"
    )
    return found


async def test_an_index_that_failed_half_way_is_built_anew(migrate: Migrate, service: asyncpg.Connection) -> None:
    await asyncio.to_thread(migrate, LEDGER)
    await service.execute("INSERT INTO ledger VALUES (1), (1)")
    unique = 'create_index("ix_ledger_id", "ledger", ["id"], unique=True)'
    with pytest.raises(DBAPIError, match="could not create unique index"):
        await asyncio.to_thread(migrate, unique)
    assert await valid(service) is False, "PostgreSQL leaves it behind"

    await service.execute("DELETE FROM ledger")
    await asyncio.to_thread(migrate, unique)
    assert await valid(service) is True
    await asyncio.to_thread(migrate, 'drop_index("ix_ledger_id", "ledger")')
    assert await valid(service) is None


def rendered(*found: ops.MigrateOperation) -> list[tuple[str, str]]:
    """Return upgrade and downgrade of each revision that would be written for what autogenerate has found."""
    upgrade = ops.UpgradeOps([ops.ModifyTableOps("ledger", list(found))])
    scripts = [ops.MigrationScript("a1", upgrade, upgrade.reverse(), message="change ledger")]
    concurrent_indexes(MigrationContext.configure(dialect_name="postgresql"), (), scripts)
    assert [script.head for script in scripts[1:]] == ["a1"] * (len(scripts) - 1)
    texts = []
    for script in scripts:
        assert script.upgrade_ops
        assert script.downgrade_ops
        texts.append((render_python_code(script.upgrade_ops), render_python_code(script.downgrade_ops)))
    return texts


INDEX = ops.CreateIndexOp("ix_ledger_note", "ledger", ["note"])
COLUMN = ops.AddColumnOp("ledger", Column("note", Text()))


def test_make_migration_writes_indexes_concurrent_and_alone() -> None:
    ((upgrade, downgrade),) = rendered(INDEX)
    assert "    create_index('ix_ledger_note', 'ledger', ['note'], unique=False)" in upgrade
    assert "    drop_index('ix_ledger_note', table_name='ledger')" in downgrade

    (column, _), (upgrade, downgrade) = rendered(COLUMN, INDEX)
    assert "op.add_column('ledger'" in column
    assert "index" not in column
    assert "    create_index(" in upgrade
    assert "    drop_index(" in downgrade
    assert "column" not in upgrade + downgrade


def test_make_migration_leaves_other_changes_as_they_are() -> None:
    ((upgrade, downgrade),) = rendered(COLUMN)
    assert "op.add_column('ledger'" in upgrade
    assert "op.drop_column('ledger'" in downgrade


async def test_the_guides_example_works_and_is_safe(config: Config, service: asyncpg.Connection) -> None:
    create = "def upgrade():\n    op.execute('CREATE TABLE parcels (id int PRIMARY KEY)')"
    await asyncio.to_thread(command.upgrade, config, write(config, 0, create))
    await service.execute("INSERT INTO parcels SELECT generate_series(1, 2500)")

    for number, step in enumerate(GUIDE, start=1):
        name = write(config, number, step)
        for move, target in ((command.upgrade, name), (command.downgrade, "-1"), (command.upgrade, name)):
            await asyncio.to_thread(move, config, target)
        checked = await asyncio.to_thread(squawk, config, number)
        assert checked.returncode == 0, checked.stdout
    assert await service.fetchval("SELECT sum(weight_grams) FROM parcels") == 0
    with pytest.raises(asyncpg.NotNullViolationError):
        await service.execute("INSERT INTO parcels VALUES (0)")


def squawk(config: Config, number: int) -> subprocess.CompletedProcess[str]:
    """Lint the SQL of that revision."""
    config.output_buffer = sql = io.StringIO()
    command.upgrade(config, f"revision{number - 1}:revision{number}", sql=True)
    return subprocess.run([SQUAWK], input=sql.getvalue(), capture_output=True, text=True, check=False, cwd=PROJECT)
