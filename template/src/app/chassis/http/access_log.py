"""One log line a request: method, route, status, duration. Never the raw path or query, which may hold secrets."""

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()


class AccessLog:
    """Writes the line when the answer is complete. Health checks are written at debug: they would drown the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time the request and note its status."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", None)
            write = log.debug if route and route.startswith("/health/") else log.info
            duration = round((time.perf_counter() - started) * 1000, 1)
            write("request", method=scope["method"], route=route, status=status, duration_ms=duration)
