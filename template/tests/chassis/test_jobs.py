"""Jobs are done, once each unless something breaks, and one that is bad harms no other."""

import asyncio
import contextlib
import json
import os
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
import structlog
from procrastinate.schema import SchemaManager
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from app import worker as entry
from app.chassis.data import roles
from app.chassis.data.engine import create_engine
from app.chassis.http.request_id import request_id
from app.chassis.jobs import __main__ as commands
from app.chassis.jobs import cleaning, healthy, numbers, outcome, queue, worker
from app.chassis.jobs.job import MAX_BYTES, PayloadTooLargeError, job, schedule
from app.chassis.jobs.schedules import BadScheduleError, Scheduler
from app.chassis.settings import LogLevel, load
from app.chassis.telemetry import logs
from app.settings import Settings
from tests.chassis import errand
from tests.chassis.errand import SCHEDULES, Errand

SECONDS = 20
"""How long a test waits for what takes a moment."""


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the jobs of `errand`, and wait for nothing longer than needed."""
    for module, name, value in errand.HURRIED:
        monkeypatch.setattr(module, name, value)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside the worker's."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(errand.TABLE)
    yield connection
    await connection.close()


@pytest.fixture
async def session(settings: Settings, database: asyncpg.Connection) -> AsyncIterator[AsyncSession]:
    """A session as a request has one. What it enqueues is there after its commit."""
    engine = create_engine(settings)
    async with AsyncSession(engine) as each:
        yield each
    await engine.dispose()


@contextlib.asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """A worker, within this process."""
    stop = asyncio.Event()
    task = asyncio.create_task(entry.run(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + SECONDS
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)


async def statuses(database: asyncpg.Connection) -> dict[str, int]:
    """Count the jobs by status."""
    rows = await database.fetch("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status")
    return dict(rows)


async def is_idle(database: asyncpg.Connection) -> bool:
    """Tell whether there is nothing left to do."""
    return not (await statuses(database)).keys() & {"todo", "doing"}


async def notes(database: asyncpg.Connection, step: str = "done") -> list[str]:
    """Return what was noted, in order."""
    return [row["note"] for row in await database.fetch("SELECT note FROM errands WHERE step = $1 ORDER BY at", step)]


async def put(database: asyncpg.Connection, name: str, args: str, queue: str = "default") -> None:
    """Write a job by hand, past all that would keep it out."""
    await database.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ($1, $2, $3)", queue, name, args
    )


async def test_a_job_is_enqueued_with_the_transaction_or_not_at_all(
    settings: Settings, session: AsyncSession, database: asyncpg.Connection
) -> None:
    await errand.errand.enqueue(session, Errand(note="rolled back"))
    await session.rollback()
    async with working(settings):
        await errand.errand.enqueue(session, Errand(note="kept"))
        await asyncio.sleep(0.3)
        assert await notes(database) == []
        await session.commit()
        await until(lambda: notes(database))
    assert await notes(database) == ["kept"]
    assert await statuses(database) == {"succeeded": 1}


@pytest.mark.row("error.poison")
async def test_one_bad_job_in_a_hundred_is_a_dead_letter_that_is_read_and_replayed(
    settings: Settings,
    session: AsyncSession,
    database: asyncpg.Connection,
    operate: Callable[..., Awaitable[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(100):
        await errand.errand.enqueue(session, Errand(note="bad" if number == 30 else f"good {number}"))
    await session.commit()
    async with working(settings):
        await until(lambda: is_idle(database))
    assert await statuses(database) == {"succeeded": 99, "failed": 1}
    assert len(await notes(database)) == 99
    assert (await notes(database, "begun")).count("bad") == 3, "it was tried again"

    listed = await operate("list")
    assert "errand: RuntimeError after 3 attempts" in listed
    assert "bad" not in listed
    id_ = listed.split()[0]
    shown = await operate("show", id_)
    assert "no luck with bad" in shown
    assert '"note": "bad"' in shown

    monkeypatch.setitem(errand.broken, "note", "repaired")
    assert "dead letters replayed" in await operate("replay", id_, "--by", "ada", "--reason", "fixed in 1.2")
    async with working(settings):
        await until(lambda: is_idle(database))
    assert (await notes(database))[-1] == "bad"
    assert "There are none." in await operate("list")
    assert f"{id_} errand replayed by ada: fixed in 1.2" in await operate("history")


@pytest.fixture
def operate(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Awaitable[str]]:
    """Does what `python -m app.chassis.jobs` does. Returns what it printed."""

    async def run(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["jobs", *words])
        capsys.readouterr()
        await asyncio.to_thread(commands.main)
        return capsys.readouterr().out

    return run


HUGE = json.dumps({"version": 1, "payload": {"note": "x" * 10_000_000}})
POISON = {
    "null for a string": '{"version": 1, "payload": {"note": null}}',
    "nothing for a string": '{"version": 1, "payload": {}}',
    "a member too many": '{"version": 1, "payload": {"note": "a", "other": 1}}',
    "an older version": '{"version": 0, "payload": {"note": "a"}}',
    "no version": '{"payload": {"note": "a"}}',
    "10 MB": HUGE,
    "an array": "[1, 2]",
    "a string": '"text"',
    "null": "null",
    "deep": '{"version": 1, "payload": {"note": ' + "[" * 5000 + "]" * 5000 + "}}",
    "a long number": '{"version": 1, "payload": {"note": "a"}, "context": ' + "9" * 5000 + "}",
    "a number for an id": '{"version": 1, "payload": {"note": "a"}, "context": {"request_id": 1}}',
}


@pytest.mark.row("error.poison")
async def test_malformed_jobs_harm_nobody(
    settings: Settings,
    session: AsyncSession,
    database: asyncpg.Connection,
    capsys: pytest.CaptureFixture[str],
    operate: Callable[..., Awaitable[str]],
) -> None:
    for args in POISON.values():
        await put(database, "errand", args)
    await put(database, "unheard.of", '{"version": 1, "payload": {}}', queue="elsewhere")
    await put(database, "renamed", '{"version": 3, "payload": {"note": "newer"}}')
    for one in (errand.hurried, errand.hopeless, errand.exits):
        await one.enqueue(session, Errand(note="poison", seconds=60))
    await errand.errand.enqueue(session, Errand(note="good"))
    await session.commit()
    capsys.readouterr()
    async with working(settings):
        await until(lambda: is_idle(database))
    assert await notes(database) == ["good"]
    assert await statuses(database) == {"succeeded": 1, "failed": len(POISON) + 5}
    attempts = dict(await database.fetch("SELECT task_name, max(attempts) FROM procrastinate_jobs GROUP BY task_name"))
    assert attempts["unheard.of"] > 1, "a newer release may have enqueued it"
    assert attempts["renamed"] > 1, "a newer release may have enqueued it"
    assert attempts["errand"] == attempts["hopeless"] == 1, "they will never be any better"
    told = capsys.readouterr().out
    assert "x" * 50 not in told
    assert len(told) < 100_000

    for name in attempts:
        await operate("discard", name, "--by", "ada", "--reason", "rubbish")
    assert await statuses(database) == {"succeeded": 1}


async def test_what_is_too_large_is_not_enqueued(session: AsyncSession) -> None:
    with pytest.raises(PayloadTooLargeError):
        await errand.errand.enqueue(session, Errand(note="x" * MAX_BYTES))


async def test_priorities_delays_and_limits(
    settings: Settings, session: AsyncSession, database: asyncpg.Connection
) -> None:
    for number in range(3):
        await errand.alone.enqueue(session, Errand(note=f"alone {number}", seconds=0.05))
    for number in range(6):
        await errand.errand.enqueue(session, Errand(note=f"{number}", seconds=0.05))
    await errand.urgent.enqueue(session, Errand(note="first"))
    await errand.errand.enqueue(session, Errand(note="later"), after=timedelta(seconds=1))
    await errand.errand.enqueue(session, Errand(note="locked 1", seconds=0.2), lock="door")
    await errand.errand.enqueue(session, Errand(note="locked 2"), lock="door")
    await session.commit()
    async with working(settings):
        await until(lambda: is_idle(database))
    done = await notes(database)
    assert done[0] == "first"
    due = await database.fetchval("SELECT max(scheduled_at) FROM procrastinate_jobs")
    assert await database.fetchval("SELECT at >= $1 FROM errands WHERE note = 'later' AND step = 'begun'", due)
    rows = await database.fetch("SELECT step, note FROM errands WHERE note LIKE 'alone%' ORDER BY at")
    assert [row["step"] for row in rows] == ["begun", "done"] * 3
    rows = await database.fetch("SELECT step FROM errands WHERE note LIKE 'locked%' ORDER BY at")
    assert [row["step"] for row in rows] == ["begun", "done"] * 2


async def test_what_is_logged_says_which_job_and_whose_request_and_nothing_it_carries(
    settings: Settings, session: AsyncSession, database: asyncpg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    token = request_id.set("the-request-of-ada")
    id_ = await errand.errand.enqueue(session, Errand(note="ada@example.com"))
    await errand.errand.enqueue(session, Errand(note="bad"))
    await session.commit()
    request_id.reset(token)
    logs.configure(settings.model_copy(update={"log_level": LogLevel.DEBUG}))
    capsys.readouterr()
    async with working(settings):
        await until(lambda: is_idle(database))
    told = capsys.readouterr().out
    logs.configure(settings)
    assert "ada@example.com" not in told
    assert "Starting job" not in told, "these are procrastinate's words"
    assert "ada@example.com" not in repr(queue.Fetched(1, "errand", 1, "ada@example.com", 1))
    done = next(line for line in told.splitlines() if "job done" in line)
    for fact in ("the-request-of-ada", "job=errand", f"job_id={id_}", "attempt=1"):
        assert fact in done
    failed = next(line for line in told.splitlines() if "job given up" in line)
    assert "the-request-of-ada" in failed
    assert "attempt=3" in failed


@pytest.mark.row("run.shutdown")
async def test_a_job_that_takes_longer_than_a_stop_may_is_put_back_at_once(
    settings: Settings, session: AsyncSession, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FINISH_SECONDS", 0.1)
    await errand.errand.enqueue(session, Errand(note="long", seconds=30))
    await session.commit()
    async with working(settings):
        await until(lambda: notes(database, "begun"))
        told = time.monotonic()
    assert time.monotonic() - told < 10
    assert await statuses(database) == {"todo": 1}
    assert await database.fetchval("SELECT count(*) FROM procrastinate_workers") == 0


async def cut_off(database: asyncpg.Connection, server: str, seconds: float) -> None:
    """Do what a restart of the server does to a database: end its connections, and take no new ones for a while."""
    name = await database.fetchval("SELECT current_database()")
    administrator = await asyncpg.connect(f"{server}/postgres")
    await administrator.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    await administrator.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> $2",
        name,
        database.get_server_pid(),
    )
    await asyncio.sleep(seconds)
    await administrator.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    await administrator.close()


@pytest.mark.row("run.restart")
async def test_a_database_that_restarts_costs_no_job_and_doubles_none(
    settings: Settings,
    session: AsyncSession,
    database: asyncpg.Connection,
    server: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the middle of one job, at the end of another, while one waits, and before one is enqueued."""
    for note, seconds in [("long", 1.5), ("ends meanwhile", 0.3)]:
        await errand.hasty.enqueue(session, Errand(note=note, seconds=seconds))
    await errand.errand.enqueue(session, Errand(note="waiting"), after=timedelta(seconds=0.5))
    await session.commit()
    await session.close()
    async with working(settings):
        await until(lambda: is_doing(database, 2))
        await cut_off(database, server, 1)
        await until(lambda: is_idle(database))
        await errand.errand.enqueue(session, Errand(note="after"))
        await session.commit()
        await until(lambda: is_idle(database))
    assert await statuses(database) == {"succeeded": 4}
    assert sorted(await notes(database)) == ["after", "waiting"]
    assert errand.hasty_runs == {"long": 1, "ends meanwhile": 1}
    told = capsys.readouterr().out
    assert told.count("queue unavailable") == told.count("queue is back") == 1, "said once, not at each turn"


