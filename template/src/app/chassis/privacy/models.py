"""What is stored of what people ask for, and of what forbids it."""

import uuid
from datetime import datetime

from sqlalchemy import Identity, Index, LargeBinary, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.chassis.data.model import Model


class PrivacyRequest(Model):
    """Somebody wants their data, or wants them gone. `outcome` is null until that is done, or cannot be."""

    __tablename__ = "privacy_requests"
    __table_args__ = (Index("ix_privacy_requests_subject_requested_at", "subject", "requested_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    kind: Mapped[str] = mapped_column(String(10))
    subject: Mapped[str | None] = mapped_column(String(255))
    """Nobody, once their data are erased."""
    requested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    done_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(10))
    archive: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class LegalHold(Model):
    """Somebody's data must be kept for now, whoever wants them gone (GDPR Art. 17(3))."""

    __tablename__ = "legal_holds"
    __table_args__ = (
        Index("uq_legal_holds_active", "subject", unique=True, postgresql_where=text("lifted_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(Text)
    placed_by: Mapped[str] = mapped_column(String(200))
    placed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lifted_by: Mapped[str | None] = mapped_column(String(200))
    lifted_at: Mapped[datetime | None]
