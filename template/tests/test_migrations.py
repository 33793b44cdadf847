"""Revisions end where the models are, are safe while the service runs, and lose nothing in either direction."""

import asyncio
import io
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from alembic import command
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, MetaData, Text, cast, insert, inspect, literal, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.chassis.data.address import async_url
from app.chassis.data.model import metadata, retired
from dev import rows
from dev.database import alembic
from dev.environment import PROJECT

type Row = frozenset[tuple[str, str | None]]
"""Columns with their values, as PostgreSQL writes them."""
type Contents = dict[str, Counter[Row]]
"""The rows of each table."""

REVISIONS: list[Script] = list(ScriptDirectory.from_config(alembic()).walk_revisions())[::-1]

RULES = PROJECT / ".squawk.toml"
FROM_BEFORE: list[str] = tomllib.loads(RULES.read_text()).get("excluded_paths", [])
"""Revisions that ran before there were these rules."""
LINTED = [each for each in REVISIONS if Path(each.path).relative_to(PROJECT).as_posix() not in FROM_BEFORE]
SQUAWK = Path(sys.executable).with_name("squawk")
UNIQUE_VIOLATION = "23505"

EVERYTHING = """
    SELECT format('%s.%s: %s%s%s', table_name, column_name,
                  (SELECT format_type(atttypid, atttypmod) FROM pg_attribute
                   WHERE attrelid = quote_ident(table_name)::regclass AND attname = column_name),
                  CASE is_nullable WHEN 'NO' THEN ' NOT NULL' END, ' DEFAULT ' || column_default)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    UNION ALL
    SELECT format('%s: %s %s%s', conrelid::regclass, conname, pg_get_constraintdef(oid),
                  CASE WHEN NOT convalidated THEN ' (not validated)' END)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass
    UNION ALL
    SELECT pg_get_indexdef(indexrelid) || CASE WHEN NOT indisvalid THEN ' (invalid)' ELSE '' END
    FROM pg_index WHERE indrelid::regclass::text IN (SELECT tablename FROM pg_tables WHERE schemaname = 'public')
                    AND indrelid <> 'alembic_version'::regclass
"""


async def schema(url: str) -> set[str]:
    """Every column, default, constraint and index, as PostgreSQL describes it."""
    engine = create_async_engine(async_url(url), poolclass=NullPool)
    async with engine.connect() as connection:
        return set((await connection.scalars(text(EVERYTHING))).all())


