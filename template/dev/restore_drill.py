"""`make restore-drill`: dumps the database, restores the dump beside it, and compares the two to the last row.

A backup that nobody has restored is a hope. The drill takes the development database or, while that is empty, one that
it fills for the purpose. It ends with what was compared, and how long it took to have all of it back (RTO).
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from alembic import command
from pydantic import BaseModel
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from app.chassis.data import fingerprint
from app.chassis.data.address import async_url
from app.chassis.data.fingerprint import Fingerprint
from app.chassis.data.model import metadata
from dev import database, environment, postgres, progress, rows
from dev.production import REPORTS

SEED_ROWS = 200
"""In each table, while the development database has none."""


class DumpError(RuntimeError):
    """A dump could not be made or restored. The message is PostgreSQL's."""


class Report(BaseModel):
    """How a drill went."""

    at: datetime
    database: str
    heads: list[str]
    rows: dict[str, int]
    sequences: int
    definitions: int
    dump_bytes: int
    dump_seconds: float
    restore_seconds: float
    compare_seconds: float
    problems: list[str]

    @property
    def rto_seconds(self) -> float:
        """From the dump to a database that is known to hold everything."""
        return self.restore_seconds + self.compare_seconds


async def drill(database_url: str, description: str, damage: Callable[[Path], None] = lambda _: None) -> Report:
    """Dump, restore and compare. `damage` may do to the dump what happens to files. Raises DumpError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "dump")
        progress.show("dumping …")
        begun = time.monotonic()
        expected = await dump(database_url, path)
        dumped = time.monotonic()
        await asyncio.to_thread(damage, path)
        dump_bytes = (await asyncio.to_thread(path.stat)).st_size
        async with _another(database_url) as restored_url:
            progress.show("restoring …")
            problems = await asyncio.to_thread(restore, path, restored_url)
            restored = time.monotonic()
            progress.show("comparing …")
            found = await fingerprint.read(restored_url)
            problems += fingerprint.differences(expected, found)
            compared = time.monotonic()
        progress.clear()
    return Report(
        at=datetime.now(UTC),
        database=description,
        heads=expected.heads,
        rows={name: table.rows for name, table in expected.tables.items()},
        sequences=len(expected.sequences),
        definitions=len(expected.definitions),
        dump_bytes=dump_bytes,
        dump_seconds=dumped - begun,
        restore_seconds=restored - dumped,
        compare_seconds=compared - restored,
        problems=problems,
    )


async def dump(database_url: str, path: Path) -> Fingerprint:
    """Write all of the database to `path`. Returns what it held at that very moment, while others may write on."""
    connection = await fingerprint.connect(database_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            expected = await fingerprint.take(connection)
            options = ["--format=custom", f"--snapshot={snapshot}", f"--file={path}"]
            if said := await asyncio.to_thread(run, "pg_dump", database_url, *options):
                raise DumpError(said)
    finally:
        await connection.close()
    return expected


def restore(path: Path, database_url: str) -> list[str]:
    """Bring the dump into an empty database, all of it or nothing. Returns what went wrong, if something did."""
    said = run("pg_restore", database_url, "--single-transaction", "--exit-on-error", str(path))
    return [said] if said else []


async def seed(database_url: str) -> None:
    """Put rows into every table."""
    engine = create_async_engine(async_url(database_url))
    async with engine.begin() as connection:
        await connection.run_sync(rows.fill, SEED_ROWS, metadata())
    await engine.dispose()


def run(program: str, database_url: str, *options: str) -> str:
    """Run one of PostgreSQL's programs. Returns what it says if it fails. Its command line, which all may read, has no
    password.
    """
    url = make_url(database_url).set(drivername="postgresql")
    address = url._replace(password=None).render_as_string()
    result = subprocess.run(
        [postgres.program(program), *options, f"--dbname={address}"],
        env=os.environ | {"PGPASSWORD": str(url.password or "")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return (result.stderr.strip() or f"{program} ended with {result.returncode}") if result.returncode else ""


@contextlib.asynccontextmanager
async def _another(database_url: str) -> AsyncIterator[str]:
    """An empty database on the same server, for as long as the context lasts. Yields its address."""
    name = f"restored_{uuid.uuid4().hex}"
    connection = await fingerprint.connect(database_url)
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield make_url(database_url).set(database=name).render_as_string(hide_password=False)
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


def _development_or_seeded() -> Report:
    """Drill with the development database, or with one that has rows."""
    with database.development():
        url = os.environ["DATABASE_URL"]
        found = asyncio.run(fingerprint.read(url))
        if any(table.rows for name, table in found.tables.items() if name != "public.alembic_version"):
            return asyncio.run(drill(url, "development"))
    with postgres.temporary() as server, database.address(database.create(server, database.NAME)):
        url = os.environ["DATABASE_URL"]
        command.upgrade(database.alembic(), "heads")
        progress.show("filling …")
        asyncio.run(seed(url))
        return asyncio.run(drill(url, "seeded, because the development database is empty"))


def main() -> None:
    """Carry out the command."""
    environment.load(".env.example", ".env")
    try:
        report = _development_or_seeded()
    except KeyboardInterrupt:
        sys.exit("\nStopped. Nothing is left of it.")
    except (DumpError, postgres.PostgresError, rows.RowError, asyncpg.PostgresError, OSError) as error:
        sys.exit(str(error))
    REPORTS.mkdir(exist_ok=True)
    path = REPORTS / "restore-drill.json"
    path.write_text(report.model_dump_json(indent=2) + "\n")
    print(f"Database: {report.database}, at {', '.join(report.heads)}")
    print(
        f"Compared: {sum(report.rows.values())} rows of {len(report.rows)} tables by checksum, {report.sequences} "
        f"sequences, {report.definitions} definitions of columns, constraints, indexes, triggers, functions and rights"
    )
    print(f"Dumped {report.dump_bytes} bytes in {report.dump_seconds:.1f} s")
    print(
        f"RTO {report.rto_seconds:.1f} s: restored in {report.restore_seconds:.1f} s, "
        f"compared in {report.compare_seconds:.1f} s"
    )
    print(f"The report: {path.relative_to(environment.PROJECT)}")
    if report.problems:
        sys.exit("\n".join(["The restored database is not the one that was dumped:", *report.problems]))
    print("Nothing is missing, nothing is different.")


if __name__ == "__main__":
    main()
