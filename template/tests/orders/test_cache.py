"""An order is read from the cache, and never as it was before it changed."""

from http import HTTPStatus

import pytest
from httpx2 import AsyncClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.chassis.data.address import async_url
from tests.orders.test_orders import place


@pytest.mark.row("data.cache")
async def test_an_order_is_read_once_until_it_changes(client: AsyncClient, database_url: str) -> None:
    order = await place(client)
    path = f"/orders/{order['id']}"
    first = await client.get(path)
    assert first.json() == order

    engine: AsyncEngine = create_async_engine(async_url(database_url))
    async with engine.begin() as connection:  # behind the service's back, to see where it reads
        await connection.execute(text("UPDATE orders SET reference = 'seen in the database'"))
    second = await client.get(path)
    assert second.json() == order
    assert second.headers["etag"] == first.headers["etag"]

    cancelled = await client.post(f"{path}/cancel")
    assert cancelled.status_code == HTTPStatus.OK
    third = await client.get(path)
    assert third.json() == order | {"status": "cancelled", "reference": "seen in the database"}
    assert third.headers["etag"] == cancelled.headers["etag"]
    await engine.dispose()
