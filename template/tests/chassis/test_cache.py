"""What is read often is read from Valkey, and nobody notices when Valkey is gone."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Annotated

import asyncpg
import pytest
from fastapi import APIRouter, Depends, Request
from httpx2 import AsyncClient
from pydantic import BaseModel, ValidationError
from pydantic_core import Url
from sqlalchemy import text

from app.chassis.data import cache
from app.chassis.data.cache import Cache, SharedCache
from app.chassis.data.session import Session
from app.chassis.data.valkey import connected
from app.chassis.security.permissions import public
from app.chassis.settings import load
from app.settings import Settings
from dev import valkey
from tests.chassis.process import serving

pytestmark = pytest.mark.row("data.cache")

CROWD = 50
PASSWORD = "of-the-tests"  # noqa: S105

router = APIRouter(prefix="/thing", dependencies=[public])
reads = 0


class Thing(BaseModel):
    """What is read."""

    value: int


async def slowness(request: Request) -> float:
    """How long the database takes, in seconds."""
    return float(request.headers.get("slowness", "0"))


@router.get("")
async def read(session: Session, cache: SharedCache, seconds: Annotated[float, Depends(slowness)]) -> Thing | None:
    """Read through the cache."""

    async def load() -> Thing | None:
        global reads  # noqa: PLW0603
        reads += 1
        value = await session.scalar(text("SELECT value FROM thing"))
        await asyncio.sleep(seconds)
        return None if value is None else Thing(value=value)

    return await cache.get("thing", Thing, load, seconds=60)


@router.post("/{value}")
async def write(value: int, session: Session, cache: SharedCache) -> None:
    """Change it."""
    cache.forget(session, "thing")
    await session.execute(text("UPDATE thing SET value = :value"), {"value": value})
    if value < 0:
        raise ValueError(value)


class Server:
    """A Valkey that can die and come back."""

    def __init__(self) -> None:
        self.port = valkey.free_port()
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"valkey://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Come to life, remembering nothing."""
        self.process = valkey.start(self.port, PASSWORD)

    def kill(self) -> None:
        """Die at once."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server_of_cache() -> Iterator[Server]:
    """A Valkey of this test's own."""
    each = Server()
    yield each
    each.kill()


