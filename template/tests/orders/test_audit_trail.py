"""Placing and cancelling an order is written down."""

from http import HTTPStatus

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.security.audit.models import AuditEntry

ORDER = {
    "reference": "PO-2041",
    "currency": "EUR",
    "lines": [{"sku": "anchor-20kg", "quantity": 2, "unit_price_cents": 12900}],
}


@pytest.mark.row("security.audit-trail")
async def test_what_is_done_to_an_order_is_written_down_once(app: FastAPI, client: AsyncClient) -> None:
    placed = await client.post("/orders", json=ORDER)
    order = placed.json()["id"]
    for _ in range(2):
        assert (await client.post(f"/orders/{order}/cancel")).status_code == HTTPStatus.OK
    await client.post("/orders", json=ORDER | {"currency": "euro"})

    async with AsyncSession(app.state.engine) as session:
        entries = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id))).all()
    assert [(each.action, each.object) for each in entries] == [
        ("order placed", f"order/{order}"),
        ("order cancelled", f"order/{order}"),
    ]
    assert len({each.actor for each in entries}) == 1
    assert entries[0].request_id == placed.headers["x-request-id"]
