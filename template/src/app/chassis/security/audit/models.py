"""What is stored of an action."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.chassis.data.model import Model


class AuditEntry(Model):
    """One action. A trigger refuses to change it, and the service's role may not remove the trigger."""

    __tablename__ = "audit_trail"
    __table_args__ = (
        Index("ix_audit_trail_object_id", "object", "id"),
        Index("ix_audit_trail_actor_id", "actor", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str] = mapped_column(String(255), info={"filterable": True})
    action: Mapped[str] = mapped_column(String(100))
    object: Mapped[str] = mapped_column(String(255), info={"filterable": True})
    request_id: Mapped[str] = mapped_column(String(64))
