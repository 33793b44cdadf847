"""Who sends no good token is told so as RFC 6750 asks for, and nothing of the token is written down."""

from http import HTTPStatus

import pytest
from httpx2 import AsyncClient

from app.settings import Settings
from tests.chassis.guarded import router
from tests.chassis.process import serving
from tests.conftest import Authorize

pytestmark = pytest.mark.row("security.authn")


@pytest.fixture(autouse=True)
def guarded(probe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the guarded routes."""
    monkeypatch.setattr("app.main.routers", [router])


@pytest.fixture
def anonymous(client: AsyncClient) -> AsyncClient:
    """A client that says nothing about itself."""
    del client.headers["Authorization"]
    return client


@pytest.mark.parametrize("sent", [None, "Basic YWRhOnB3", "hello", ""])
async def test_without_a_token(anonymous: AsyncClient, sent: str | None) -> None:
    answer = await anonymous.get("/guarded", headers={} if sent is None else {"Authorization": sent})
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.json()["code"] == "token_missing"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["", "two words", "é", "x" * 8193, "x" * 8000, "a.b.c", "...", "key_", "null"])
async def test_with_what_is_no_token(anonymous: AsyncClient, token: str) -> None:
    answer = await anonymous.get("/guarded", headers={b"Authorization": f"Bearer {token}".encode()})
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.json()["code"] == "invalid_token"
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token", error_description="')


async def test_with_two_tokens(anonymous: AsyncClient, authorization_headers: dict[str, str]) -> None:
    both = [*authorization_headers.items(), *authorization_headers.items()]
    assert (await anonymous.get("/guarded", headers=both)).status_code == HTTPStatus.UNAUTHORIZED


async def test_the_scheme_has_no_case(anonymous: AsyncClient, authorization_headers: dict[str, str]) -> None:
    headers = {"Authorization": authorization_headers["Authorization"].replace("Bearer", "bEARER")}
    assert (await anonymous.get("/guarded", headers=headers)).json() == "tester"


async def test_public_routes_take_everybody(anonymous: AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        assert (await anonymous.get("/guarded/open", headers=headers)).status_code == HTTPStatus.OK


@pytest.mark.row("security.authz")
async def test_a_caller_may_do_what_the_token_says_and_no_more(anonymous: AsyncClient, authorize: Authorize) -> None:
    ada = await authorize("ada", "guarded:read")
    assert (await anonymous.get("/guarded", headers=ada)).json() == "ada"
    assert (await anonymous.get("/guarded/known", headers=ada)).json() == ["guarded:read"]

    refused = await anonymous.post("/guarded", headers=ada)
    assert refused.status_code == HTTPStatus.FORBIDDEN
    assert refused.json()["code"] == "permission_missing"
    assert refused.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="guarded:write"'

    both = await authorize("ada", "guarded:read", "guarded:write")
    assert (await anonymous.post("/guarded", headers=both)).json() == "ada"


async def test_tokens_are_never_logged(
    authorize: Authorize, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    good = await authorize("lovelace")
    bad = {"Authorization": f"{good['Authorization'][:-8]}AAAAAAAA"}
    async with serving(settings.model_copy(update={"log_level": "debug"})) as client:
        for headers in (good, bad):
            await client.get("/guarded/known", headers=headers)
            await client.get("/guarded", headers=headers)
    logged = capsys.readouterr().out
    assert "/guarded" in logged
    assert not any(part in logged for part in good["Authorization"].removeprefix("Bearer ").split("."))
    assert "lovelace" not in logged


async def test_the_document_says_which_routes_need_a_token(client: AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert paths["/guarded"]["get"]["security"] == [{"bearer": []}]
    assert "security" not in paths["/guarded/open"]["get"]
