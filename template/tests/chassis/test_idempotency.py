"""A request sent again with its Idempotency-Key is done once, whatever happens in between."""

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, HTTPError, Response

from app.chassis.http.idempotency import store
from app.chassis.security.caller import Caller
from tests.chassis.ledger import TABLE, router
from tests.chassis.process import running

pytestmark = pytest.mark.row("security.idempotency")

TWINS = 50
DEATHS = [(0, 0.02), (0.02, 0.06), (0.06, 0.12)]
"""Seconds after the request between which its process dies: before, while and after it is done, most likely."""


@pytest.fixture(autouse=True)
def routes(probe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the ledger."""
    monkeypatch.setattr("app.main.routers", [router])


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside the application's, to a database with a ledger."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(TABLE)
    yield connection
    await connection.close()


async def written(database: asyncpg.Connection) -> int:
    """How many entries there are."""
    count: int = await database.fetchval("SELECT count(*) FROM ledger")
    return count


async def post(client: AsyncClient, key: str | None, path: str = "/ledger", **entry: Any) -> Response:
    """Send an entry."""
    headers = {"Idempotency-Key": key} if key is not None else {}
    return await client.post(path, json={"note": "once"} | entry, headers=headers)


def own(answer: Response) -> dict[str, str]:
    """The headers that the route has set."""
    return {name: value for name, value in answer.headers.items() if name in {"location", "content-type"}}


async def test_a_replay_is_the_same_answer_byte_for_byte(client: AsyncClient, database: asyncpg.Connection) -> None:
    first, second = await post(client, "k1"), await post(client, '"k1"')

    assert first.status_code == second.status_code == HTTPStatus.CREATED
    assert first.content == second.content
    assert own(first) == own(second)
    assert own(first)["location"] == f"/ledger/{first.json()['id']}"
    assert ("idempotency-replayed" in first.headers, second.headers["idempotency-replayed"]) == (False, "true")
    assert "set-cookie" not in second.headers
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert await written(database) == 1


async def test_without_a_key_every_request_counts(client: AsyncClient, database: asyncpg.Connection) -> None:
    for _ in range(2):
        assert (await post(client, None)).status_code == HTTPStatus.CREATED
    assert await written(database) == 2


async def test_twins_that_arrive_together_are_done_once(client: AsyncClient, database: asyncpg.Connection) -> None:
    answers = await asyncio.gather(*(post(client, "k1", seconds=0.1) for _ in range(TWINS)))

    counted = Counter(answer.status_code for answer in answers)
    assert await written(database) == 1
    assert counted.keys() <= {HTTPStatus.CREATED, HTTPStatus.CONFLICT}
    assert len({answer.content for answer in answers if answer.status_code == HTTPStatus.CREATED}) == 1
    for answer in answers:
        if answer.status_code == HTTPStatus.CONFLICT:
            assert answer.json()["code"] == "request_in_progress"
            assert int(answer.headers["retry-after"]) > 0
    assert (await post(client, "k1", seconds=0.1)).headers["idempotency-replayed"] == "true"


async def test_a_twin_in_progress_waits_for_nothing(client: AsyncClient, database: asyncpg.Connection) -> None:
    first = asyncio.create_task(post(client, "k1", seconds=2))
    await asyncio.sleep(0.3)
    async with asyncio.timeout(1):
        assert (await post(client, "k1", seconds=2)).status_code == HTTPStatus.CONFLICT
    assert (await first).status_code == HTTPStatus.CREATED
    assert await written(database) == 1


async def test_the_key_of_another_request_is_refused(client: AsyncClient, database: asyncpg.Connection) -> None:
    await post(client, "k1")
    for answer in (await post(client, "k1", note="twice"), await post(client, "k1", path="/ledger?page=2")):
        assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert answer.json()["code"] == "idempotency_key_reused"
    assert await written(database) == 1


async def test_keys_belong_to_their_route(client: AsyncClient, database: asyncpg.Connection) -> None:
    await post(client, "k1")
    assert (await post(client, "k1", path="/ledger/insists")).status_code == HTTPStatus.OK
    assert (await post(client, "k1", path="/ledger/7/sync")).json() == 7
    assert (await post(client, "k1", path="/ledger/8/sync")).json()["code"] == "idempotency_key_reused"


async def test_keys_belong_to_their_caller(app: FastAPI, client: AsyncClient, database: asyncpg.Connection) -> None:
    transport = client._transport  # noqa: SLF001 (the same application)
    answers = []
    for subject in ("ada", "grace", "ada"):

        async def known(scope: Any, receive: Any, send: Any, subject: str = subject) -> None:
            scope.setdefault("state", {})["caller"] = Caller(subject, frozenset())
            await app(scope, receive, send)

        vars(transport)["app"] = known
        client.headers.pop("authorization", None)
        answers.append(await post(client, "k1"))
    assert answers[0].content != answers[1].content
    assert answers[0].content == answers[2].content
    assert await written(database) == 2


@pytest.mark.parametrize("how", ["raises", "returns"])
async def test_what_failed_on_our_side_may_succeed_the_next_time(
    client: AsyncClient, database: asyncpg.Connection, how: str
) -> None:
    failing: dict[str, Any] = {how: 503}
    for _ in range(2):
        answer = await post(client, "k1", **failing)
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert "idempotency-replayed" not in answer.headers
    assert await database.fetchval("SELECT count(*) FROM idempotency_keys") == await written(database) == 0
    assert (await post(client, "k1")).status_code == HTTPStatus.CREATED


async def test_what_was_refused_is_looked_at_anew(client: AsyncClient, database: asyncpg.Connection) -> None:
    for entry in ({"raises": 409}, {"seconds": "soon"}):
        for _ in range(2):
            answer = await post(client, "k1", **entry)
            assert answer.status_code in {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
            assert "idempotency-replayed" not in answer.headers
    assert (await post(client, "k1")).status_code == HTTPStatus.CREATED
    assert await written(database) == 1


async def test_a_returned_refusal_is_an_answer_like_any_other(
    client: AsyncClient, database: asyncpg.Connection
) -> None:
    first, second = [await post(client, "k1", returns=202) for _ in range(2)]
    assert first.status_code == second.status_code == HTTPStatus.ACCEPTED
    assert first.content == second.content
    assert await written(database) == 1


@pytest.mark.parametrize("key", ["", '""', '"open', "two words", "é", "x" * 129, 'quo"te', "nul\x00"])
async def test_a_key_that_is_none_is_refused(client: AsyncClient, database: asyncpg.Connection, key: str) -> None:
    answer = await client.post("/ledger", json={"note": "once"}, headers=[(b"Idempotency-Key", key.encode())])
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["code"] == "invalid_idempotency_key"
    two = [("Idempotency-Key", "k1"), ("Idempotency-Key", "k2")]
    assert (await client.post("/ledger", json={"note": "once"}, headers=two)).status_code == HTTPStatus.BAD_REQUEST
    assert await written(database) == 0


async def test_a_route_may_insist_on_a_key(client: AsyncClient, database: asyncpg.Connection) -> None:
    answer = await post(client, None, path="/ledger/insists")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["code"] == "idempotency_key_missing"


async def test_the_document_shows_the_header(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    for path, required in [("/ledger", False), ("/ledger/{page}/sync", False), ("/ledger/insists", True)]:
        headers = [each for each in paths[path]["post"]["parameters"] if each["in"] == "header"]
        assert [(each["name"], each["required"]) for each in headers] == [("Idempotency-Key", required)]
        assert {"400", "409", "422"} <= paths[path]["post"]["responses"].keys()
    assert [each["name"] for each in paths["/ledger/{page}/sync"]["post"]["parameters"]] == ["page", "Idempotency-Key"]


async def test_an_expired_key_is_as_good_as_new(client: AsyncClient, database: asyncpg.Connection) -> None:
    first = await post(client, "k1")
    await database.execute("UPDATE idempotency_keys SET expires_at = now()")
    again, replay = await post(client, "k1", note="twice"), await post(client, "k1", note="twice")
    assert again.json()["note"] == "twice"
    assert again.content == replay.content != first.content
    assert await written(database) == 2


async def test_expired_keys_are_deleted_batch_by_batch(
    app: FastAPI, client: AsyncClient, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH", 2)
    for number in range(5):
        await post(client, f"k{number}")
    await database.execute("UPDATE idempotency_keys SET expires_at = now() - interval '1 second'")
    await post(client, "fresh")
    assert await store.clean(app.state.engine) == 5
    assert await database.fetchval("SELECT count(*) FROM idempotency_keys") == 1
    assert (await post(client, "fresh")).headers["idempotency-replayed"] == "true"


async def test_a_process_killed_in_the_middle_leaves_nothing_half_done(
    database_url: str, database: asyncpg.Connection
) -> None:
    """Two real processes on one database. One dies at a random moment; the client goes on with the other."""
    chance = random.Random()  # noqa: S311 (every run tries other moments)
    with running("tests.chassis.ledger", database_url=database_url) as steady:
        for attempt, moment in enumerate(DEATHS):
            key, before = str(uuid4()), await written(database)
            with running("tests.chassis.ledger", database_url=database_url) as doomed:
                async with AsyncClient(base_url=doomed.url, timeout=10) as client:
                    await post(client, None, path="/ledger/7/sync")  # it is warm
                    request = asyncio.create_task(post(client, key, seconds=0.03, note=f"order {attempt}"))
                    await asyncio.sleep(chance.uniform(*moment))
                    doomed.process.send_signal(signal.SIGKILL)
                    with contextlib.suppress(HTTPError):
                        assert (await request).status_code == HTTPStatus.CREATED
            async with AsyncClient(base_url=steady.url, timeout=10) as client, asyncio.timeout(10):
                # Until PostgreSQL has noticed that the first one is gone, its request is in progress.
                while (answer := await post(client, key, seconds=0.03, note=f"order {attempt}")).is_error:
                    assert answer.status_code == HTTPStatus.CONFLICT, answer.text
                    await asyncio.sleep(0.05)
            assert await written(database) == before + 1
            assert answer.json()["id"] == await database.fetchval("SELECT max(id) FROM ledger")
