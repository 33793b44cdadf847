"""What callers do with orders under `make load`, and how fast they have their answers. Ten reads for each write."""

import uuid

from locust import between, task

from dev.load import Threshold
from dev.traffic import Caller, expect

expect(
    {
        "POST /orders": Threshold(p95_ms=500, p99_ms=1000),
        "GET /orders": Threshold(p95_ms=500, p99_ms=1000),
        "GET /orders/{id}": Threshold(p95_ms=500, p99_ms=1000),
    }
)

ORDER = {"reference": "load", "currency": "EUR", "lines": [{"sku": "anchor", "quantity": 2, "unit_price_cents": 12900}]}


class Customer(Caller):
    """Places an order now and then, and looks at it again and again."""

    wait_time = between(0.1, 0.5)
    order_id = ""

    def on_start(self) -> None:
        """Place the first one."""
        self.place()

    @task(1)
    def place(self) -> None:
        """Place an order."""
        response = self.client.post("/orders", json=ORDER, headers={"Idempotency-Key": str(uuid.uuid4())})
        self.order_id = response.json()["id"]

    @task(7)
    def read(self) -> None:
        """Look at it."""
        self.client.get(f"/orders/{self.order_id}", name="/orders/{id}")

    @task(3)
    def list_newest(self) -> None:
        """Look at the newest."""
        self.client.get("/orders")
