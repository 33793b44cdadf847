"""Removes personal data: those of one subject (GDPR Art. 17), and those whose time is over (Art. 5(1)(e))."""

from collections.abc import Iterator
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Delete, Update, delete, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.chassis.privacy import holds
from app.chassis.privacy.annotations import Erasure
from app.chassis.privacy.inventory import Inventory, Table

log = structlog.get_logger()

BATCH = 1000


async def erase(session: AsyncSession, data: Inventory, subject: str, *, last: bool) -> dict[str, int]:
    """Delete or anonymise the rows of a subject, in this transaction. Returns how many of which tables.

    With `last`, also those that an erasure needs until its end.
    """
    mine = [
        (each, each.belongs(lambda column: column == subject))
        for each in data.tables
        if each.erasure is not Erasure.KEEP and (last or not each.rows.last)
    ]
    # Those that others point to first: from then on nobody can add a row that points to one of them.
    for table, condition in mine:
        locked = select(*table.stored.primary_key).where(condition).with_for_update().subquery()
        await session.execute(select(func.count()).select_from(locked))
    erased = {}
    for table, condition in reversed(mine):
        if table.erasure is Erasure.DELETE:
            statement: Delete | Update = delete(table.stored).where(condition)
        else:
            statement = update(table.stored).where(condition).values(table.blank())
        count = (await session.execute(statement)).rowcount  # type: ignore[attr-defined]
        if count:
            erased[table.name] = count
    return erased


async def left(session: AsyncSession, data: Inventory, subject: str) -> dict[str, int]:
    """Return how many rows of a subject there are, by table."""
    counts = {}
    for table in data.tables:
        mine = table.belongs(lambda column: column == subject)
        if count := await session.scalar(select(func.count()).select_from(table.stored).where(mine)):
            counts[table.name] = count
    return counts


async def retain(engine: AsyncEngine, data: Inventory) -> None:
    """Remove what has been kept for long enough, a batch at a time, but of nobody who is held.

    In a service from before there were annotations, nothing: it is not known what may go.
    """
    if not data.is_begun:
        return
    removed: dict[str, int] = {}
    for table, condition, statement in _due(data.require()):
        key = tuple_(*table.stored.primary_key)
        free = ~table.belongs(lambda column: column.in_(holds.held()))
        due = select(*table.stored.primary_key).where(condition, free).limit(BATCH).with_for_update(skip_locked=True)
        while True:
            async with engine.begin() as connection:
                count = (await connection.execute(statement.where(key.in_(due)))).rowcount
            if count:
                removed[table.name] = removed.get(table.name, 0) + count
            if count < BATCH:
                break
    if removed:
        log.info("personal data expired", **removed)


def _due(data: Inventory) -> Iterator[tuple[Table, ColumnElement[bool], Any]]:
    """Yield what goes from where, and on which condition: rows that point to others before those."""
    for table in reversed(data.tables):
        stored = table.stored
        for activity in data.activities:
            shorter = {} if activity == table.activity else table.blank(activity)
            if shorter and isinstance(table.rows.since, str):
                over = stored.c[table.rows.since] < func.now() - activity.kept
                yield table, over & _still_there(table, shorter), update(stored).values(shorter)
        if table.rows.cleaned:
            continue
        if table.erasure is Erasure.ANONYMISE:
            yield table, table.expired() & _still_there(table, table.blank()), update(stored).values(table.blank())
        else:
            yield table, table.expired(), delete(stored)


def _still_there(table: Table, blank: dict[str, Any]) -> ColumnElement[bool]:
    return or_(*(table.stored.c[name].is_distinct_from(value) for name, value in blank.items()))
