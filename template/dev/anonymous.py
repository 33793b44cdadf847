"""Nobody has to prove anything, in development and tests either."""

import contextlib
from collections.abc import Collection, Iterator

from app.settings import Settings


@contextlib.contextmanager
def development() -> Iterator[str]:
    """Prepare nothing."""
    yield "Everybody may do everything."


@contextlib.contextmanager
def temporary() -> Iterator[None]:
    """Prepare nothing."""
    yield


async def token(_: Settings, __: str, ___: Collection[str]) -> str:
    """Return nothing to send."""
    return ""
