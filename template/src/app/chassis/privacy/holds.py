"""Legal holds: whose data are kept, whoever wants them gone."""

from collections.abc import Sequence

from sqlalchemy import Select, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.privacy.models import LegalHold
from app.chassis.security.audit import trail


def held() -> Select[str]:
    """Return the subjects that are held, as a query."""
    return select(LegalHold.subject).where(LegalHold.lifted_at.is_(None))


async def is_held(session: AsyncSession, subject: str) -> bool:
    """Tell whether a subject is held."""
    return bool(await session.scalar(select(exists(held().where(LegalHold.subject == subject)))))


async def place(session: AsyncSession, subject: str, *, by: str, reason: str) -> None:
    """Hold a subject. One that is held stays held, for the first reason."""
    new = insert(LegalHold).values(subject=subject, reason=reason, placed_by=by).on_conflict_do_nothing()
    for id_ in await session.scalars(new.returning(LegalHold.id)):
        trail.record(session, by, "legal hold placed", f"legal-hold/{id_}")


async def lift(session: AsyncSession, subject: str, *, by: str) -> bool:
    """Lift the hold. Returns whether there was one."""
    active = update(LegalHold).where(LegalHold.subject == subject, LegalHold.lifted_at.is_(None))
    lifted = (await session.scalars(active.values(lifted_by=by, lifted_at=func.now()).returning(LegalHold.id))).all()
    for id_ in lifted:
        trail.record(session, by, "legal hold lifted", f"legal-hold/{id_}")
    return bool(lifted)


async def active(session: AsyncSession) -> Sequence[LegalHold]:
    """Return the holds there are, the oldest first."""
    return (await session.scalars(select(LegalHold).where(LegalHold.lifted_at.is_(None)).order_by(LegalHold.id))).all()
