"""Connections are few: shared fairly, never held for long, and one that was lost hurts nobody twice."""

import asyncio
import itertools
import re
import threading
from http import HTTPStatus

import asyncpg
import pytest
from fastapi import APIRouter, FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import AsyncAdaptedQueuePool, Pool, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine

from app.chassis.data.address import async_url
from app.chassis.data.engine import create_engine
from app.chassis.data.failures import DatabaseUnavailableError
from app.chassis.data.pool import FairPool
from app.chassis.data.session import Session
from app.chassis.security.permissions import public
from app.chassis.settings import load
from app.main import build
from app.settings import Settings
from tests.chassis.gateway import gateway_of
from tests.chassis.process import serving

pytestmark = pytest.mark.row("data.pool")

router = APIRouter(dependencies=[public])


@router.get("/query")
async def query(session: Session, sql: str = "SELECT 1", before: str = "SELECT 1") -> str:
    """Run two statements in one transaction."""
    await session.execute(text(before))
    return str(await session.scalar(text(sql)))


@pytest.fixture(autouse=True)
def query_route(probe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve a route that runs what it is told."""
    monkeypatch.setattr("app.main.routers", [router])


def end_all_connections(url: str) -> None:
    """Do what a restart of the server does, and return when it is done: nobody else does anything meanwhile."""

    async def end() -> None:
        operator = await asyncpg.connect(url)
        await operator.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await operator.close()

    thread = threading.Thread(target=asyncio.run, args=(end(),))
    thread.start()
    thread.join()


async def overtakings(pool: type[Pool], url: str) -> int:
    """Let ten clients want one connection, again and again: how often did one get it who had asked later?"""
    engine = create_async_engine(async_url(url), poolclass=pool, pool_size=1, max_overflow=0)
    async with engine.connect():
        pass
    tickets = itertools.count()
    served: list[int] = []

    async def client(number: int) -> None:
        for turn in range(20):
            ticket = next(tickets)
            async with engine.connect():
                served.append(ticket)
            for _ in range((number + turn) % 4):
                await asyncio.sleep(0)

    await asyncio.gather(*(client(number) for number in range(10)))
    await engine.dispose()
    return sum(earlier > later for earlier, later in itertools.pairwise(served))


async def test_connections_go_to_those_who_waited_longest(database_url: str) -> None:
    assert await overtakings(FairPool, database_url) == 0
    assert await overtakings(AsyncAdaptedQueuePool, database_url) > 0, "SQLAlchemy's own is fair now: FairPool can go"


async def test_a_cancelled_or_failed_wait_gives_its_turn_back(settings: Settings) -> None:
    engine = create_engine(settings.model_copy(update={"database_pool_size": 1}))
    for _ in range(3):
        async with engine.connect():
            waiting = asyncio.create_task(engine.connect().start())
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
    async with asyncio.timeout(1), engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


async def test_who_waits_too_long_for_a_connection_reads_503(
    app: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = app.state.engine
    monkeypatch.setattr(engine.pool, "_timeout", 0.05)
    held = [await engine.connect().start() for _ in range(engine.pool.size())]
    answer = await client.get("/query")
    for connection in held:
        await connection.close()

    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["code"] == "database_unavailable"
    assert int(answer.headers["retry-after"]) > 0
    assert (await client.get("/query")).status_code == HTTPStatus.OK


@pytest.mark.parametrize("setting", ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"])
async def test_timeouts_are_set_and_reset_returns_to_them(settings: Settings, setting: str) -> None:
    engine = create_engine(settings)
    async with engine.connect() as connection:
        first = await connection.scalar(text(f"SHOW {setting}"))
        await connection.execute(text(f"SET {setting} = 0"))
        await connection.execute(text("RESET ALL"))
        assert await connection.scalar(text(f"SHOW {setting}")) == first
    await engine.dispose()
    assert first not in {"0", None}


async def test_a_statement_that_takes_too_long_is_ended_and_logged(
    client: AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = {"before": "SET LOCAL statement_timeout = '20ms'", "sql": "SELECT pg_sleep(5)"}
    answer = await client.get("/query", params=parameters)
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "statement timed out" in capsys.readouterr().out


async def use_all_connections(client: AsyncClient) -> None:
    """Leave as many connections in the pool as it takes."""
    await asyncio.gather(*(client.get("/query", params={"sql": "SELECT pg_sleep(0.05)"}) for _ in range(5)))


@pytest.mark.parametrize("heard", [True, False])
async def test_lost_connections_are_noticed_before_they_are_used(
    client: AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    monkeypatch.setattr("app.chassis.data.engine.TRUSTED_SECONDS", 60)  # however slow this machine is
    await use_all_connections(client)
    end_all_connections(database_url)
    if heard:  # by the event loop
        await asyncio.sleep(0.2)
    answers = await asyncio.gather(*(client.get("/query") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}


async def test_connections_that_vanished_without_a_word_are_noticed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.chassis.data.engine.TRUSTED_SECONDS", 0)
    async with gateway_of(settings) as (gateway, behind), serving(behind) as client:
        await use_all_connections(client)
        gateway.forget()
        answers = await asyncio.gather(*(client.get("/query") for _ in range(20)))
    assert len(gateway.forgotten) >= 5
    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}


async def test_asking_whether_a_connection_lives_is_not_paid_for_by_every_request(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def ping(connection: object) -> None:
        asked.append(connection)

    monkeypatch.setattr(AsyncAdapt_asyncpg_connection, "ping", ping)
    monkeypatch.setattr("app.chassis.data.engine.TRUSTED_SECONDS", 60)
    for _ in range(20):
        assert (await client.get("/query")).status_code == HTTPStatus.OK
    assert not asked
    monkeypatch.setattr("app.chassis.data.engine.TRUSTED_SECONDS", 0)
    assert (await client.get("/query")).status_code == HTTPStatus.OK
    assert asked


async def test_a_connection_lost_in_the_middle_is_503_and_the_next_request_works(
    client: AsyncClient, database_url: str
) -> None:
    request = asyncio.create_task(client.get("/query", params={"sql": "SELECT pg_sleep(5)"}))
    await asyncio.sleep(0.2)
    end_all_connections(database_url)
    answer = await request
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["code"] == "database_unavailable"
    assert (await client.get("/query")).status_code == HTTPStatus.OK


async def test_a_server_that_does_not_answer_is_given_up_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.chassis.data.engine.COMMAND_TIMEOUT_SECONDS", 0.1)
    engine = create_engine(settings)
    async with engine.connect() as connection:
        with pytest.raises(DatabaseUnavailableError):
            await connection.execute(text("SELECT pg_sleep(5)"))
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


async def test_without_a_database_requests_read_503(settings_without_database: Settings) -> None:
    application = build(settings_without_database)
    async with (
        application.router.lifespan_context(application),
        AsyncClient(transport=ASGITransport(application), base_url="http://localhost") as client,
    ):
        async with asyncio.timeout(3):  # none waits for a connection that another failed to make
            answers = await asyncio.gather(*(client.get("/query") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {HTTPStatus.SERVICE_UNAVAILABLE}
    assert all(answer.headers["retry-after"] for answer in answers)
    assert all("127.0.0.1" not in answer.text for answer in answers)


async def test_a_defect_is_not_called_unavailable(settings: Settings) -> None:
    engine = create_engine(settings)
    async with engine.connect() as connection:
        with pytest.raises(ProgrammingError):
            await connection.execute(text("SELECT * FROM no_such_table"))
    await engine.dispose()


@pytest.mark.parametrize(("size", "replicas", "connections"), [(5, 10, 59), (100, 1, 100)])
def test_a_pool_that_the_database_cannot_carry_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], size: int, replicas: int, connections: int
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@localhost/none")
    monkeypatch.setenv("DATABASE_POOL_SIZE", str(size))
    monkeypatch.setenv("MAX_REPLICAS", str(replicas))
    monkeypatch.setenv("DATABASE_MAX_CONNECTIONS", str(connections))
    monkeypatch.setenv("PORT", "none")
    with pytest.raises(SystemExit):
        load(Settings)
    told = capsys.readouterr().err
    assert least(told) >= size * replicas + 10
    assert "PORT" in told, "it is listed with the other problems"


def least(told: str) -> int:
    """Return how many connections the server has to have."""
    found = re.search(r"at least (\d+)", told)
    assert found, told
    return int(found[1])


def test_a_pool_that_fits_starts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@localhost/none")
    monkeypatch.setenv("MAX_REPLICAS", "10")
    monkeypatch.setenv("DATABASE_MAX_CONNECTIONS", "1")
    with pytest.raises(SystemExit):
        load(Settings)
    enough = least(capsys.readouterr().err)
    monkeypatch.setenv("DATABASE_MAX_CONNECTIONS", str(enough))
    assert load(Settings).max_replicas == 10
    monkeypatch.setenv("DATABASE_MAX_CONNECTIONS", str(enough - 1))
    with pytest.raises(SystemExit):
        load(Settings)
