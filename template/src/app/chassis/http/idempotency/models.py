"""What is stored of a request that must not be done twice."""

from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.chassis.data.model import Model


class IdempotencyKey(Model):
    """A key with the answer to its request. Only the transaction that does the work sees it without an answer."""

    __tablename__ = "idempotency_keys"

    id: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    """Digest of caller, route and key: what clients choose is nobody's to read here."""
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Digest of path, query and body."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None] = mapped_column(SmallInteger)
    headers: Mapped[list[Any] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None]
