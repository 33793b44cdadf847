"""Issues, lists and revokes keys."""

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.security.api_keys.models import ApiKey

_KEY = re.compile(r"key_([0-9a-f]{12})_[0-9a-f]{64}")


def generate() -> str:
    """Return a key that nobody has."""
    return f"key_{secrets.token_hex(6)}_{secrets.token_hex(32)}"


def prefix(key: str) -> str | None:
    """Return the part that finds its row, or None if it cannot be a key."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def digest(key: str) -> bytes:
    """Return what is stored of it."""
    return hashlib.sha256(key.encode()).digest()


async def issue(session: AsyncSession, subject: str, permissions: Collection[str], days: int) -> str:
    """Store a new key and return it: it can never be shown again."""
    key = generate()
    await put(session, key, subject, permissions, days)
    return key


async def put(session: AsyncSession, key: str, subject: str, permissions: Collection[str], days: int) -> None:
    """Store this key, in place of one with its prefix."""
    await session.merge(
        ApiKey(
            prefix=prefix(key),
            digest=digest(key),
            subject=subject,
            permissions=sorted(permissions),
            expires_at=datetime.now(UTC) + timedelta(days=days),
            revoked_at=None,
        )
    )


async def everyone(session: AsyncSession) -> Sequence[ApiKey]:
    """Return all keys there have been, by client, the newest first."""
    return (await session.scalars(select(ApiKey).order_by(ApiKey.subject, ApiKey.created_at.desc()))).all()


async def revoke(session: AsyncSession, prefix: str) -> bool:
    """Make a key useless from the next request on. Returns whether there was one."""
    statement = (
        update(ApiKey).where(ApiKey.prefix == prefix).values(revoked_at=func.coalesce(ApiKey.revoked_at, func.now()))
    )
    return bool((await session.execute(statement.returning(ApiKey.prefix))).scalar())
