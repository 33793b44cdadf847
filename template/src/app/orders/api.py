"""The routes of orders."""

from uuid import UUID

from fastapi import APIRouter, Response, status

from app.chassis.data.session import Session
from app.chassis.http.errors import NotFoundProblem
from app.chassis.http.pagination import Cursor, CursorParameter, Limit, Page
from app.orders import service
from app.orders.models import Order
from app.orders.schemas import OrderCreate, OrderRead

router = APIRouter(prefix="/orders", tags=["orders"])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_order(body: OrderCreate, session: Session, response: Response) -> OrderRead:
    """Place an order."""
    order = await service.create(session, body)
    response.headers["Location"] = f"/orders/{order.id}"
    return OrderRead.model_validate(order)


@router.get("")
async def list_orders(session: Session, limit: Limit = 20, cursor: CursorParameter = None) -> Page[OrderRead]:
    """List orders, the newest first."""
    after = Cursor.decode(cursor) if cursor else None
    # One more than asked for tells whether there is a next page.
    orders = await service.newest(session, limit + 1, after)
    shown, more = orders[:limit], len(orders) > limit
    return Page(
        items=[OrderRead.model_validate(order) for order in shown],
        next_cursor=Cursor(shown[-1].created_at, shown[-1].id).encode() if more else None,
    )


@router.get("/{order_id}")
async def read_order(order_id: UUID, session: Session) -> OrderRead:
    """Read one order."""
    return _found(await service.find(session, order_id))


@router.post("/{order_id}/cancel")
async def cancel_order(order_id: UUID, session: Session) -> OrderRead:
    """Cancel an order. Cancelling twice is the same as once."""
    return _found(await service.cancel(session, order_id))


def _found(order: Order | None) -> OrderRead:
    if order is None:
        raise NotFoundProblem("order")
    return OrderRead.model_validate(order)
