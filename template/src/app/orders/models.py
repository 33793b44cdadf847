"""What is stored of an order."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Enum, ForeignKey, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.chassis.data.model import Model


class OrderStatus(StrEnum):
    """Where an order is in its life."""

    PLACED = "placed"
    CANCELLED = "cancelled"


class Order(Model):
    """Something that a customer wants. `owner` is the subject of the caller who placed it."""

    __tablename__ = "orders"
    __table_args__ = (Index("ix_orders_owner_created_at_id", "owner", "created_at", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    owner: Mapped[str] = mapped_column(String(255), info={"filterable": True})
    reference: Mapped[str] = mapped_column(String(200))
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[OrderStatus] = mapped_column(
        Enum(
            OrderStatus,
            name="status",
            native_enum=False,
            create_constraint=True,
            length=20,
            values_callable=lambda statuses: [status.value for status in statuses],
        ),
        default=OrderStatus.PLACED,
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), info={"filterable": True})
    version: Mapped[int] = mapped_column()
    lines: Mapped[list["OrderLine"]] = relationship(
        order_by="OrderLine.position",
        cascade="all, delete-orphan",
        lazy="raise",  # a forgotten selectinload fails in the first test, not as N+1 queries in production
    )

    # Counts the changes. One that began with an older version fails instead of overwriting what it has not seen.
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (SQLAlchemy's way)


class OrderLine(Model):
    """One article of an order, and how many of it."""

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("unit_price_cents >= 0", name="unit_price_not_negative"),
    )

    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(200))
    quantity: Mapped[int]
    unit_price_cents: Mapped[int]