@pytest.fixture
async def own(settings: Settings, server_of_cache: Server, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings, with that Valkey, which is looked for often when it is gone."""
    monkeypatch.setattr("app.main.routers", [router])
    monkeypatch.setattr(cache, "PAUSE_SECONDS", 0.1)
    monkeypatch.setenv("VALKEY_URL", server_of_cache.url)
    monkeypatch.setattr("tests.chassis.test_cache.reads", 0)
    return load(Settings)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside the application's, to a database with the thing in it."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE thing (value integer NOT NULL); INSERT INTO thing VALUES (1)")
    yield connection
    await connection.close()


@pytest.fixture
async def client(own: Settings, database: asyncpg.Connection) -> AsyncIterator[AsyncClient]:
    """A client of a service with these routes."""
    async with serving(own) as each:
        yield each


async def value(client: AsyncClient, slowness: float = 0) -> int:
    """What a client reads."""
    answer = await client.get("/thing", headers={"slowness": str(slowness)})
    assert answer.status_code == HTTPStatus.OK, answer.text
    read: int = answer.json()["value"]
    return read


async def test_the_second_read_does_not_ask_the_database(client: AsyncClient, database: asyncpg.Connection) -> None:
    assert [await value(client) for _ in range(3)] == [1, 1, 1]
    assert reads == 1
    await database.execute("UPDATE thing SET value = 2")
    assert await value(client) == 1, "it was behind the service's back"


async def test_what_is_not_there_is_not_kept(client: AsyncClient, database: asyncpg.Connection) -> None:
    await database.execute("DELETE FROM thing")
    assert (await client.get("/thing")).json() is None
    await database.execute("INSERT INTO thing VALUES (3)")
    assert await value(client) == 3


async def test_every_read_after_a_write_sees_it_on_every_replica(client: AsyncClient, own: Settings) -> None:
    async with serving(own) as replica:
        assert [await value(client), await value(replica)] == [1, 1]
        for written in (2, 3):
            await client.post(f"/thing/{written}")
            assert [await value(client), await value(replica)] == [written, written]


async def test_what_was_rolled_back_is_not_forgotten(client: AsyncClient) -> None:
    await value(client)
    assert (await client.post("/thing/-1")).status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert await value(client) == 1
    assert reads == 1


async def test_a_slow_reader_cannot_put_the_old_value_back(client: AsyncClient, own: Settings) -> None:
    async with serving(own) as replica:
        slow = [asyncio.create_task(value(each, 0.4)) for each in (client, replica)]
        await asyncio.sleep(0.2)
        await client.post("/thing/2")
        assert [await value(client), await value(replica)] == [2, 2], "nor share it with those who come later"
        await asyncio.gather(*slow)
        assert [await value(client), await value(replica)] == [2, 2]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time enough for a busy machine, where it is not time that is tested."""
    monkeypatch.setattr("app.chassis.data.cache.TIMEOUT_SECONDS", 30)
    monkeypatch.setattr("app.chassis.data.cache.LOAD_SECONDS", 30)
    monkeypatch.setattr("app.chassis.data.valkey.TIMEOUT_SECONDS", 30)


@pytest.mark.usefixtures("patience")
async def test_a_crowd_asks_the_database_once(client: AsyncClient, own: Settings) -> None:
    async with serving(own) as replica:
        crowd = [value((client, replica)[number % 2], 0.1) for number in range(CROWD)]
        assert set(await asyncio.gather(*crowd)) == {1}
    assert reads == 1


@pytest.mark.usefixtures("patience")
async def test_a_crowd_waits_for_its_own_reader_however_long_it_takes(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "LOAD_SECONDS", 0.05)
    assert set(await asyncio.gather(*(value(client, 0.3) for _ in range(CROWD)))) == {1}
    assert reads == 1


async def test_a_crowd_whose_reader_gives_up_goes_on(client: AsyncClient) -> None:
    first = asyncio.create_task(value(client, 0.3))
    await asyncio.sleep(0.1)
    crowd = [asyncio.create_task(value(client, 0.1)) for _ in range(10)]
    await asyncio.sleep(0.1)
    first.cancel()
    assert set(await asyncio.gather(*crowd)) == {1}
    assert reads == 2


async def test_a_crowd_whose_reader_fails_reads_why(client: AsyncClient, database: asyncpg.Connection) -> None:
    await database.execute("ALTER TABLE thing RENAME TO nothing")
    answers = await asyncio.gather(*(client.get("/thing") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {HTTPStatus.INTERNAL_SERVER_ERROR}
    await database.execute("ALTER TABLE nothing RENAME TO thing")
    assert await value(client) == 1


async def test_values_of_another_release_are_not_used(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    await value(client)
    monkeypatch.setattr(Thing, "model_validate_json", lambda _: Thing.model_validate({"value": "unreadable"}))
    assert await value(client) == 1
    assert reads == 2


async def test_it_serves_while_valkey_is_killed_and_comes_back(
    client: AsyncClient, own: Settings, server_of_cache: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = asyncio.Event()
    longest = 0.0

    async def read_all_the_time() -> None:
        nonlocal longest
        while not stop.is_set():
            began = asyncio.get_running_loop().time()
            await value(client)
            longest = max(longest, asyncio.get_running_loop().time() - began)
            await asyncio.sleep(0)

    readers = [asyncio.create_task(read_all_the_time()) for _ in range(5)]
    for written in range(2, 12):
        if written == 5:
            server_of_cache.kill()
        if written == 8:
            server_of_cache.start()
        await client.post(f"/thing/{written}")
        assert await value(client) == written
        await asyncio.sleep(0.1)
    stop.set()
    await asyncio.gather(*readers)
    assert longest < 2

    for _ in range(50):
        before = reads
        await value(client)
        if reads == before:
            break
        await asyncio.sleep(0.05)
    said = capsys.readouterr().out
    # On a busy machine a command of before may fail after it was back. A line for each reader would be hundreds.
    assert 1 <= said.count("cache does not answer") == said.count("cache is back") <= 3


async def test_what_changed_while_valkey_was_out_of_sight_is_forgotten_when_it_is_back(
    client: AsyncClient, server_of_cache: Server
) -> None:
    assert await value(client) == 1
    server_of_cache.process.send_signal(signal.SIGSTOP)  # it keeps what it has, and does not answer
    await client.post("/thing/2")
    assert await value(client) == 2
    server_of_cache.process.send_signal(signal.SIGCONT)
    for _ in range(20):
        assert await value(client) == 2
        await asyncio.sleep(0.05)


async def test_a_start_without_valkey(own: Settings, server_of_cache: Server, database: asyncpg.Connection) -> None:
    server_of_cache.kill()
    async with serving(own) as client:
        assert await value(client) == 1
        assert (await client.get("/health/ready")).status_code == HTTPStatus.OK


async def test_the_way_to_valkey_is_encrypted_outside_development(own: Settings) -> None:
    for environment, url, good in [
        ("development", "valkey://cache:6379/0", True),
        ("staging", "valkey://cache:6379/0", False),
        ("production", "valkeys://cache:6379/0", True),
        ("development", "redis://cache:6379/0", False),
    ]:
        values = {"environment": environment, "valkey_url": url}
        try:
            type("Some", (Settings,), {})(**(own.model_dump() | values))
            said = ""
        except ValidationError as error:
            said = str([each["loc"] for each in error.errors()])
        assert ("valkey_url" in said) is not good, (environment, url, said)
    async with connected(own.model_copy(update={"valkey_url": Url("valkeys://localhost:1/0")})) as client:
        assert client.connection_pool.connection_kwargs["ssl_check_hostname"] is True
        assert Cache(client)