@pytest.mark.row("run.restart")
async def test_a_worker_starts_without_its_database_and_begins_when_it_is_there(
    settings: Settings, session: AsyncSession, database: asyncpg.Connection, server: str
) -> None:
    await errand.errand.enqueue(session, Errand(note="waiting"))
    await session.commit()
    await session.close()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(cut_off(database, server, 0.5))
        await asyncio.sleep(0.2)
        async with working(settings):
            await until(lambda: is_idle(database))
    assert await notes(database) == ["waiting"]


@pytest.mark.row("run.shutdown")
async def test_a_worker_without_a_database_can_be_stopped(settings_without_database: Settings) -> None:
    async with asyncio.timeout(SECONDS), working(settings_without_database):
        await asyncio.sleep(0.2)


@pytest.mark.row("run.health")
def test_a_worker_is_healthy_while_its_loop_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healthy, "FILE", tmp_path / "alive")
    assert not healthy.is_alive()
    asyncio.run(healthy.touch())
    assert healthy.is_alive()
    os.utime(healthy.FILE, (time.time() - 61,) * 2)
    assert not healthy.is_alive()


async def is_doing(database: asyncpg.Connection, count: int) -> bool:
    """Tell whether so many jobs are being done."""
    return (await statuses(database)).get("doing", 0) == count


