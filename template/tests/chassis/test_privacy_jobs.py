"""Somebody is erased by a real worker, while others and they themselves go on, and while a job works on their data."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.chassis.data.engine import create_engine
from app.chassis.flags.models import FlagChange
from app.chassis.jobs.job import declared
from app.chassis.privacy import guard, inventory, jobs, requests, submission
from app.settings import Settings
from dev.environment import PROJECT
from tests.chassis.erasing import Watched, watch
from tests.chassis.process import START_SECONDS

pytestmark = pytest.mark.skipif(not inventory.read().is_begun, reason="no model of this service is annotated yet")


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Connections to this test's database, of a process that keeps to what the annotations say."""
    guard.begin()
    each = create_engine(settings)
    yield each
    await each.dispose()


@contextlib.contextmanager
def working(database_url: str, folder: Path) -> Iterator[Path]:
    """A worker in a process of its own, as long as the context lasts: its log."""
    log = folder / "log"
    environment = os.environ | {"DATABASE_URL": database_url, "TMPDIR": str(folder)}
    with log.open("wb") as out:
        command = [sys.executable, "-m", "tests.chassis.erasing"]
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=out, stderr=out)
    try:
        yield log
    finally:
        process.kill()
        process.wait()


@pytest.mark.row("law.erasure")
@pytest.mark.row("security.audit-trail")
async def test_somebody_who_goes_on_is_erased_while_a_job_works_on_their_data(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    with working(database_url, tmp_path) as log:
        await erase(engine, database_url, log)


async def erase(engine: AsyncEngine, database_url: str, log: Path) -> None:
    """Store, work and erase at the same time, and look what is left."""
    refused, ended, told = 0, False, log.read_text

    async def store(who: str) -> None:
        nonlocal refused
        number = 0
        while not ended:
            number += 1
            try:
                async with AsyncSession(engine) as session, session.begin():
                    session.add(FlagChange(name=f"{number}", enabled=True, changed_by=who, reason="-"))
            except guard.BeingErased:
                refused += 1
            await asyncio.sleep(0.01)

    database = await asyncpg.connect(database_url)

    async def until(condition: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not await database.fetchval(f"SELECT {condition}"):
            assert time.monotonic() < deadline, f"{condition}\n{told()}"
            await asyncio.sleep(0.02)

    load = [asyncio.create_task(store(who)) for who in ("ada", "ada", "eve")]
    async with AsyncSession(engine) as session, session.begin():
        await watch.enqueue(session, Watched(subject="ada"))
    await until("count(*) = 1 FROM flag_changes WHERE name = 'begun'")
    async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
        await watch.enqueue(session, Watched(subject="ada"), after=requests.QUIET)  # one that only waits
        await submission.submit(session, requests.Kind.ERASURE, "ada", by="operator")
    await asyncio.sleep(0.5)
    assert refused, "she went on, in vain"
    ended = True
    await asyncio.gather(*load)
    await until("count(*) = 1 FROM privacy_requests WHERE outcome = 'done'")

    assert not await database.fetchval("SELECT count(*) FROM flag_changes WHERE changed_by = 'ada'")
    assert not await database.fetchval("SELECT count(*) FROM privacy_requests WHERE subject = 'ada'")
    assert not await database.fetchval("SELECT count(*) FROM procrastinate_jobs WHERE args::text LIKE '%ada%'")
    assert await database.fetchval("SELECT count(*) FROM flag_changes WHERE changed_by = 'eve'")
    trail = await database.fetch("SELECT actor, action, object FROM audit_trail ORDER BY id")
    assert [row["action"] for row in trail] == ["personal data: erasure requested", "personal data: erasure done"]
    assert not [row for row in trail if "ada" in " ".join(row.values())], "the fact, and not whose"
    await database.close()


def test_the_last_pass_waits_for_the_slowest_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [each for each in declared().values() if each not in {jobs.carry_out, jobs.retain}]
    slowest = max([each.timeout_seconds for each in others], default=0)
    assert jobs._quiet() > requests.QUIET or slowest < requests.QUIET.total_seconds()  # noqa: SLF001
    monkeypatch.setattr(jobs, "declared", lambda: {"watch": watch})
    assert jobs._quiet() == requests.QUIET  # noqa: SLF001


@pytest.mark.row("law.retention")
def test_retention_is_on_the_schedule() -> None:
    assert declared()["privacy.retain"].cron
