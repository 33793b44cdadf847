"""Writes down what is done."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.http.request_id import request_id
from app.chassis.security.audit.models import AuditEntry


def record(session: AsyncSession, actor: str, action: str, object_: str) -> None:
    """Note that `actor`, the subject of a caller, did `action` to `object_`, for example `order/4711`.

    In the transaction of the action itself: there is neither without the other. Names and ids only: what cannot be
    changed cannot be erased either, so nothing personal belongs here.
    """
    session.add(AuditEntry(actor=actor, action=action, object=object_, request_id=request_id.get()))
