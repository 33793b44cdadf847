"""What clients send and receive."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Secret, StringConstraints

from app.orders.payments.models import PaymentStatus

CardToken = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]


class PaymentCreate(BaseModel):
    """How to pay. The provider gives a token for a card to whoever enters it: card numbers never come here."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"card_token": "tok_visa"}})

    card_token: Secret[CardToken]


class PaymentRead(BaseModel):
    """A payment as it stands."""

    model_config = ConfigDict(from_attributes=True)

    status: PaymentStatus | Literal["unpaid"]
    amount_cents: int
    currency: str
