"""A client that calls too often is told when to come back, by whichever replica it asks."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from http import HTTPStatus

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from app.chassis.http.rate_limit import limiter
from app.chassis.http.rate_limit.limiter import Limiter, Policy
from app.chassis.http.rate_limit.middleware import EXPENSIVE, FAILURES
from app.chassis.http.rate_limit.store import store
from app.chassis.security import authentication
from app.main import build
from app.settings import Settings
from tests.chassis.guarded import router
from tests.chassis.process import serving
from tests.conftest import Authorize

pytestmark = pytest.mark.row("security.rate-limit")

READS, WRITES = 40, 20


@pytest.fixture(autouse=True)
def guarded(probe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the guarded routes."""
    monkeypatch.setattr("app.main.routers", [router])


@pytest.fixture
def strict(settings: Settings) -> Settings:
    """Settings with small quotas, behind one proxy."""
    return settings.model_copy(
        update={"rate_limit_reads": READS, "rate_limit_writes": WRITES, "trusted_proxies": 1, "database_pool_size": 3}
    )


@pytest.fixture
async def client(strict: Settings) -> AsyncIterator[AsyncClient]:
    """A client that says nothing about itself."""
    async with serving(strict) as each:
        yield each


async def called(client: AsyncClient, times: int, address: str = "198.51.100.7", path: str = "/guarded/open") -> int:
    """Return how many of these calls were answered well."""
    headers = {"X-Forwarded-For": address}
    answers = [await client.get(path, headers=headers) for _ in range(times)]
    assert {answer.status_code for answer in answers} <= {HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS}
    return sum(answer.status_code == HTTPStatus.OK for answer in answers)


async def test_beyond_the_quota(client: AsyncClient) -> None:
    assert await called(client, READS) == READS
    refused = await client.get("/guarded/open", headers={"X-Forwarded-For": "198.51.100.7"})
    assert refused.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert refused.json()["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["retry-after"]) <= limiter.WINDOW_SECONDS
    assert refused.headers["ratelimit-policy"] == f'"reads";q={READS};w=60'
    assert refused.headers["ratelimit"] == f'"reads";r=0;t={refused.headers["retry-after"]}'


async def test_answers_say_what_is_left(client: AsyncClient) -> None:
    for left in range(READS - 1, READS - 7, -1):
        answer = await client.get("/guarded/open")
        assert answer.headers["ratelimit-policy"] == f'"reads";q={READS};w=60'
        assert answer.headers["ratelimit"].startswith(f'"reads";r={left};t=')


async def test_failures_count_and_say_so_too(client: AsyncClient) -> None:
    answer = await client.get("/nowhere")
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert answer.headers["ratelimit"].startswith(f'"reads";r={READS - 1};')


async def test_writes_have_a_quota_of_their_own(client: AsyncClient) -> None:
    answers = [await client.post("/nowhere") for _ in range(WRITES + 1)]
    assert [answer.status_code for answer in answers] == [HTTPStatus.NOT_FOUND] * WRITES + [
        HTTPStatus.TOO_MANY_REQUESTS
    ]
    assert await called(client, 1) == 1


async def test_expensive_routes_have_a_quota_of_their_own(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.chassis.http.rate_limit.middleware.EXPENSIVE", Policy(EXPENSIVE.name, 3))
    assert await called(client, 5, path="/guarded/report") == 3
    answer = await client.get("/guarded/report", headers={"X-Forwarded-For": "198.51.100.7"})
    assert answer.headers["ratelimit-policy"] == f'"reads";q={READS};w=60, "expensive";q=3;w=60'
    assert ', "expensive";r=0;t=' in answer.headers["ratelimit"]
    assert answer.headers["retry-after"]
    assert await called(client, 1) == 1


async def test_another_client_is_not_concerned(client: AsyncClient) -> None:
    assert await called(client, READS + 1, "2001:db8:1:2::1") == READS
    assert await called(client, 1, "2001:db8:1:2:3:4:5:6") == 0
    assert await called(client, 1, "2001:db8:1:3::1") == 1


async def test_saying_that_one_is_another_does_not_help(client: AsyncClient) -> None:
    spoofed = [f"203.0.113.{number}, 198.51.100.7" for number in range(READS + 5)]
    assert sum([await called(client, 1, address) for address in spoofed]) == READS


async def test_health_checks_are_free(client: AsyncClient) -> None:
    assert await called(client, READS + 5, path="/health/live") == READS + 5
    assert "ratelimit" not in (await client.get("/health/live")).headers


@pytest.fixture
async def replicas(strict: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[AsyncClient]]:
    """Clients of two processes' worth of the service on one database, which is given time on a slow machine."""
    monkeypatch.setattr(limiter, "STORE_TIMEOUT_SECONDS", 20)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(strict)) for _ in range(2)]


