"""What people ask for, from when they ask until it is done. An archive is made at once; an erasure takes two passes.

The first pass removes what is there, and from the moment the erasure was asked for nobody can store anything new of its
subject. What was under way at that moment, a request or a job, may still do so: the last pass comes when all of it has
ended, and then the erasure is done.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.privacy import holds, inventory
from app.chassis.privacy.erasure import erase
from app.chassis.privacy.export import export
from app.chassis.privacy.models import PrivacyRequest
from app.chassis.security.audit import trail
from app.identity import NAME

QUIET = timedelta(seconds=60)
"""Longer than any request takes."""


class Kind(StrEnum):
    """What is asked for."""

    EXPORT = "export"
    ERASURE = "erasure"


class Status(StrEnum):
    """How far it has come."""

    PENDING = "pending"
    DONE = "done"
    HELD = "held"
    """Nothing was erased: the law forbids it for now (GDPR Art. 17(3))."""


class RequestRead(BaseModel):
    """What was asked for, and how far it has come."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: Kind
    status: Status
    requested_at: datetime


def read(request: PrivacyRequest) -> RequestRead:
    """Return a request as people see it."""
    status = Status(request.outcome or Status.PENDING)
    return RequestRead(id=request.id, kind=Kind(request.kind), status=status, requested_at=request.requested_at)


async def submit(session: AsyncSession, kind: Kind, subject: str, *, by: str) -> PrivacyRequest:
    """Note that somebody wants their data, or wants them gone. While that is pending, asking again is the same."""
    inventory.read().require()
    wish = f"{kind} {subject}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(wish, 0))))
    waiting = select(PrivacyRequest).where(
        PrivacyRequest.subject == subject, PrivacyRequest.kind == kind, PrivacyRequest.outcome.is_(None)
    )
    request = await session.scalar(waiting)
    if request is None:
        request = PrivacyRequest(kind=kind, subject=subject)
        session.add(request)
        await session.flush()
        trail.record(session, by, f"personal data: {kind} requested", f"privacy-request/{request.id}")
        if kind is Kind.ERASURE and await holds.is_held(session, subject):
            await _end(session, request, Status.HELD)
    return request


async def find(session: AsyncSession, subject: str, request_id: UUID) -> PrivacyRequest | None:
    """Return the subject's request, or None. An erasure that is done is nobody's: whoever knows its id asked for it."""
    mine = (PrivacyRequest.subject == subject) | PrivacyRequest.subject.is_(None)
    return await session.scalar(select(PrivacyRequest).where(PrivacyRequest.id == request_id, mine))


async def archive(session: AsyncSession, subject: str, request_id: UUID) -> bytes | None:
    """Return the subject's archive, or None if there is none: not yet, or not any more."""
    mine = select(PrivacyRequest.archive).where(PrivacyRequest.id == request_id, PrivacyRequest.subject == subject)
    return await session.scalar(mine)


async def carry_out(session: AsyncSession, request_id: UUID, quiet: timedelta = QUIET) -> bool:
    """Do what is due for a request. False if there is more to do later: an erasure, when `quiet` is over."""
    request = await session.get(PrivacyRequest, request_id, with_for_update=True)
    if request is None or request.outcome or request.subject is None:
        return True
    data = inventory.read().require()
    if request.kind == Kind.EXPORT:
        request.archive = await export(session, data, request.subject)
    elif await holds.is_held(session, request.subject):
        await _end(session, request, Status.HELD)
        return True
    else:
        asked = select(PrivacyRequest.requested_at < func.now() - quiet).where(PrivacyRequest.id == request_id)
        last = bool(await session.scalar(asked))
        await erase(session, data, request.subject, last=last)
        if not last:
            return False
    await _end(session, request, Status.DONE)
    return True


async def _end(session: AsyncSession, request: PrivacyRequest, outcome: Status) -> None:
    ended = update(PrivacyRequest).where(PrivacyRequest.id == request.id)
    await session.execute(ended.values(outcome=outcome, done_at=func.now()))
    trail.record(session, NAME, f"personal data: {request.kind} {outcome}", f"privacy-request/{request.id}")
