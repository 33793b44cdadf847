"""Worker processes that are told to stop, are killed, or cannot begin: no job is lost, and none is done for nothing."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.data.engine import create_engine
from app.chassis.settings import STOP_SECONDS
from app.settings import Settings
from dev.environment import PROJECT
from tests.chassis import errand
from tests.chassis.errand import Errand
from tests.chassis.process import START_SECONDS


class Worker:
    """A worker in a process of its own."""

    def __init__(self, database_url: str, folder: Path) -> None:
        folder.mkdir()
        self.log = folder / "log"
        self.environment = os.environ | {"DATABASE_URL": database_url, "TMPDIR": str(folder)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.chassis.errand"],
                cwd=PROJECT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    async def started(self) -> None:
        """Wait until it takes jobs."""
        deadline = time.monotonic() + START_SECONDS
        while "started" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, "it did not start"
            await asyncio.sleep(0.02)

    async def ended(self) -> int:
        """Wait until it has ended. Returns its status."""
        return await asyncio.to_thread(self.process.wait, STOP_SECONDS)

    def is_healthy(self) -> bool:
        """Ask as the platform does."""
        command = [sys.executable, "-m", "app.chassis.jobs.healthy"]
        return subprocess.run(command, cwd=PROJECT, env=self.environment, check=False).returncode == 0


@contextlib.contextmanager
def working(database_url: str, folder: Path) -> Iterator[Worker]:
    """A worker, as long as the context lasts."""
    worker = Worker(database_url, folder)
    try:
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside the workers'."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(errand.TABLE)
    yield connection
    await connection.close()


async def enqueue(settings: Settings, *payloads: Errand) -> None:
    """Have these done."""
    engine = create_engine(settings)
    async with AsyncSession(engine) as session, session.begin():
        for payload in payloads:
            job = errand.halting if payload.note == "halfway" else errand.errand
            await job.enqueue(session, payload)
    await engine.dispose()


async def until(database: asyncpg.Connection, condition: str, *values: object) -> None:
    """Wait until the database says so."""
    deadline = time.monotonic() + START_SECONDS
    while not await database.fetchval(f"SELECT {condition}", *values):
        assert time.monotonic() < deadline, condition
        await asyncio.sleep(0.02)


BEGUN = "count(*) >= $1 FROM errands WHERE step = 'begun'"
DONE = "count(*) = $1 FROM procrastinate_jobs WHERE status = 'succeeded'"


@pytest.mark.row("run.shutdown")
@pytest.mark.row("run.health")
async def test_a_worker_that_is_told_to_stop_takes_no_more_finishes_and_exits_with_0(
    settings: Settings, database_url: str, database: asyncpg.Connection, tmp_path: Path
) -> None:
    places = settings.worker_concurrency
    await enqueue(settings, *(Errand(note=f"{number}", seconds=1.5) for number in range(places + 3)))
    with working(database_url, tmp_path / "a") as worker:
        await until(database, BEGUN, places)
        assert worker.is_healthy()
        worker.process.send_signal(signal.SIGTERM)
        assert await worker.ended() == 0
        log = worker.log.read_text()
    assert await database.fetchval("SELECT count(*) FROM errands WHERE step = 'done'") == places
    rows = await database.fetch("SELECT status::text, attempts, count(*) FROM procrastinate_jobs GROUP BY 1, 2")
    assert {tuple(row) for row in rows} == {("succeeded", 1, places), ("todo", 0, 3)}
    events = [event for event in ("started", "draining", "stopped") if event in log]
    assert events == ["started", "draining", "stopped"]
    assert len(log.splitlines()) == places + 3, "one line for each job, and no chatter"


@pytest.mark.row("run.restart")
async def test_a_killed_workers_job_is_done_once_more_and_no_other_is(
    settings: Settings, database_url: str, database: asyncpg.Connection, tmp_path: Path
) -> None:
    with working(database_url, tmp_path / "a") as first:
        await first.started()
        await enqueue(settings, *(Errand(note=f"{number}") for number in range(10)))
        await until(database, DONE, 10)
        await enqueue(settings, Errand(note="halfway", seconds=50))
        await until(database, BEGUN, 11)
        first.process.kill()
    with working(database_url, tmp_path / "b") as second:
        await until(database, DONE, 11)
        second.process.send_signal(signal.SIGTERM)
        assert await second.ended() == 0
        assert "job rescued" in second.log.read_text()
    begun = dict(await database.fetch("SELECT note, count(*) FROM errands WHERE step = 'begun' GROUP BY note"))
    assert begun == {f"{number}": 1 for number in range(10)} | {"halfway": 2}
    done = dict(await database.fetch("SELECT note, count(*) FROM errands WHERE step = 'done' GROUP BY note"))
    assert done == {f"{number}": 1 for number in range(10)} | {"halfway": 1}