@pytest.mark.row("run.restart")
async def test_a_job_that_kills_its_worker_each_time_is_given_up(
    settings: Settings, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "STALLED_SECONDS", 0.3)
    dead = await database.fetchval(
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute') RETURNING id"
    )
    for note, attempts, whose in [("killer", 2, dead), ("victim", 0, dead), ("orphan", 0, None)]:
        await database.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts, worker_id)"
            " VALUES ('default', 'errand', $1, 'doing', $2, $3)",
            json.dumps({"version": 1, "payload": {"note": note}}),
            attempts,
            whose,
        )
    async with working(settings):
        await until(lambda: is_idle(database))
    assert sorted(await notes(database)) == ["orphan", "victim"]
    assert await statuses(database) == {"succeeded": 2, "failed": 1}
    assert await database.fetchval("SELECT reason FROM job_dead_letters") == "worker died"


async def test_a_worker_that_does_not_know_of_its_job_puts_it_back(
    settings: Settings, database: asyncpg.Connection
) -> None:
    """The answer to a fetch may be lost on its way, when the job is taken already."""
    async with working(settings):
        await until(lambda: database.fetchval("SELECT count(*) FROM procrastinate_workers"))
        await database.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, worker_id)"
            " SELECT 'default', 'errand', $1, 'doing', id FROM procrastinate_workers",
            json.dumps({"version": 1, "payload": {"note": "lost"}}),
        )
        await until(lambda: is_idle(database))
    assert await notes(database) == ["lost"]


