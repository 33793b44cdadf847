"""A feature is switched off and on while the service runs, and nothing fails when nobody can be asked."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus

import asyncpg
import pytest
from fastapi import APIRouter
from httpx2 import AsyncClient
from openfeature import api

from app.chassis.flags import __main__ as commands
from app.chassis.flags import provider
from app.chassis.flags.flag import Flag, while_on
from app.chassis.flags.provider import REFRESH_SECONDS
from app.chassis.security.permissions import public
from app.flags import flags
from app.settings import Settings
from tests.chassis.process import serving

pytestmark = pytest.mark.row("deliver.flags")

ON = Flag("probe.on", default=True, description="For tests.")
OFF = Flag("probe.off", default=False, description="For tests.")

router = APIRouter(dependencies=[public])


@router.post("/on", dependencies=[while_on(ON)])
async def guarded_on() -> None:
    """Be there unless switched off."""


@router.post("/off", dependencies=[while_on(OFF)])
async def guarded_off() -> None:
    """Be there if switched on."""


@pytest.fixture(autouse=True)
def routes(probe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve these routes, and look for changes often."""
    monkeypatch.setattr("app.main.routers", [router])
    monkeypatch.setattr(provider, "REFRESH_SECONDS", 0.05)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside the application's."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def put(database: asyncpg.Connection, flag: Flag, enabled: bool | None) -> None:
    """Flip a flag behind the service's back."""
    await database.execute(
        "INSERT INTO flag_changes (name, enabled, changed_by, reason) VALUES ($1, $2, 'test', 'test')",
        flag.name,
        enabled,
    )


async def states(client: AsyncClient) -> tuple[int, int]:
    """Call both routes."""
    return (await client.post("/on")).status_code, (await client.post("/off")).status_code


async def become(client: AsyncClient, expected: tuple[int, int]) -> bool:
    """Tell whether both routes answer like this, now or within two seconds."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if await states(client) == expected:
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_running_service_follows_within_the_interval(client: AsyncClient, database: asyncpg.Connection) -> None:
    assert REFRESH_SECONDS <= 10, "an operator in an incident waits for it"
    assert await states(client) == (200, 503)
    await put(database, ON, False)
    await put(database, OFF, True)
    assert await become(client, (503, 200))
    await put(database, ON, None)
    await put(database, OFF, False)
    assert await become(client, (200, 503)), "back to the default, and off again"


async def test_a_route_that_is_switched_off_says_so(settings: Settings, database: asyncpg.Connection) -> None:
    await put(database, ON, False)
    async with serving(settings) as client:
        answer = await client.post("/on")  # from the first request on
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["code"] == "switched_off"
    assert int(answer.headers["retry-after"]) > 0


async def test_a_service_that_starts_without_its_database_uses_the_defaults(
    settings_without_database: Settings,
) -> None:
    async with serving(settings_without_database) as client:
        assert await states(client) == (200, 503)


async def test_what_was_switched_stays_while_the_database_is_down(
    client: AsyncClient, database: asyncpg.Connection, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await put(database, ON, False)
    assert await become(client, (503, 503))

    name = await database.fetchval("SELECT current_database()")
    await database.close()
    administrator = await asyncpg.connect(f"{server}/postgres")
    await administrator.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    await administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    await asyncio.sleep(0.5)
    assert await states(client) == (503, 503)
    assert capsys.readouterr().out.count("background work fails") == 1, "said once, not at each turn"

    await administrator.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    await administrator.close()
    back = await asyncpg.connect(f"{server}/{name}")
    await put(back, ON, True)
    await back.close()
    assert await become(client, (200, 503))


async def test_requests_do_not_ask_the_database(
    client: AsyncClient, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def count(_: object) -> dict[str, object]:
        nonlocal asked
        asked += 1
        return {}

    monkeypatch.setattr("app.chassis.flags.store.latest", count)
    began = time.monotonic()
    for _ in range(50):
        await states(client)
    assert asked <= (time.monotonic() - began) / 0.045 + 1


def test_what_is_not_a_switch_gets_its_default() -> None:
    client = api.get_client()
    assert client.get_string_value("probe.on", "default") == "default"
    assert client.get_boolean_value("unheard.of", True) is True


def test_flags_are_declared_once_and_explained() -> None:
    names = [flag.name for flag in flags]
    assert len(names) == len(set(names))
    assert all(flag.description for flag in flags)


@pytest.fixture
def operate(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Awaitable[str]]:
    """Does what `python -m app.chassis.flags` does, with flags of our own. Returns what it printed."""
    monkeypatch.setattr(commands, "flags", [ON, OFF])

    async def run(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["flags", *words])
        capsys.readouterr()
        await asyncio.to_thread(commands.main)
        return capsys.readouterr().out

    return run


async def test_the_command_flips_shows_and_remembers_who_did_what_and_why(
    operate: Callable[..., Awaitable[str]],
) -> None:
    for value, who, state in [("off", "ada", "off since"), ("default", "grace", "on by default")]:
        assert "flag flipped" in await operate("flip", ON.name, value, "--by", who, "--reason", "incident 7")
        shown = await operate("show")
        assert f"probe.on: {state}" in shown
        assert "probe.off: off by default" in shown
    history = (await operate("history", ON.name)).splitlines()
    assert "default by grace: incident 7" in history[0]
    assert "off by ada: incident 7" in history[1]


async def test_the_command_refuses_names_that_are_not_declared(
    operate: Callable[..., Awaitable[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        await operate("flip", "probe.onn", "off", "--by", "ada", "--reason", "typo")
    assert stopped.value.code == 2
    assert "there is no flag 'probe.onn' in app.flags, only: probe.on, probe.off" in capsys.readouterr().err
