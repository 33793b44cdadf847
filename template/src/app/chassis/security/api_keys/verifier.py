"""Who is calling, by an API key."""

import contextlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus

from pydantic_settings import BaseSettings
from sqlalchemy import Row, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.chassis.background import repeated
from app.chassis.data.failures import DatabaseUnavailableError
from app.chassis.http.errors import Problem
from app.chassis.security.api_keys import keys
from app.chassis.security.api_keys.models import ApiKey
from app.chassis.security.bearer import Refused, Verifier
from app.chassis.security.caller import Caller

NOTE_SECONDS = 60
"""How often it is noted which keys were used: never while a request waits."""


class NoSettings(BaseSettings):
    """Nothing to know but the database."""


class KeyVerifier:
    """Tells whose key it is: one look at a primary key, so that a revoked key is useless at once."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")  # one round trip instead of three
        self._used: set[str] = set()

    async def __call__(self, key: str) -> Caller:
        """Return the client. Raises Refused, or a 503 problem if the database does not answer."""
        prefix = keys.prefix(key)
        found = await self._find(prefix) if prefix else None
        # Compared in constant time. The same answer for an unknown, a wrong and a revoked key.
        if prefix is None or found is None or not hmac.compare_digest(found.digest, keys.digest(key)):
            raise Refused("invalid_token", "The key is not one that we accept.")
        if found.expires_at <= datetime.now(UTC):
            raise Refused("expired_token", "The key has expired.")
        self._used.add(prefix)
        return Caller(found.subject, frozenset(found.permissions))

    async def _find(self, prefix: str) -> Row[bytes, str, list[str], datetime] | None:
        query = select(ApiKey.digest, ApiKey.subject, ApiKey.permissions, ApiKey.expires_at).where(
            ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None)
        )
        try:
            async with self._reading.connect() as connection:
                return (await connection.execute(query)).one_or_none()
        except DatabaseUnavailableError as error:
            detail = "Keys cannot be verified at the moment. Try again."
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable", detail) from error

    async def note(self) -> None:
        """Write down which keys were used since the last time."""
        used, self._used = self._used, set()
        if used:
            async with self._engine.begin() as connection:
                await connection.execute(update(ApiKey).where(ApiKey.prefix.in_(used)).values(last_used_at=func.now()))


@asynccontextmanager
async def verifier(_: NoSettings, engine: AsyncEngine) -> AsyncIterator[Verifier]:
    """Return what verifies keys, for as long as the service runs."""
    verify = KeyVerifier(engine)
    async with repeated(verify.note, name="note used keys", seconds=NOTE_SECONDS):
        yield verify
    with contextlib.suppress(SQLAlchemyError):  # nothing depends on it
        await verify.note()
