"""What was done stays written down, and is there exactly if it was done."""

import pytest
from fastapi import FastAPI
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.http.request_id import request_id
from app.chassis.security.audit import trail
from app.chassis.security.audit.models import AuditEntry

pytestmark = pytest.mark.row("security.audit-trail")


async def entries(app: FastAPI) -> list[tuple[str, str, str, str]]:
    """Return what is written down."""
    async with AsyncSession(app.state.engine) as session:
        found = await session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(each.actor, each.action, each.object, each.request_id) for each in found]


async def test_who_did_what_to_which_object(app: FastAPI) -> None:
    request_id.set("caller-4711")
    async with AsyncSession(app.state.engine) as session, session.begin():
        trail.record(session, "ada", "thing made", "thing/1")
        trail.record(session, "bob", "thing broken", "thing/1")
    assert await entries(app) == [
        ("ada", "thing made", "thing/1", "caller-4711"),
        ("bob", "thing broken", "thing/1", "caller-4711"),
    ]


async def test_nothing_is_written_down_of_what_was_not_done(app: FastAPI) -> None:
    async with AsyncSession(app.state.engine) as session:
        trail.record(session, "ada", "thing made", "thing/1")
        await session.flush()
        await session.rollback()
    assert not await entries(app)


@pytest.mark.parametrize(
    "change",
    [update(AuditEntry).values(actor="eve"), delete(AuditEntry), text("TRUNCATE audit_trail")],
    ids=["update", "delete", "truncate"],
)
async def test_nothing_of_it_can_be_changed(app: FastAPI, change: object) -> None:
    async with AsyncSession(app.state.engine) as session, session.begin():
        trail.record(session, "ada", "thing made", "thing/1")
    async with AsyncSession(app.state.engine) as session:
        with pytest.raises(DBAPIError, match="audit_trail is append-only"):
            await session.execute(change)  # type: ignore[call-overload]
    assert len(await entries(app)) == 1