async def test_replicas_share_the_quota(replicas: list[AsyncClient]) -> None:
    share = READS // limiter.SHARE
    allowed = sum([await called(replicas[number % 2], 1) for number in range(READS * 2)])
    assert READS - share <= allowed <= READS
    assert await called(replicas[0], 1) == await called(replicas[1], 1) == 0


async def test_replicas_share_it_at_the_same_moment(replicas: list[AsyncClient]) -> None:
    crowd = [asyncio.create_task(called(client, 5)) for _ in range(15) for client in replicas]
    assert READS - READS // limiter.SHARE <= sum(await asyncio.gather(*crowd)) <= READS


async def test_a_crowd_in_one_replica_takes_one_share_at_a_time(strict: Settings) -> None:
    application = build(strict)
    async with application.router.lifespan_context(application):
        crowd = (application.state.limiter.charge(Policy("reads", READS), "caller ada") for _ in range(READS * 2))
        standings = await asyncio.gather(*crowd)
    assert sum(not each.refused for each in standings) == READS


async def test_the_quota_comes_back(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "WINDOW_SECONDS", 1)
    assert await called(client, READS + 1) == READS
    answer = await client.get("/guarded/open", headers={"X-Forwarded-For": "198.51.100.7"})
    await asyncio.sleep(int(answer.headers["retry-after"]))
    assert await called(client, READS + 1) == READS


@pytest.mark.skipif(not authentication.REQUIRED, reason="nobody is told apart")
async def test_a_known_caller_is_a_client_wherever_it_calls_from(client: AsyncClient, authorize: Authorize) -> None:
    ada, bob = await authorize("ada"), await authorize("bob")

    async def calls(caller: dict[str, str], address: str) -> int:
        return (await client.get("/guarded/open", headers=caller | {"X-Forwarded-For": address})).status_code

    for number in range(READS):
        assert await calls(ada, f"198.51.100.{number}") == HTTPStatus.OK
    assert await calls(ada, "203.0.113.1") == HTTPStatus.TOO_MANY_REQUESTS
    assert await calls(bob, "198.51.100.1") == HTTPStatus.OK
    assert await called(client, 1, "198.51.100.1") == 1


@pytest.mark.skipif(not authentication.REQUIRED, reason="nobody is told apart")
async def test_refused_credentials_are_limited_strictly_and_good_ones_go_on(
    client: AsyncClient, authorize: Authorize
) -> None:
    good = await authorize("ada")
    bad = {"Authorization": "Bearer nonsense", "X-Forwarded-For": "198.51.100.7"}
    answers = [await client.get("/guarded/known", headers=bad) for _ in range(FAILURES.quota + 5)]
    assert [answer.status_code for answer in answers] == (
        [HTTPStatus.UNAUTHORIZED] * FAILURES.quota + [HTTPStatus.TOO_MANY_REQUESTS] * 5
    )
    assert answers[-1].headers["ratelimit-policy"] == f'"authentication";q={FAILURES.quota};w=60'
    answer = await client.get("/guarded/known", headers=good | {"X-Forwarded-For": "198.51.100.7"})
    assert answer.status_code == HTTPStatus.OK


class Down:
    """A store that does not answer, or does so too late."""

    def __init__(self, late: bool) -> None:
        self.late = late
        self.asked = 0

    async def add(self, key: bytes, units: int, window_seconds: int) -> tuple[int, float]:
        """Fail."""
        self.asked += 1
        if self.late:
            await asyncio.sleep(60)
        raise ConnectionRefusedError


@pytest.mark.parametrize("late", [True, False])
async def test_without_the_store_the_service_serves_on_and_says_so_once(
    client: AsyncClient, capsys: pytest.CaptureFixture[str], late: bool
) -> None:
    application = client._transport.app  # type: ignore[attr-defined]  # noqa: SLF001 (ours: tests.chassis.process)
    assert isinstance(application, FastAPI)
    down = Down(late)
    application.state.limiter = Limiter(down)
    started = time.monotonic()
    assert await called(client, READS + 5) == READS  # each replica still counts
    assert await called(client, 5, "203.0.113.1") == 5
    assert time.monotonic() - started < 2
    assert down.asked == 1
    assert capsys.readouterr().out.count("rate limits are counted by each replica alone") == 1


async def test_what_is_over_is_forgotten(strict: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    application = build(strict)
    async with application.router.lifespan_context(application):
        monkeypatch.setattr(limiter, "MAX_ACCOUNTS", 10)
        reads = Policy("reads", READS)
        for number in range(100):
            assert not (await application.state.limiter.charge(reads, f"address 198.51.100.{number}")).refused
        assert len(application.state.limiter._accounts) <= 10  # noqa: SLF001 (what a crowd must not fill)
        async with store(application.state) as counts:
            await counts.add(b"over", 1, 0)
            assert (await counts.add(b"over", 1, 60))[0] == 1
            assert (await counts.add(b"over", 1, 60))[0] == 2
