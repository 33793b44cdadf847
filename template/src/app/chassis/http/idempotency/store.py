"""Keeps keys and answers in PostgreSQL, in the transaction of the work they belong to: both happen, or neither."""

from datetime import timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.chassis.http.idempotency.models import IdempotencyKey

BATCH = 1000

# The lock tells at once whether a twin is at work. The insert alone would wait for it, with a connection in its hands.
_CLAIM = """
    WITH lock AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($1) AS taken)
    INSERT INTO idempotency_keys AS known (id, fingerprint, expires_at)
    SELECT $2::bytea, $3::bytea, now() + $4::interval FROM lock WHERE taken
    ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, expires_at = excluded.expires_at
    WHERE known.expires_at <= now()
    RETURNING true
"""
_KEEP = "UPDATE idempotency_keys SET status = $2, headers = $3::jsonb, body = $4 WHERE id = $1"
_FIND = """
    SELECT fingerprint, status, headers::text, body FROM idempotency_keys
    WHERE id = $1 AND expires_at > now() AND status IS NOT NULL
"""


class Answer(NamedTuple):
    """What was answered: enough to answer the same again."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class InProgressError(Exception):
    """A request with the same key is being worked on."""


class OtherRequestError(Exception):
    """The key was used for a different request."""


async def claim(session: AsyncSession, id_: bytes, fingerprint: bytes, lifetime: timedelta) -> Answer | None:
    """Return the answer that this request has had, or None: then do the work, and `keep` its answer.

    Raises InProgressError and OtherRequestError. The claim ends with the transaction: rolled back, it leaves nothing.
    """
    lock = int.from_bytes(id_[:8], signed=True)
    if (await _execute(session, _CLAIM, lock, id_, fingerprint, lifetime)).scalar():
        return None
    known = (await _execute(session, _FIND, id_)).one_or_none()
    if known is None:
        raise InProgressError
    if known.fingerprint != fingerprint:
        raise OtherRequestError
    return Answer(known.status, orjson.loads(known.headers), known.body)


async def keep(session: AsyncSession, id_: bytes, answer: Answer) -> None:
    """Store the answer, to be committed with the work."""
    headers = orjson.dumps(answer.headers).decode()
    await _execute(session, _KEEP, id_, answer.status, headers, answer.body)


async def _execute(session: AsyncSession, sql: str, *values: object) -> CursorResult[Any]:
    """Run SQL as the driver takes it. Every request with a key pays for this: SQLAlchemy's compiler costs half as much
    again as the statements.
    """
    return await session.run_sync(lambda each: each.connection().exec_driver_sql(sql, values))


async def clean(engine: AsyncEngine) -> int:
    """Delete the keys that have expired, a batch at a time, and return how many they were."""
    # Skipping what is locked, so that replicas that clean at the same time do not wait for each other.
    expired = select(IdempotencyKey.id).where(IdempotencyKey.expires_at <= func.now()).limit(BATCH)
    statement = delete(IdempotencyKey).where(IdempotencyKey.id.in_(expired.with_for_update(skip_locked=True)))
    deleted = 0
    while True:
        async with engine.begin() as connection:
            batch = (await connection.execute(statement)).rowcount
        deleted += batch
        if batch < BATCH:
            return deleted
