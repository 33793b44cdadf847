"""A person's data, in a form that programs can read (GDPR Art. 15 and 20)."""

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.privacy.annotations import words
from app.chassis.privacy.inventory import Inventory, Table
from app.identity import NAME


async def export(session: AsyncSession, data: Inventory, subject: str) -> bytes:
    """Return all data of a subject as JSON, and what the law has us say with them."""
    tables = {each.name: await _rows(session, each, subject) for each in data.tables if _exported(each)}
    archive = {
        "service": NAME,
        "subject": subject,
        "exported_at": datetime.now(UTC),
        "data": {name: rows for name, rows in tables.items() if rows},
        "about": [
            {
                "purpose": each.purpose,
                "legal_basis": each.basis,
                "categories": data.categories(each),
                "recipients": each.recipients,
                "kept_for": words(each.kept),
            }
            for each in data.activities
        ],
    }
    return orjson.dumps(archive, default=_plain, option=orjson.OPT_NON_STR_KEYS)


async def _rows(session: AsyncSession, table: Table, subject: str) -> list[dict[str, Any]]:
    columns = [each for each in table.stored.c if each.name not in table.columns or table.columns[each.name].exported]
    query = select(*columns).where(table.belongs(lambda column: column == subject))
    return [dict(row) for row in (await session.execute(query.order_by(*table.stored.primary_key))).mappings()]


def _exported(table: Table) -> bool:
    return any(each.exported for each in table.columns.values())


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
