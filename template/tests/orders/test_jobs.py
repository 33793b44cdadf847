"""Orders are summed up by the day."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from httpx2 import AsyncClient

from app import worker
from app.orders.jobs import summarise_yesterday
from app.settings import Settings

ORDER = {
    "reference": "PO-2041",
    "currency": "EUR",
    "lines": [{"sku": "anchor-20kg", "quantity": 2, "unit_price_cents": 12900}],
}
TODAY = datetime(2026, 11, 21, tzinfo=UTC)


async def test_the_orders_of_yesterday_are_counted(
    client: AsyncClient, settings: Settings, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = [(await client.post("/orders", json=ORDER)).json() for _ in range(4)]
    await client.post(f"/orders/{orders[0]['id']}/cancel")
    database = await asyncpg.connect(database_url)
    await database.execute("UPDATE orders SET created_at = $1", TODAY - timedelta(minutes=1))
    await database.execute("UPDATE orders SET created_at = $1 WHERE id = $2", TODAY, orders[1]["id"])
    await database.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('default', $1, $2)",
        summarise_yesterday.name,
        '{"version": 1, "payload": {"due_at": "2026-11-21T00:05:00Z"}}',
    )
    stop = asyncio.Event()
    working = asyncio.create_task(worker.run(settings, stop))
    async with asyncio.timeout(20):
        while "orders of the day" not in (told := capsys.readouterr().out):  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.02)
    stop.set()
    await working
    await database.close()
    for fact in ("day=2026-11-20", "cancelled=1", "placed=2"):
        assert fact in told