@pytest.mark.row("data.migrations")
async def test_models_and_revisions_agree(database_url: str, empty_database_url: str) -> None:
    engine = create_async_engine(async_url(empty_database_url), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
        await connection.run_sync(metadata().create_all)
    by_revisions, by_models = await schema(database_url), await schema(empty_database_url)
    for table, column in retired():
        by_revisions = {line for line in by_revisions if not line.startswith(f"{table}.{column}:")}
    assert sorted(by_revisions ^ by_models) == [], "revisions and models differ: make migration NAME=…"


@pytest.mark.row("data.locks")
@pytest.mark.parametrize("revision", LINTED, ids=str)
def test_revisions_are_safe_while_the_service_runs(revision: Script) -> None:
    """Rules: https://squawkhq.com/docs/rules; those that are excluded, and why: .squawk.toml."""
    config = alembic()
    config.output_buffer = output = io.StringIO()
    before = revision.down_revision if isinstance(revision.down_revision, str) else "base"
    command.upgrade(config, f"{before}:{revision.revision}", sql=True)
    checked = subprocess.run(
        [SQUAWK], input=output.getvalue(), capture_output=True, text=True, check=False, cwd=PROJECT
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.row("data.rollback")
async def test_no_row_is_lost_on_the_way_up_and_down_and_up(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    engine = create_async_engine(async_url(empty_database_url), poolclass=NullPool)
    for revision in REVISIONS:
        async with engine.begin() as connection:
            await connection.run_sync(rows.fill, 1, metadata())
            old = kept(await connection.run_sync(read), getattr(revision.module, "contracts", ()))

        await asyncio.to_thread(command.upgrade, alembic(), revision.revision)
        async with engine.begin() as connection:
            up = await connection.run_sync(read)
            assert dropped(old, up) == set(), f"{revision} drops these: if nobody needs them, contracts = [...] says so"
            assert lost(old, up) == {}, f"{revision} loses rows"
            await connection.run_sync(rows.fill, 2, metadata())
            new = await connection.run_sync(read)
        if not isinstance(revision.down_revision, str | None):
            continue  # it only joins two branches

        await asyncio.to_thread(command.downgrade, alembic(), f"{revision.revision}@{revision.down_revision or 'base'}")
        async with engine.begin() as connection:
            back = await connection.run_sync(read)
            assert lost(old, back) == {}, f"{revision} loses older rows on the way down"
            assert await connection.run_sync(could_be_held, lost(new, back)) == [], f"{revision} loses newer rows"

        await asyncio.to_thread(command.upgrade, alembic(), revision.revision)
        async with engine.begin() as connection:
            assert lost(back, await connection.run_sync(read)) == {}, f"{revision} loses rows the second time"
    assert {table: len(each) for table, each in new.items() if not each} == {}, "these had no row to lose"


def read(connection: Connection) -> Contents:
    """Return all rows."""
    contents: Contents = {}
    for table in inspect(connection).get_table_names():
        names = [column["name"] for column in inspect(connection).get_columns(table)]
        columns = ", ".join(f'"{name}"::text' for name in names)
        found = connection.execute(text(f'SELECT {columns} FROM "{table}"'))  # noqa: S608 (the database's own names)
        contents[table] = Counter(frozenset(zip(names, row, strict=True)) for row in found)
    contents.pop("alembic_version", None)
    return contents


def kept(contents: Contents, contracts: Sequence[str]) -> Contents:
    """Return the contents without the tables and columns (`table.column`) that a revision says it removes."""
    return {
        table: _only({name for name in _columns(each) if f"{table}.{name}" not in contracts}, each)
        for table, each in contents.items()
        if table not in contracts
    }


def dropped(before: Contents, after: Contents) -> set[str]:
    """Return the tables and columns that are gone."""
    tables = before.keys() - after.keys()
    return tables | {
        f"{table}.{name}"
        for table in before.keys() & after.keys()
        for name in _columns(before[table]) - (_columns(after[table]) or _columns(before[table]))
    }


def lost(before: Contents, after: Contents) -> Contents:
    """Return the rows that are gone from the tables that are not, comparing the columns that are not."""
    missing: Contents = {}
    for table in before.keys() & after.keys():
        columns = _columns(before[table]) & (_columns(after[table]) or _columns(before[table]))
        missing[table] = _only(columns, before[table]) - _only(columns, after[table])
    return {table: each for table, each in missing.items() if each}


def _columns(contents: Counter[Row]) -> set[str]:
    return {name for row in contents for name, _ in row}


def _only(columns: set[str], contents: Counter[Row]) -> Counter[Row]:
    narrowed: Counter[Row] = Counter()
    for row, count in contents.items():
        narrowed[frozenset(each for each in row if each[0] in columns)] += count
    return narrowed


def could_be_held(connection: Connection, contents: Contents) -> list[tuple[str, Row]]:
    """Return those of the rows that the schema takes, or would take if they were not there with other values."""
    held = []
    tables = MetaData()
    tables.reflect(connection)
    for table in tables.sorted_tables:
        for row in contents.get(table.name, ()):
            values = {name: cast(literal(value, Text()), table.columns[name].type) for name, value in row}
            try:
                with connection.begin_nested():
                    connection.execute(insert(table).values(values))
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != UNIQUE_VIOLATION:
                    continue
            held.append((table.name, row))
    connection.rollback()
    return held
