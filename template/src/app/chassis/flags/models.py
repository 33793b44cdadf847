"""What is stored of feature flags: every change, of which the last one counts."""

from datetime import datetime

from sqlalchemy import Identity, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.chassis.data.model import Model


class FlagChange(Model):
    """Somebody flipped a flag. `enabled` is null where it went back to its default."""

    __tablename__ = "flag_changes"
    __table_args__ = (Index("ix_flag_changes_name_id", "name", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    enabled: Mapped[bool | None]
    changed_by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(200))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
