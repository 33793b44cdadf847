"""People get their data, and have them erased, by themselves: whoever has just proven who they are, and nobody else."""

from http import HTTPStatus
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.flags.models import FlagChange
from app.chassis.privacy import holds, inventory, recent, requests
from app.chassis.security.audit.models import AuditEntry
from app.settings import Settings
from tests.conftest import Authorize

pytestmark = pytest.mark.skipif(not inventory.read().is_begun, reason="no model of this service is annotated yet")


@pytest.fixture
async def ada(app: FastAPI, authorize: Authorize) -> dict[str, str]:
    """The headers of somebody of whom there is something."""
    async with AsyncSession(app.state.engine) as session, session.begin():
        session.add_all(
            [FlagChange(name=f"of {who}", enabled=True, changed_by=who, reason="-") for who in ("ada", "eve")]
        )
    return await authorize("ada", "privacy:export", "privacy:erase")


async def finish(app: FastAPI, answer: Response) -> None:
    """Do what a job, or the background, would do."""
    async with AsyncSession(app.state.engine, expire_on_commit=False) as session, session.begin():
        await requests.carry_out(session, UUID(answer.json()["id"]))


async def actions(app: FastAPI, actor: str) -> list[str]:
    """Return what is written down of somebody."""
    async with AsyncSession(app.state.engine) as session:
        found = select(AuditEntry.action).where(AuditEntry.actor == actor).order_by(AuditEntry.id)
        return list(await session.scalars(found))


@pytest.mark.row("law.export")
@pytest.mark.row("security.audit-trail")
async def test_somebody_gets_their_own_data_as_json(
    app: FastAPI, client: AsyncClient, ada: dict[str, str], authorize: Authorize
) -> None:
    asked = await client.post("/privacy/exports", headers=ada)
    assert asked.status_code == HTTPStatus.ACCEPTED, asked.text
    await finish(app, asked)
    status = await client.get(f"/privacy/requests/{asked.json()['id']}", headers=ada)
    assert status.json() == asked.json() | {"status": "done"}
    archive = await client.get(asked.headers["location"], headers=ada)
    assert archive.status_code == HTTPStatus.OK
    assert archive.headers["cache-control"] == "no-store"
    assert [each["name"] for each in archive.json()["data"]["flag_changes"]] == ["of ada"]

    eve = await authorize("eve", "privacy:export")
    for path in (asked.headers["location"], f"/privacy/requests/{asked.json()['id']}", f"/privacy/exports/{uuid4()}"):
        assert (await client.get(path, headers=eve)).status_code == HTTPStatus.NOT_FOUND
    assert await actions(app, "ada") == ["personal data: export requested"]


@pytest.mark.row("law.erasure")
async def test_somebody_has_their_own_data_erased(app: FastAPI, client: AsyncClient, ada: dict[str, str]) -> None:
    asked = await client.post("/privacy/erasures", headers=ada)
    assert asked.status_code == HTTPStatus.ACCEPTED, asked.text
    assert asked.json()["status"] == "pending"
    assert (await client.post("/privacy/erasures", headers=ada)).json() == asked.json(), "asking again is the same"
    await finish(app, asked)
    async with AsyncSession(app.state.engine) as session:
        names = await session.scalars(select(FlagChange.changed_by).order_by(FlagChange.changed_by))
        assert names.all() == ["eve", "somebody"]
    assert (await client.get(asked.headers["location"], headers=ada)).json()["status"] == "pending"


@pytest.mark.row("law.erasure")
async def test_who_is_held_is_told_that_nothing_was_erased(
    app: FastAPI, client: AsyncClient, ada: dict[str, str]
) -> None:
    async with AsyncSession(app.state.engine) as session, session.begin():
        await holds.place(session, "ada", by="dpo", reason="case 7")
    refused = await client.post("/privacy/erasures", headers=ada)
    assert (refused.status_code, refused.json()["code"]) == (HTTPStatus.CONFLICT, "legal_hold")
    assert "case 7" not in refused.text
    async with AsyncSession(app.state.engine) as session:
        assert await session.scalar(select(func.count()).where(FlagChange.changed_by == "ada")) == 1
    assert await actions(app, "ada") == ["personal data: erasure requested"], "that it was asked for stays written down"


ROUTES = [("POST", "/privacy/exports"), ("POST", "/privacy/erasures"), ("GET", f"/privacy/exports/{UUID(int=7)}")]


@pytest.mark.row("security.authn")
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_identity_is_proven_anew(
    client: AsyncClient, ada: dict[str, str], monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    monkeypatch.setattr(recent, "MAX_AGE_SECONDS", -1)
    refused = await client.request(method, path, headers=ada)
    assert (refused.status_code, refused.json()["code"]) == (
        HTTPStatus.UNAUTHORIZED,
        "insufficient_user_authentication",
    )
    assert "max_age=" in refused.headers["www-authenticate"]


@pytest.mark.row("security.authz")
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_has_its_permission(client: AsyncClient, authorize: Authorize, method: str, path: str) -> None:
    other = await authorize("ada", "privacy:erase" if "exports" in path else "privacy:export")
    assert (await client.request(method, path, headers=other)).json()["code"] == "permission_missing"
    del client.headers["Authorization"]
    assert (await client.request(method, path)).status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.row("security.rate-limit")
async def test_there_is_a_strict_limit(client: AsyncClient, ada: dict[str, str]) -> None:
    statuses = [(await client.post("/privacy/exports", headers=ada)).status_code for _ in range(6)]
    assert statuses == [HTTPStatus.ACCEPTED] * 5 + [HTTPStatus.TOO_MANY_REQUESTS]


@pytest.mark.row("security.authn")
@pytest.mark.parametrize("logged_in_at", [None, "now", 0])
async def test_a_token_has_to_say_when_its_owner_logged_in(
    client: AsyncClient, settings: Settings, logged_in_at: object
) -> None:
    oidc = pytest.importorskip("dev.oidc", reason="keys are no tokens")
    claims = {"aud": vars(settings)["oidc_audience"], "sub": "ada", "scope": "privacy:export"}
    token = oidc.Issuer(vars(settings)["oidc_issuer"], oidc.own_key()).sign(claims | {"auth_time": logged_in_at})
    refused = await client.post("/privacy/exports", headers={"Authorization": f"Bearer {token}"})
    assert refused.json()["code"] == "insufficient_user_authentication"
