"""Refuses requests beyond a client's quota: 429, and how long to wait.

Answers say where the client stands: draft-ietf-httpapi-ratelimit-headers-10.
"""

import math
from collections.abc import Awaitable
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.chassis.http.client_address import client_address
from app.chassis.http.errors import Problem, render
from app.chassis.http.rate_limit.limiter import WINDOW_SECONDS, Limiter, Policy, Standing
from app.chassis.security.caller import Caller

FAILURES = Policy("authentication", 20)
"""Refused credentials, by address. Good ones are never refused for the sake of bad ones: keys and tokens cannot be
guessed, and one broken client must not lock out its whole office."""
EXPENSIVE = Policy("expensive", 20)

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class TooManyRequests(Problem):
    """The quota is used up: 429."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too_many_requests",
            f"No more than {standing.policy.quota} in {WINDOW_SECONDS} seconds ({standing.policy.name}).",
            headers={"Retry-After": str(_seconds(standing))},
        )


class Tally:
    """What one request is charged."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._standings: list[Standing] = []
        self.client = ""

    async def charge(self, policy: Policy, client: str | None = None) -> None:
        """Charge the request to its client, or another. Raises a 429 problem beyond the quota."""
        standing = await self._limiter.charge(policy, client or self.client)
        self._standings.append(standing)
        if standing.refused:
            raise TooManyRequests(standing)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return what the client is told: its quotas, what is left of them and for how many seconds."""
        quotas = b", ".join([_quota(each.policy) for each in self._standings])
        left = ", ".join([f'"{each.policy.name}";r={each.remaining};t={_seconds(each)}' for each in self._standings])
        return [(b"ratelimit-policy", quotas), (b"ratelimit", left.encode())]


@cache
def _quota(policy: Policy) -> bytes:
    return f'"{policy.name}";q={policy.quota};w={WINDOW_SECONDS}'.encode()


def _seconds(standing: Standing) -> int:
    return max(1, math.ceil(standing.resets_in))


class RateLimit:
    """Charges each request: writes and reads have quotas of their own, health checks are free."""

    def __init__(self, app: ASGIApp, *, reads: int, writes: int, trusted_proxies: int) -> None:
        self.app = app
        self.reads = Policy("reads", reads)
        self.writes = Policy("writes", writes)
        self.trusted_proxies = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Charge the request and pass it on."""
        if scope["type"] != "http" or scope["path"].startswith("/health/"):
            await self.app(scope, receive, send)
            return
        tally = Tally(scope["app"].state.limiter)
        scope.setdefault("state", {})["tally"] = tally

        def told(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *tally.headers()]
            return send(message)

        try:
            await self._charge(scope, tally)
        except TooManyRequests as problem:
            response = render(problem.status, problem.code, problem.detail, headers=problem.headers)
            await response(scope, receive, told)
            return
        await self.app(scope, receive, told)

    async def _charge(self, scope: Scope, tally: Tally) -> None:
        caller = scope["state"].get("caller")
        if isinstance(caller, Caller):
            tally.client = f"caller {caller.subject}"
        else:
            tally.client = f"address {client_address(scope, self.trusted_proxies)}"
            if isinstance(caller, Problem) and caller.status == HTTPStatus.UNAUTHORIZED:
                await tally.charge(FAILURES)
        await tally.charge(self.reads if scope["method"] in _READS else self.writes)


async def _charge_expensive(connection: HTTPConnection) -> None:
    tally: Tally = connection.scope["state"]["tally"]
    await tally.charge(EXPENSIVE)


expensive: Any = Depends(_charge_expensive)
"""Declares that a route does much work: `@router.get("/report", dependencies=[expensive])`. It gets a quota of its own,
behind `requires`, so that nobody who may not call it is charged."""
