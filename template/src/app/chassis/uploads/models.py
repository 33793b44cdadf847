"""What is stored of a file, beside its bytes."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.chassis.data.model import Model


class Upload(Model):
    """A file that `owner`, the subject of a caller, has announced, and that is stored or will never be."""

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("size > 0", name="size_positive"),
        Index("ix_uploads_never_stored", "created_at", postgresql_where=text("stored_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    owner: Mapped[str] = mapped_column(String(255), index=True, info={"filterable": True})
    name: Mapped[str] = mapped_column(String(200))
    content_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    """In hexadecimal, as sha256sum prints it."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    send_until: Mapped[datetime]
    """When the address expires to which it may be sent."""
    stored_at: Mapped[datetime | None]
    """When it was found complete. Before that nobody can read it."""


class UploadRemoval(Model):
    """A file without a row: a trigger of `uploads` writes it down, in the transaction that deletes the row."""

    __tablename__ = "upload_removals"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(index=True)
    """An hour after the address has expired, at the earliest: before that the file could come back."""
