"""Orders through the cache. Whatever changes an order has to forget it."""

from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.data.cache import Cache
from app.orders import service
from app.orders.models import Order
from app.orders.schemas import OrderRead

SECONDS = 60


class CachedOrder(BaseModel):
    """An order as its owner reads it, and which version that is."""

    version: int
    order: OrderRead


async def find(cache: Cache, session: AsyncSession, owner: str, order_id: UUID) -> CachedOrder | None:
    """Return the owner's order, or None. Somebody else's is none."""

    async def load() -> CachedOrder | None:
        order = await service.find(session, owner, order_id)
        return CachedOrder(version=order.version, order=OrderRead.model_validate(order)) if order else None

    return await cache.get(_key(owner, order_id), CachedOrder, load, seconds=SECONDS)


def forget(cache: Cache, session: AsyncSession, order: Order) -> None:
    """Forget the order as soon as the session has committed."""
    cache.forget(session, _key(order.owner, order.id))


def _key(owner: str, order_id: UUID) -> str:
    return f"order {order_id} {owner}"
