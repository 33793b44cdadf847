"""Pages of listed origins may call the service, and it answers to its own names only."""

from http import HTTPStatus

import pytest
from httpx2 import AsyncClient

from app.settings import Settings
from tests.chassis.process import serving

PAGE = "https://shop.example.com"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}

pytestmark = pytest.mark.row("security.cors")


async def test_closed_by_default(client: AsyncClient) -> None:
    for answer in (
        await client.get("/probe", headers={"Origin": PAGE}),
        await client.options("/probe", headers=PREFLIGHT | {"Origin": PAGE}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_only_listed_origins_may_read_answers_and_failures(settings: Settings) -> None:
    async with serving(settings.model_copy(update={"cors_origins": (PAGE,)})) as client:
        for path in ("/probe", "/probe/nowhere", "/probe/fails"):
            listed = await client.get(path, headers={"Origin": PAGE})
            assert listed.headers["access-control-allow-origin"] == PAGE, path
            assert "access-control-allow-credentials" not in listed.headers
            for other in (f"{PAGE}.evil.example", "http://shop.example.com", "null", "*"):
                refused = await client.get(path, headers={"Origin": other})
                assert "access-control-allow-origin" not in refused.headers

        asked = await client.options("/probe", headers=PREFLIGHT | {"Origin": PAGE})
        assert asked.status_code == HTTPStatus.OK
        assert asked.headers["access-control-allow-origin"] == PAGE
        refused = await client.options("/probe", headers=PREFLIGHT | {"Origin": "https://evil.example"})
        assert (refused.status_code, refused.json()["code"]) == (HTTPStatus.BAD_REQUEST, "cors_refused")
        assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("api.example.com", True),
        ("API.example.com:8443", True),
        ("eu.shop.example", True),
        ("shop.example", False),
        ("api.example.com.evil.example", False),
        ("evilapi.example.com", False),
        ("api.example.com:port", False),
        ("user@api.example.com", False),
        ("10.0.0.7", False),
        ("", False),
    ],
)
async def test_only_known_hosts(settings: Settings, host: str, known: bool) -> None:
    async with serving(settings.model_copy(update={"trusted_hosts": ("api.example.com", "*.shop.example")})) as client:
        answer = await client.get("/probe", headers={"Host": host})
        if known:
            assert answer.status_code == HTTPStatus.OK
        else:
            assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.BAD_REQUEST, "unknown_host")
        assert (await client.get("/health/live", headers={"Host": host})).status_code == HTTPStatus.OK, (
            "a load balancer calls by address"
        )


async def test_two_hosts_are_none(client: AsyncClient) -> None:
    answer = await client.get("/probe", headers=[("Host", "localhost"), ("Host", "localhost")])
    assert answer.json()["code"] == "unknown_host"
