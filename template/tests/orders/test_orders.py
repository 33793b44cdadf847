"""What a client can rely on about orders."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import AsyncClient

ANCHOR = {"sku": "anchor-20kg", "quantity": 2, "unit_price_cents": 12900}
ROPE = {"sku": "rope-10m", "quantity": 1, "unit_price_cents": 2450}
ORDER = {"reference": "PO-2041", "currency": "EUR", "lines": [ANCHOR, ROPE]}


async def place(client: AsyncClient, **changes: Any) -> dict[str, Any]:
    """Place an order that differs from ORDER by these changes."""
    answer = await client.post("/orders", json=ORDER | changes)
    assert answer.status_code == HTTPStatus.CREATED, answer.text
    order: dict[str, Any] = answer.json()
    return order


async def test_an_order_is_placed_and_read(client: AsyncClient) -> None:
    answer = await client.post("/orders", json=ORDER)
    order = answer.json()

    assert answer.status_code == HTTPStatus.CREATED
    assert {name: order[name] for name in ORDER} == ORDER
    assert order["status"] == "placed"
    assert datetime.fromisoformat(order["created_at"]).utcoffset() == timedelta(0)
    assert datetime.now(UTC) - datetime.fromisoformat(order["created_at"]) < timedelta(minutes=1)
    assert (await client.get(answer.headers["location"])).json() == order


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


async def test_ids_are_not_guessable(client: AsyncClient) -> None:
    assert UUID((await place(client))["id"]).version == 4
