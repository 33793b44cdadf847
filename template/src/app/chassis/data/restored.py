"""Are the data of a restored copy there, and readable? `python -m app.chassis.data.restored HOST`, beside the original.

Both are reached with DATABASE_URL, the copy at another host. Of the original only statistics are read; of the copy
every value of every row, which is how damaged pages are found. The report is a line of JSON; the status is 1 for
problems.
"""

import asyncio
import json
import os
import sys
from dataclasses import asdict, dataclass, field

from sqlalchemy import Connection, MetaData, Text, cast, func, inspect, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.chassis.data.address import async_url, connect_arguments

COMPARABLE_ROWS = 100
"""PostgreSQL's estimate of fewer rows says nothing."""

LEAST_SHARE = 0.1
"""Of the original's rows, a copy that is as old as a backup may be has this many."""


@dataclass
class Report:
    """What was found."""

    revisions: list[str]
    tables: dict[str, int]
    """How many rows each has."""
    problems: list[str] = field(default_factory=list)


async def check(original: str, copy: str) -> Report:
    """Compare two databases, given by their addresses."""
    async with _connected(original).connect() as connection:
        estimates, revisions = await connection.run_sync(_estimates), await connection.run_sync(_revisions)
    async with _connected(copy).connect() as connection:
        report = await connection.run_sync(_read)
    # A table that came with a revision since then cannot be in the copy.
    if missing := estimates.keys() - report.tables.keys() if revisions == report.revisions else set():
        report.problems.append(f"tables are missing: {', '.join(sorted(missing))}")
    for table, estimate in estimates.items():
        rows = report.tables.get(table)
        if rows is not None and estimate >= COMPARABLE_ROWS and rows < estimate * LEAST_SHARE:
            report.problems.append(f"{table} has {rows} rows, the original about {estimate}")
    return report


def _connected(url: str) -> AsyncEngine:
    # However long it takes: nobody else uses the copy.
    arguments = connect_arguments(url) | {
        "server_settings": {"statement_timeout": "0", "default_transaction_read_only": "on"},
        "command_timeout": None,
    }
    return create_async_engine(async_url(url), poolclass=NullPool, connect_args=arguments)


def _estimates(connection: Connection) -> dict[str, int]:
    query = text(
        "SELECT relname, reltuples::bigint FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return {str(row[0]): int(row[1]) for row in connection.execute(query)}


def _revisions(connection: Connection) -> list[str]:
    if not inspect(connection).has_table("alembic_version"):
        return []
    return sorted(connection.scalars(text("SELECT version_num FROM alembic_version")))


def _read(connection: Connection) -> Report:
    report = Report(_revisions(connection), {})
    if not report.revisions:
        report.problems.append("no revision was ever run: this is not the database")
    tables = MetaData()
    tables.reflect(connection)
    for table in tables.sorted_tables:
        values = func.sum(func.octet_length(cast(table.table_valued(), Text)))
        try:
            with connection.begin_nested():
                report.tables[table.name] = connection.execute(select(func.count(), values).select_from(table)).one()[0]
        except DBAPIError as error:
            report.problems.append(f"{table.name} cannot be read: {error.orig}")
    query = text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
    report.problems += [f"the index {each} is invalid" for each in connection.scalars(query)]
    return report


def main() -> int:
    """Check the copy at one host."""
    original = os.environ["DATABASE_URL"]
    copy = make_url(original).set(host=sys.argv[1]).render_as_string(hide_password=False)
    report = asyncio.run(check(original, copy))
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
