"""What is stored of an API key: enough to recognise it, not to use it."""

from datetime import datetime

from sqlalchemy import LargeBinary, String, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.chassis.data.model import Model


class ApiKey(Model):
    """A key that was issued to a client. Two keys may name one client: that is how a key is replaced."""

    __tablename__ = "api_keys"

    prefix: Mapped[str] = mapped_column(String(12), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    subject: Mapped[str] = mapped_column(String(255))
    permissions: Mapped[list[str]] = mapped_column(ARRAY(String(100)), info={"example": "{things:read}"})
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
