"""Nobody sees or changes somebody else's orders, or does what they have no permission for."""

from http import HTTPStatus

import pytest
from httpx2 import AsyncClient

from tests.conftest import Authorize

pytestmark = pytest.mark.row("security.authz")

ORDER = {
    "reference": "PO-2041",
    "currency": "EUR",
    "lines": [{"sku": "anchor-20kg", "quantity": 2, "unit_price_cents": 12900}],
}


async def test_an_order_is_its_owners(client: AsyncClient, authorize: Authorize) -> None:
    ada = await authorize("ada", "orders:read", "orders:write")
    eve = await authorize("eve", "orders:read", "orders:write")
    order = (await client.post("/orders", json=ORDER, headers=ada)).headers["location"]

    for headers, status in ((ada, HTTPStatus.OK), (eve, HTTPStatus.NOT_FOUND)):
        assert (await client.get(order, headers=headers)).status_code == status
        assert (await client.post(f"{order}/cancel", headers=headers)).status_code == status
    assert (await client.get(order, headers=eve)).json()["code"] == "order_not_found"
    assert len((await client.get("/orders", headers=ada)).json()["items"]) == 1
    assert not (await client.get("/orders", headers=eve)).json()["items"]


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [("orders:read", {"GET"}), ("orders:write", {"POST"}), ("other:read", set())],
)
async def test_each_route_has_its_permission(
    client: AsyncClient, authorize: Authorize, permission: str, allowed: set[str]
) -> None:
    order = (await client.post("/orders", json=ORDER)).headers["location"]
    headers = await authorize("ada", permission)
    for method, path in [("GET", "/orders"), ("GET", order), ("POST", "/orders"), ("POST", f"{order}/cancel")]:
        answer = await client.request(method, path, headers=headers, json=ORDER if path == "/orders" else None)
        assert (answer.status_code != HTTPStatus.FORBIDDEN) == (method in allowed), (method, path)


async def test_nobody_is_let_in_without_saying_who_it_is(client: AsyncClient) -> None:
    del client.headers["Authorization"]
    assert (await client.get("/orders")).status_code == HTTPStatus.UNAUTHORIZED
    assert (await client.post("/orders", json=ORDER)).status_code == HTTPStatus.UNAUTHORIZED
