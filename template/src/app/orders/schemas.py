"""What clients send and receive."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.chassis.http.fields import Cents, Count, Currency, Line
from app.orders.models import OrderStatus


class OrderLineBody(BaseModel):
    """One article and how many of it."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    sku: Line
    quantity: Count
    unit_price_cents: Cents


class OrderCreate(BaseModel):
    """An order to place. `reference` is the customer's own name for it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "reference": "PO-2041",
                "currency": "EUR",
                "lines": [{"sku": "anchor-20kg", "quantity": 2, "unit_price_cents": 12900}],
            }
        },
    )

    reference: Line
    currency: Currency
    lines: Annotated[list[OrderLineBody], Field(min_length=1, max_length=100)]


class OrderRead(BaseModel):
    """An order as it stands."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    reference: str
    currency: str
    status: OrderStatus
    created_at: datetime
    lines: list[OrderLineBody]
