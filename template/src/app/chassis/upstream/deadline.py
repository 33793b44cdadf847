"""How much is left of the time that a request may take: what it asks of others has to fit into it."""

import contextlib
import math
import time
from collections.abc import Iterator
from contextvars import ContextVar, Token

from starlette.types import ASGIApp, Receive, Scope, Send

RESERVE = 0.1
"""The part that is kept for what comes after the last call: to store its outcome, and to answer."""

_until: ContextVar[float] = ContextVar("deadline", default=math.inf)


def left() -> float:
    """Return the seconds that are left; infinitely many where nobody has set a deadline."""
    return _until.get() - time.monotonic()


def _begin(seconds: float) -> Token[float]:
    return _until.set(min(_until.get(), time.monotonic() + seconds * (1 - RESERVE)))


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give everything in this context so many seconds, or what was left before if that is less."""
    token = _begin(seconds)
    try:
        yield
    finally:
        _until.reset(token)


class Deadline:
    """Tells what happens in a request how much time it has. It belongs right inside of Limits, which enforces that."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start the clock."""
        token = _begin(self.seconds)  # `within` costs three times as much
        try:
            await self.app(scope, receive, send)
        finally:
            _until.reset(token)
