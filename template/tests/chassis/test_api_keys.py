"""Keys that this service issues: they work until they expire or are revoked, and cannot be read from the database."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.security.api_keys import keys
from app.chassis.security.api_keys.models import ApiKey
from app.settings import Settings
from dev.environment import PROJECT
from tests.chassis.guarded import router
from tests.chassis.process import NOWHERE, serving

pytestmark = pytest.mark.row("security.authn")


@pytest.fixture(autouse=True)
def guarded(probe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the guarded routes."""
    monkeypatch.setattr("app.main.routers", [router])


@pytest.fixture
async def session(app: FastAPI) -> AsyncIterator[AsyncSession]:
    """A session that commits each statement."""
    async with AsyncSession(app.state.engine.execution_options(isolation_level="AUTOCOMMIT")) as each:
        yield each


async def issue(session: AsyncSession, subject: str = "billing", days: int = 1) -> str:
    key = await keys.issue(session, subject, ["guarded:read"], days)
    await session.flush()
    return key


async def call(client: AsyncClient, key: str) -> Response:
    return await client.get("/guarded", headers={"Authorization": f"Bearer {key}"})


async def test_a_key_names_its_client(client: AsyncClient, session: AsyncSession) -> None:
    old, new = await issue(session), await issue(session)
    for key in (old, new):
        answer = await call(client, key)
        assert (answer.status_code, answer.json()) == (HTTPStatus.OK, "billing")


async def test_a_revoked_key_is_useless_at_once(client: AsyncClient, session: AsyncSession) -> None:
    key, other = await issue(session), await issue(session)
    assert (await call(client, key)).status_code == HTTPStatus.OK
    assert await keys.revoke(session, key.split("_")[1])
    answer = await call(client, key)
    assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.UNAUTHORIZED, "invalid_token")
    assert (await call(client, other)).status_code == HTTPStatus.OK


async def test_a_key_expires(client: AsyncClient, session: AsyncSession) -> None:
    key = await issue(session)
    await session.execute(update(ApiKey).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    answer = await call(client, key)
    assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.UNAUTHORIZED, "expired_token")


async def test_half_a_key_is_none(client: AsyncClient, session: AsyncSession) -> None:
    key, other = await issue(session), await issue(session)
    _, prefix, secret = key.split("_")
    wrong = [
        f"key_{prefix}_{'0' * 64}",
        f"key_{other.split('_')[1]}_{secret}",
        f"key_{'0' * 12}_{secret}",
        f"key_{prefix}_{secret[:-1]}",
        f"key_{prefix.upper()}_{secret.upper()}",
        f"{prefix}_{secret}",
        secret,
    ]
    for each in wrong:
        answer = await call(client, each)
        assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.UNAUTHORIZED, "invalid_token"), each


async def test_the_database_does_not_hold_the_key(session: AsyncSession) -> None:
    key = await issue(session)
    stored = await session.scalar(text("SELECT api_keys::text FROM api_keys"))
    _, prefix, secret = key.split("_")
    assert prefix in stored
    assert not any(form in stored for form in (secret, secret.encode().hex()))  # as it is, and as bytea shows it
    assert keys.generate() != keys.generate()


async def test_its_use_is_noted_but_not_while_a_request_waits(
    settings: Settings, session: AsyncSession, statements: list[str]
) -> None:
    key = await issue(session)
    async with serving(settings) as client:
        assert (await call(client, key)).status_code == HTTPStatus.OK
        assert await session.scalar(select(ApiKey.last_used_at)) is None
    session.expire_all()
    assert await session.scalar(select(ApiKey.last_used_at)) is not None
    assert statements


async def test_without_the_database_we_cannot_tell(settings_without_database: Settings) -> None:
    assert str(settings_without_database.database_url) == NOWHERE
    async with serving(settings_without_database) as client:
        answer = await call(client, keys.generate())
        assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable")


async def test_keys_are_issued_listed_and_revoked_by_a_command(client: AsyncClient) -> None:
    async def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app.chassis.security.api_keys", *arguments]
        return await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, cwd=PROJECT / "src"
        )

    issued = await run("issue", "billing", "guarded:read", "guarded:write", "--days", "30")
    key = issued.stdout.strip()
    assert (await call(client, key)).json() == "billing"

    prefix = key.split("_")[1]
    listed = (await run("list")).stdout
    assert f"{prefix}  billing  guarded:read guarded:write  until 20" in listed
    assert key.split("_")[2] not in listed

    assert (await run("revoke", prefix)).returncode == 0
    assert (await call(client, key)).status_code == HTTPStatus.UNAUTHORIZED
    assert "revoked 20" in (await run("list")).stdout
    assert (await run("revoke", "0" * 12)).returncode == 1
