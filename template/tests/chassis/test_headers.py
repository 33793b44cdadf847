"""Every answer carries the headers that make browsers careful, and none tells what it runs on."""

import re
from http import HTTPStatus

import pytest
from httpx2 import AsyncClient

from app.chassis.http.headers import SECURITY
from app.chassis.settings import Environment
from app.settings import Settings
from tests.chassis.process import serving

JSON = {"Content-Type": "application/json"}
PREFLIGHT = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}

pytestmark = pytest.mark.row("security.headers")


async def test_every_answer_has_them(settings: Settings) -> None:
    small = settings.model_copy(update={"max_body_bytes": 10, "cors_origins": ("https://example.com",)})
    async with serving(small) as client:
        answers = [
            await client.get("/probe"),
            await client.get("/health/live"),
            await client.get("/probe/nowhere"),
            await client.delete("/probe"),
            await client.get("/probe", headers={"Host": "unknown.example"}),
            await client.get("/probe/fails"),
            await client.post("/probe", content=b"{", headers=JSON),
            await client.post("/probe", content=b"{}", headers=JSON),
            await client.post("/probe", content=b"{}" * 10, headers=JSON),
            await client.options("/probe", headers=PREFLIGHT),
            await client.options("/probe", headers=PREFLIGHT | {"Origin": "https://unknown.example"}),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 405, 400, 500, 400, 422, 413, 200, 400]
    for answer in answers:
        for name, value in SECURITY:
            assert answer.headers.get_list(name.decode()) == [value.decode()], answer.request
        assert "server" not in answer.headers


def test_they_are_what_is_promised() -> None:
    headers = dict(SECURITY)
    age = re.search(rb"max-age=(\d+)", headers[b"strict-transport-security"])
    assert age
    assert int(age[1]) >= 31_536_000
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"content-security-policy"] == b"default-src 'none'; frame-ancestors 'none'"
    assert headers[b"cross-origin-opener-policy"] == b"same-origin"
    assert headers[b"cache-control"] == b"no-store"
    assert {b"referrer-policy", b"permissions-policy", b"cross-origin-resource-policy"} <= headers.keys()


async def test_what_a_route_says_of_caching_stands(client: AsyncClient) -> None:
    answer = await client.get("/probe/cached")
    assert answer.headers.get_list("cache-control") == ["max-age=60"]


async def test_the_documentation_works_in_development_and_is_nowhere_else(settings: Settings) -> None:
    async with serving(settings) as client:
        page = await client.get("/docs")
        assert page.status_code == HTTPStatus.OK
        policy = page.headers["content-security-policy"]
        for address in re.findall(r'(?:src|href)="(https://[^/"]+)', page.text):
            assert address in policy
        assert "frame-ancestors 'none'" in policy
        assert (await client.get("/openapi.json")).status_code == HTTPStatus.OK

    for environment in (Environment.STAGING, Environment.PRODUCTION):
        async with serving(settings.model_copy(update={"environment": environment})) as client:
            for path in ("/docs", "/redoc", "/openapi.json"):
                assert (await client.get(path)).status_code == HTTPStatus.NOT_FOUND
