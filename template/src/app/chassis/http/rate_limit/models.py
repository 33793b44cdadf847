"""What is stored of a client's use."""

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.chassis.data.model import Model


class RateLimit(Model):
    """One count. Unlogged: after a crash of the database all clients begin anew, and writing it costs half."""

    __tablename__ = "rate_limits"
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012 (SQLAlchemy's way)

    key: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    used: Mapped[int]
    resets_at: Mapped[datetime] = mapped_column(index=True)
