"""What can be done with orders. Knows the database, and nothing of HTTP."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from app.chassis.http.pagination import Cursor
from app.orders.models import Order, OrderLine, OrderStatus
from app.orders.schemas import OrderCreate

log = structlog.get_logger()


async def create(session: AsyncSession, body: OrderCreate) -> Order:
    """Place an order."""
    order = Order(
        reference=body.reference,
        currency=body.currency,
        lines=[OrderLine(position=position, **line.model_dump()) for position, line in enumerate(body.lines)],
    )
    session.add(order)
    await session.flush()
    log.info("order placed", order_id=str(order.id), lines=len(order.lines))
    return order


async def find(session: AsyncSession, order_id: UUID) -> Order | None:
    """Return the order, or None."""
    return await session.scalar(select(Order).where(Order.id == order_id).options(selectinload(Order.lines)))


async def newest(session: AsyncSession, limit: int, after: Cursor | None) -> Sequence[Order]:
    """Return up to `limit` orders, the newest first, beginning behind `after`."""
    query = select(Order).order_by(Order.created_at.desc(), Order.id.desc()).limit(limit)
    if after:
        query = query.where(tuple_(Order.created_at, Order.id) < after)
    return (await session.scalars(query.options(selectinload(Order.lines)))).all()


async def cancel(session: AsyncSession, order_id: UUID) -> Order | None:
    """Cancel the order and return it, or None. Cancelling twice is the same as once."""
    # Locked, so that two changes of one order wait for each other instead of overwriting one another.
    query = select(Order).where(Order.id == order_id).options(selectinload(Order.lines)).with_for_update()
    order = await session.scalar(query)
    if order and order.status is not OrderStatus.CANCELLED:
        order.status = OrderStatus.CANCELLED
        log.info("order cancelled", order_id=str(order_id))
    return order
