"""What is told of every request: one log line, one measurement and, where its trace is sampled, a span.

All three name the route, never the raw path or query, which may hold secrets. One layer, because each has to know the
same two things: how long it took, and which status it had.
"""

import time
from collections.abc import Awaitable
from functools import cache

from opentelemetry import context
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, StatusCode, set_span_in_context
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.chassis.http.request_id import request_id
from app.chassis.http.route import route_path
from app.chassis.telemetry import logs, traces
from app.chassis.telemetry.metrics import Attributes, histogram

DURATION = histogram("http.server.request.duration", "Duration of requests, by route, method and class of status.")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class AccessLog:
    """Tells of a request when its answer is complete. Health checks only at debug: they would drown the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Continue the caller's trace, or begin one, and watch the request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        def watched(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        parent = traces.extract(_headers(scope))
        # Health checks come every few seconds for ever: nobody wants to pay for their spans.
        health = scope["path"].startswith("/health/")
        span = NonRecordingSpan(parent) if health else traces.start(method, parent, SpanKind.SERVER)
        token = context.attach(set_span_in_context(span, context.Context()))
        try:
            await self.app(scope, receive, watched)
        finally:
            context.detach(token)
            seconds = time.perf_counter() - started
            route = route_path(scope)
            if span.is_recording():
                _describe(span, method, route, status)
            span.end()
            if health and route:
                write = logs.debug
            else:
                write = logs.info
                DURATION.record(seconds, _attributes(method, route, status))
            write(
                "request",
                request_id=request_id.get(),
                trace_id=f"{span.get_span_context().trace_id:032x}",
                method=method,
                route=route or None,
                status=int(status),
                duration_ms=round(seconds * 1000, 1),
            )


def _describe(span: Span, method: str, route: str, status: int) -> None:
    """Say what is known only now."""
    span.update_name(f"{method} {route}" if route else method)
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": int(status),
            "app.request_id": request_id.get(),
        }
    )
    if status >= 500:
        span.set_status(StatusCode.ERROR)


@cache
def _attributes(method: str, route: str, status: int) -> Attributes:
    return (("http.request.method", method), ("http.route", route), ("http.response.class", f"{status // 100}xx"))


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"}
