"""What there is of a customer is theirs to take, and to have erased, also while they go on ordering."""

import asyncio
import json
from datetime import timedelta
from http import HTTPStatus

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.privacy import erasure, inventory, requests
from app.chassis.privacy.export import export
from app.chassis.privacy.requests import Kind
from app.orders.models import Order, OrderLine

ORDER = {
    "reference": "PO-2041",
    "currency": "EUR",
    "lines": [{"sku": "anchor-20kg", "quantity": 2, "unit_price_cents": 12900}],
}


@pytest.mark.row("law.export")
@pytest.mark.row("law.erasure")
async def test_a_customer_is_erased_while_they_order(app: FastAPI, client: AsyncClient) -> None:
    await client.post("/orders", json=ORDER)
    async with AsyncSession(app.state.engine, expire_on_commit=False) as session, session.begin():
        owner = (await session.execute(select(Order.owner))).scalar_one()
        session.add(Order(owner="somebody else", reference="PO-1", currency="EUR", lines=[]))
        data = json.loads(await export(session, inventory.read(), owner))["data"]
        assert [each["reference"] for each in data["orders"]] == ["PO-2041"]
        assert [each["sku"] for each in data["order_lines"]] == ["anchor-20kg"]

    answers: list[int] = []
    ended = False

    async def order() -> None:
        while not ended:
            answers.append((await client.post("/orders", json=ORDER)).status_code)
            await asyncio.sleep(0.01)

    customers = [asyncio.create_task(order()) for _ in range(3)]
    while HTTPStatus.CREATED not in answers:  # noqa: ASYNC110 (nothing tells)
        await asyncio.sleep(0.01)
    async with AsyncSession(app.state.engine, expire_on_commit=False) as session, session.begin():
        erased = (await requests.submit(session, Kind.ERASURE, owner, by="operator")).id
    async with AsyncSession(app.state.engine) as session, session.begin():
        assert not await requests.carry_out(session, erased, timedelta(hours=1))
    while HTTPStatus.FORBIDDEN not in answers:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    ended = True
    await asyncio.gather(*customers)
    async with AsyncSession(app.state.engine) as session, session.begin():
        assert await requests.carry_out(session, erased, timedelta())

    assert set(answers) == {HTTPStatus.CREATED, HTTPStatus.FORBIDDEN}
    async with AsyncSession(app.state.engine) as session:
        assert (await erasure.left(session, inventory.read(), owner)).keys() <= {"audit_trail"}
        assert (await session.scalars(select(Order.owner))).all() == ["somebody else"]
        assert await session.scalar(select(func.count()).select_from(OrderLine)) == 0
