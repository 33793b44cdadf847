"""The payment provider: what we ask of it, and what of its answers we believe."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.chassis.http.fields import Line
from app.chassis.upstream.client import Upstream
from app.chassis.upstream.failures import UpstreamUnavailable
from app.orders.payments.models import Payment


class Charge(BaseModel):
    """The card was charged."""

    id: Line
    status: Literal["succeeded"]
    amount_cents: Annotated[int, Field(ge=0)]
    currency: str


class Declined(BaseModel):
    """The card was not charged, and will not be."""

    code: Literal["card_declined"]


ANSWERS: Mapping[int, type[Charge] | type[Declined]] = {200: Charge, 402: Declined}


async def charge[F](
    upstream: Upstream, payment: Payment, card_token: str, fallback: Callable[[UpstreamUnavailable], F]
) -> Charge | Declined | F:
    """Charge a card, once for each attempt, however often it is asked."""
    asked = {"amount_cents": payment.amount_cents, "currency": payment.currency, "card_token": card_token}
    return await upstream.call(
        "POST",
        "/charges",
        json=asked,
        idempotency_key=str(payment.attempt),
        answers=ANSWERS,
        # An answer to another question is as bad as none.
        fits=lambda said: isinstance(said, Declined) or said.model_dump(include={*asked}).items() <= asked.items(),
        fallback=fallback,
    )
