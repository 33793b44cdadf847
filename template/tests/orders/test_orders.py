"""What a client can rely on about orders."""

import asyncio
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from app.metrics import ORDERS_PLACED
from app.orders.models import Order

ANCHOR = {"sku": "anchor-20kg", "quantity": 2, "unit_price_cents": 12900}
ROPE = {"sku": "rope-10m", "quantity": 1, "unit_price_cents": 2450}
ORDER = {"reference": "PO-2041", "currency": "EUR", "lines": [ANCHOR, ROPE]}


async def place(client: AsyncClient, **changes: Any) -> dict[str, Any]:
    """Place an order that differs from ORDER by these changes."""
    answer = await client.post("/orders", json=ORDER | changes)
    assert answer.status_code == HTTPStatus.CREATED, answer.text
    order: dict[str, Any] = answer.json()
    return order


@pytest.mark.smoke
async def test_an_order_is_placed_and_read(client: AsyncClient) -> None:
    answer = await client.post("/orders", json=ORDER)
    order = answer.json()

    assert answer.status_code == HTTPStatus.CREATED
    assert {name: order[name] for name in ORDER} == ORDER
    assert order["status"] == "placed"
    assert datetime.fromisoformat(order["created_at"]).utcoffset() == timedelta(0)
    assert datetime.now(UTC) - datetime.fromisoformat(order["created_at"]) < timedelta(minutes=1)
    assert (await client.get(answer.headers["location"])).json() == order


@pytest.mark.smoke
async def test_an_order_is_cancelled_once_however_often_it_is_asked(client: AsyncClient) -> None:
    order = await place(client)

    for _ in range(2):
        answer = await client.post(f"/orders/{order['id']}/cancel")
        assert answer.status_code == HTTPStatus.OK
        assert answer.json() == order | {"status": "cancelled"}
    assert (await client.get(f"/orders/{order['id']}")).json()["status"] == "cancelled"


@pytest.mark.parametrize("action", ["", "/cancel"])
async def test_an_order_that_does_not_exist_is_not_found(client: AsyncClient, action: str) -> None:
    answer = await client.request("POST" if action else "GET", f"/orders/{uuid4()}{action}")
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert answer.json()["code"] == "order_not_found"


@pytest.mark.smoke
async def test_orders_are_listed_newest_first_and_pages_miss_none(client: AsyncClient) -> None:
    placed = [(await place(client, reference=f"PO-{number}"))["id"] for number in range(5)]

    seen: list[str] = []
    parameters: dict[str, str] = {"limit": "2"}
    while True:
        page = (await client.get("/orders", params=parameters)).json()
        assert len(page["items"]) <= 2
        seen += [order["id"] for order in page["items"]]
        await place(client, reference="arrives while somebody leafs through")
        if not page["next_cursor"]:
            break
        parameters["cursor"] = page["next_cursor"]
    assert seen == placed[::-1]


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": ""},
        {"reference": "nul \x00 byte"},
        {"currency": "euro"},
        {"lines": []},
        {"lines": [ANCHOR | {"quantity": 0}]},
        {"lines": [ANCHOR | {"quantity": 2**63}]},
        {"lines": [ANCHOR | {"unit_price_cents": -1}]},
        {"unknown": "field"},
    ],
    ids=str,
)
async def test_an_order_that_makes_no_sense_is_refused(client: AsyncClient, changes: dict[str, Any]) -> None:
    answer = await client.post("/orders", json=ORDER | changes)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.json()["errors"][0]["pointer"].startswith(f"/{next(iter(changes))}")


@pytest.mark.row("monitor.queries")
async def test_ten_orders_take_as_many_queries_as_one(client: AsyncClient, statements: list[str]) -> None:
    queries = []
    for count in (1, 9):
        for _ in range(count):
            await place(client)
        statements.clear()
        await client.get("/orders")
        queries.append(len(statements))
    assert queries[0] == queries[1] > 0


@pytest.mark.row("data.paging")
@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_pages_miss_and_repeat_none_of_the_same_moment(app: FastAPI, client: AsyncClient, limit: int) -> None:
    placed = {(await place(client))["id"] for _ in range(7)}
    async with app.state.engine.begin() as connection:
        await connection.execute(update(Order).values(created_at=func.date_trunc("minute", Order.created_at)))

    seen: list[str] = []
    parameters = {"limit": str(limit)}
    while True:
        page = (await client.get("/orders", params=parameters)).json()
        seen += [order["id"] for order in page["items"]]
        if not page["next_cursor"]:
            break
        parameters["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen))
    assert set(seen) == placed


async def test_what_somebody_else_has_changed_is_not_changed_unseen(client: AsyncClient) -> None:
    path = f"/orders/{(await place(client))['id']}"
    read = await client.get(path)
    match = {"If-Match": read.headers["etag"]}

    answers = await asyncio.gather(*(client.post(f"{path}/cancel", headers=match) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [HTTPStatus.OK] + [HTTPStatus.PRECONDITION_FAILED] * 3
    after = await client.get(path)
    assert after.headers["etag"] != read.headers["etag"]
    again = await client.post(f"{path}/cancel", headers={"If-Match": after.headers["etag"]})
    assert again.status_code == HTTPStatus.OK
    assert again.headers["etag"] == after.headers["etag"], "nothing has changed"


async def test_a_change_of_an_older_version_fails_also_without_a_lock(app: FastAPI, client: AsyncClient) -> None:
    id_ = UUID((await place(client))["id"])
    async with AsyncSession(app.state.engine) as first, AsyncSession(app.state.engine) as second:
        for session, reference in ((first, "first"), (second, "second")):
            order = await session.get_one(Order, id_)
            order.reference = reference
        await first.commit()
        with pytest.raises(StaleDataError):
            await second.commit()
    assert (await client.get(f"/orders/{id_}")).json()["reference"] == "first"


async def test_ids_are_not_guessable(client: AsyncClient) -> None:
    assert UUID((await place(client))["id"]).version == 4


async def test_an_order_sent_twice_with_one_key_is_placed_once(client: AsyncClient) -> None:
    key = {"Idempotency-Key": "5f1d3e0a"}
    first, second = [await client.post("/orders", json=ORDER, headers=key) for _ in range(2)]
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.headers["location"] == second.headers["location"]
    assert len((await client.get("/orders")).json()["items"]) == 1


@pytest.mark.row("monitor.business")
async def test_orders_are_counted_when_they_are_placed(client: AsyncClient) -> None:
    before = sum(ORDERS_PLACED.series.values())
    await client.post("/orders", json={})
    for _ in range(2):
        await client.post("/orders", json=ORDER, headers={"Idempotency-Key": "counted-once"})
    await place(client)
    assert sum(ORDERS_PLACED.series.values()) - before == 2


async def test_taking_orders_can_be_switched_off(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.chassis.flags.flag.Flag.is_on", lambda _: False)
    answer = await client.post("/orders", json=ORDER)
    assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "switched_off")
    assert (await client.get("/orders")).status_code == HTTPStatus.OK
