"""Headers that make browsers careful, on every answer (OWASP HTTP Headers Cheat Sheet)."""

from collections.abc import Awaitable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY = [
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]

_NAMES = frozenset(name for name, _ in SECURITY)

# What Swagger needs: its files come from a CDN, and its page starts them with an inline script.
DOCS = (
    b"default-src 'none'; connect-src 'self'; frame-ancestors 'none'; img-src data: https://fastapi.tiangolo.com; "
    b"script-src 'unsafe-inline' https://cdn.jsdelivr.net; style-src 'unsafe-inline' https://cdn.jsdelivr.net"
)


class SecurityHeaders:
    """Adds each header that the answer does not have: a route may say something else, of caching for example.

    `policies` gives a path a Content-Security-Policy of its own.
    """

    def __init__(self, app: ASGIApp, policies: Mapping[str, bytes] | None = None) -> None:
        self.app = app
        self.by_path = {
            path: [(name, policy if name == b"content-security-policy" else value) for name, value in SECURITY]
            for path, policy in (policies or {}).items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        ours = self.by_path.get(scope["path"], SECURITY)

        def answer(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                given = message["headers"]
                missing = ours
                if not _NAMES.isdisjoint([name for name, _ in given]):
                    names = {name for name, _ in given}
                    missing = [each for each in ours if each[0] not in names]
                message["headers"] = [*given, *missing]
            return send(message)

        await self.app(scope, receive, answer)