@pytest.fixture
async def clock(database: asyncpg.Connection) -> Callable[[str], Awaitable[None]]:
    """Sets the database's clock, for connections made from now on: `await clock("12:00:30")`."""
    name = await database.fetchval("SELECT current_database()")
    await database.execute(
        """
        CREATE SCHEMA clock;
        CREATE TABLE clock.shift (shift interval NOT NULL);
        INSERT INTO clock.shift VALUES ('0');
        CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE
        AS 'SELECT pg_catalog.now() + shift FROM clock.shift';
        """
    )
    await database.execute(f"ALTER DATABASE {name} SET search_path = clock, pg_catalog, public")

    async def put(time: str) -> None:
        await database.execute(
            "UPDATE clock.shift SET shift = ('2026-11-21 ' || $1 || '+00')::timestamptz - pg_catalog.now()", time
        )

    return put


async def is_noted(database: asyncpg.Connection, due: str) -> bool:
    """Tell whether the scheduled job was done for that minute."""
    return due in await notes(database, "due")


@pytest.mark.row("monitor.schedule")
async def test_a_schedule_runs_once_however_many_workers_there_are_and_whatever_the_clock_does(
    settings: Settings,
    database: asyncpg.Connection,
    clock: Callable[[str], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def due() -> list[str]:
        return await notes(database, "due")

    monkeypatch.setattr(worker, "declared", lambda: SCHEDULES)
    await clock("12:00:30")
    engines = [create_engine(settings) for _ in range(3)]
    schedulers = [Scheduler(engine, SCHEDULES.values()) for engine in engines]

    async def look() -> None:
        await asyncio.gather(*(each.look() for each in schedulers))

    await look()
    await clock("12:01:30")
    await look()
    await look()
    schedulers[0] = Scheduler(engines[0], SCHEDULES.values())  # a restart
    await look()
    async with working(settings):
        await until(lambda: is_idle(database))
        assert await due() == ["12:01"], "and not 12:00, which was before it was known"
        await clock("12:00:40")  # the clock is put back, and is where it was again
        await look()
        await clock("12:01:30")
        await look()
        await clock("12:02:10")
        await until(lambda: is_noted(database, "12:02"))
    for _ in range(2):
        await clock("15:30:00.5")  # nobody was at work for hours
        await look()
    async with working(settings):
        await until(lambda: is_idle(database))
    assert await due() == ["12:01", "12:02", "15:30"]
    for engine in engines:
        await engine.dispose()


@pytest.mark.row("monitor.jobs")
@pytest.mark.row("monitor.schedule")
async def test_the_numbers_tell_of_waiting_jobs_dead_letters_and_missed_schedules(
    settings: Settings,
    session: AsyncSession,
    database: asyncpg.Connection,
    clock: Callable[[str], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "declared", lambda: errand.JOBS | SCHEDULES)
    engine = create_engine(settings)
    jobs = SCHEDULES.values()
    await clock("12:00:30")
    await Scheduler(engine, jobs).look()
    assert await numbers.read(engine, jobs) == numbers.Numbers(0, 0, 0, {"each_minute": 0})
    await errand.errand.enqueue(session, Errand(note="waits"))
    await errand.errand.enqueue(session, Errand(note="is not due"), after=timedelta(hours=1))
    await session.commit()
    await put(database, "errand", "{}")
    await clock("12:03:30")
    now = await numbers.read(engine, jobs)
    assert now.waiting == 1
    assert 175 < now.age_seconds < 180 + SECONDS
    assert 145 < now.late_seconds["each_minute"] < 150 + SECONDS, "since 12:01"
    async with working(settings):
        await until(lambda: database.fetchval("SELECT count(*) FROM errands WHERE step = 'due'"))
        await until(lambda: database.fetchval("SELECT count(*) FROM job_dead_letters"))
        await until(lambda: is_doing(database, 0))
    now = await numbers.read(engine, jobs)
    assert (now.waiting, now.age_seconds, now.dead_letters) == (0, 0, 1)
    assert now.late_seconds["each_minute"] < SECONDS
    await numbers.send(engine, jobs)
    assert numbers.DEAD_LETTERS.series[()] == 1
    with structlog.testing.capture_logs() as lines:
        await numbers.tell(engine, jobs)
    told = {"event": "jobs measured", "waiting": 0, "age_seconds": 0, "dead": 1, "missed": 0, "log_level": "info"}
    assert lines == [told], "alarms read these names"
    await engine.dispose()


async def test_jobs_that_are_done_are_deleted_after_a_day(
    settings: Settings, session: AsyncSession, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await errand.errand.enqueue(session, Errand(note="good"))
    await errand.hopeless.enqueue(session, Errand(note="a dead letter"))
    await session.commit()
    async with working(settings):
        await until(lambda: is_idle(database))
    engine = create_engine(settings)
    await cleaning.clean(engine)
    assert await statuses(database) == {"succeeded": 1, "failed": 1}
    await database.execute("UPDATE procrastinate_events SET at = at - interval '25 hours'")
    await cleaning.clean(engine)
    assert await statuses(database) == {"failed": 1}
    await engine.dispose()


def test_waits_grow_and_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "FIRST_WAIT_SECONDS", 4)
    longest = [max(outcome.wait(attempt).total_seconds() for _ in range(500)) for attempt in (1, 2, 3, 20, 2000)]
    assert [round(each / limit, 1) for each, limit in zip(longest, (4, 8, 16, 900, 900), strict=True)] == [1.0] * 5
    assert min(outcome.wait(9).total_seconds() for _ in range(500)) < 100


def test_what_is_declared_wrongly_does_not_start(
    settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.chassis.jobs.job._declared", dict(errand.JOBS))
    with pytest.raises(ValueError, match="two jobs named errand"):
        job("errand", timeout_seconds=1)(errand.errand.run)
    with pytest.raises(TypeError, match="takes a Payload"):

        @job("none", timeout_seconds=1)  # type: ignore[type-var]
        async def none(payload: int, work: object) -> None: ...

    bad = schedule("bad", "61 * * * *", timeout_seconds=1)(errand.each_minute.run)
    with pytest.raises(BadScheduleError, match="bad"):
        Scheduler(create_engine(settings_without_database), [bad])


@pytest.mark.row("data.pool")
def test_the_workers_connections_are_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@localhost/none")
    for name, value in {"DATABASE_POOL_SIZE": 5, "MAX_REPLICAS": 4, "WORKER_MAX_REPLICAS": 3}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("DATABASE_MAX_CONNECTIONS", "54")
    assert load(Settings)
    monkeypatch.setenv("DATABASE_MAX_CONNECTIONS", "53")
    with pytest.raises(SystemExit):
        load(Settings)
    assert "at least 54" in capsys.readouterr().err


async def test_a_worker_holds_no_more_connections_than_that(
    settings: Settings, session: AsyncSession, database: asyncpg.Connection
) -> None:
    for number in range(50):
        await errand.errand.enqueue(session, Errand(note=str(number)))
    await session.commit()
    most = 0
    async with working(settings.model_copy(update={"worker_concurrency": 20})), asyncio.timeout(SECONDS):
        while not await is_idle(database):
            most = max(
                most,
                await database.fetchval(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name <> ''"
                ),
            )
            await asyncio.sleep(0.01)
    assert settings.database_pool_size < most <= settings.database_pool_size + 3 + 1, "and the test's own"


PROCRASTINATES = """
    SELECT format('%s.%s %s %s', table_name, column_name, udt_name, column_default)
    FROM information_schema.columns WHERE table_name LIKE 'procrastinate%'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'procrastinate%' AND indexname NOT LIKE 'ix_%'
    UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid::regclass::text LIKE 'procrastinate%'
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname LIKE 'procrastinate%'
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger
        WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'procrastinate%'
    UNION ALL SELECT format('%s %s', enumtypid::regtype, enumlabel) FROM pg_enum
        WHERE enumtypid::regtype::text LIKE 'procrastinate%'
"""


@pytest.mark.row("data.migrations")
async def test_our_revisions_make_what_procrastinate_expects(database_url: str, empty_database_url: str) -> None:
    """Red where a newer procrastinate wants another schema: see migrations/chassis/jobs.py."""
    found = []
    for url, schema in [(database_url, "SELECT 1"), (empty_database_url, SchemaManager.get_schema())]:
        connection = await asyncpg.connect(url)
        await connection.execute(schema)
        found.append({" ".join(row[0].split()) for row in await connection.fetch(PROCRASTINATES)})
        await connection.close()
    ours, expected = found
    assert len(ours) > 50
    assert sorted(ours ^ expected) == []


@pytest.mark.row("data.deploy")
async def test_the_applications_role_uses_the_queue_and_cannot_change_it(
    settings: Settings, session: AsyncSession, database: asyncpg.Connection
) -> None:
    """With roles of this test's own, which have the rights of `app` and `migrator`."""
    names = {name: f"{name}_{uuid.uuid4().hex}" for name in ("app", "migrator")}
    await database.execute(re.sub(r"\b(app|migrator)\b", lambda found: names[found[0]], roles.ROLES))
    await database.execute(f"ALTER ROLE {names['app']} PASSWORD 'secret'")
    url = make_url(str(settings.database_url)).set(username=names["app"], password="secret")  # noqa: S106
    address = url.render_as_string(hide_password=False)
    await errand.errand.enqueue(session, Errand(note="good"))
    await errand.hopeless.enqueue(session, Errand(note="a dead letter"))
    await session.commit()
    async with working(settings.model_copy(update={"database_url": address})):
        await until(lambda: is_idle(database))
    assert await statuses(database) == {"succeeded": 1, "failed": 1}
    application = await asyncpg.connect(address)
    for forbidden in (
        "ALTER TABLE procrastinate_jobs ADD COLUMN other int",
        "DROP TABLE job_dead_letters",
        "TRUNCATE procrastinate_events",
        "ALTER TABLE procrastinate_jobs DISABLE TRIGGER ALL",
        "DROP FUNCTION procrastinate_fetch_job_v2",
        "ALTER TYPE procrastinate_job_status ADD VALUE 'lost'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(forbidden)
    await application.close()
    for name in names.values():
        await database.execute(f"DROP OWNED BY {name} CASCADE")
        await database.execute(f"DROP ROLE {name}")


@pytest.mark.row("log.quiet")
async def test_a_worker_without_work_says_nothing(
    settings: Settings,
    database: asyncpg.Connection,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "declared", lambda: errand.JOBS | SCHEDULES)
    monkeypatch.setattr(numbers, "MEASURE_SECONDS", 0.1)
    monkeypatch.setattr(cleaning, "CLEAN_SECONDS", 0.1)
    async with working(settings):
        await asyncio.sleep(0.3)
        capsys.readouterr()
        await asyncio.sleep(1)
        told = capsys.readouterr().out
    assert [line for line in told.splitlines() if "each_minute" not in line] == []
