"""Who is calling, by the bearer token in the Authorization header (RFC 6750)."""

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.types import ASGIApp, Receive, Scope, Send

from app.chassis.http.errors import Problem
from app.chassis.security.caller import Caller

MAX_TOKEN_BYTES = 8192
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")

Verifier = Callable[[str], Awaitable[Caller]]
"""Returns whose token it is. Raises Refused for one that is not good, another Problem if it cannot tell."""


class Refused(Problem):
    """The token is not good: 401. `detail` reaches the client, so it says nothing that helps to forge one."""

    def __init__(self, code: str, detail: str) -> None:
        challenge = f'Bearer error="invalid_token", error_description="{detail}"'
        super().__init__(HTTPStatus.UNAUTHORIZED, code, detail, headers={"WWW-Authenticate": challenge})


class Forbidden(Problem):
    """The token is good, and not enough for this: 403."""

    def __init__(self, permission: str) -> None:
        detail = f"This needs the permission {permission}."
        challenge = f'Bearer error="insufficient_scope", scope="{permission}"'
        super().__init__(HTTPStatus.FORBIDDEN, "permission_missing", detail, headers={"WWW-Authenticate": challenge})


class Bearer:
    """Notes who is calling, or why that is not known. It refuses nobody: routes say who may call them.

    Before the rate limit, which counts by caller. Health checks stay out of it: they ask nothing of anybody else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Verify the token, if there is one."""
        if scope["type"] in ("http", "websocket") and not scope["path"].startswith("/health/"):
            sent = [value for name, value in scope["headers"] if name == b"authorization"]
            if sent:
                try:
                    caller = await scope["app"].state.verifier(_token(sent))
                except Problem as problem:
                    caller = problem
                scope.setdefault("state", {})["caller"] = caller
        await self.app(scope, receive, send)


def _token(sent: list[bytes]) -> str:
    scheme, _, token = sent[0].partition(b" ")
    if len(sent) > 1 or scheme.lower() != b"bearer":
        raise missing()
    if len(token) > MAX_TOKEN_BYTES or not _TOKEN.fullmatch(token):
        raise Refused("invalid_token", "The token is not well-formed.")
    return token.decode()


def missing() -> Problem:
    """Return the answer to a request that says nothing about who sends it."""
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "token_missing",
        "Send one header Authorization: Bearer, with a token.",
        headers={"WWW-Authenticate": "Bearer"},
    )


class Identified(SecurityBase):
    """A dependency that knows who is calling. A security scheme as well: the API's document shows it."""

    model = HTTPBearer()
    scheme_name = "bearer"

    def identify(self, scope: Scope) -> Caller:
        """Return the caller. Raises a 401 problem if there is none, and what kept us from finding out."""
        caller: Caller | Problem | None = scope.get("state", {}).get("caller")
        if caller is None:
            raise missing()
        if isinstance(caller, Problem):
            raise caller
        return caller
