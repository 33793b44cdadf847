"""Gives every request an id, or keeps the caller's if it is a sane one: it joins answer, logs and the caller's logs."""

import os
import re
from collections.abc import Awaitable
from contextvars import ContextVar

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.chassis.telemetry import redaction

request_id: ContextVar[str] = ContextVar("request_id", default="-")

HEADER = b"x-request-id"
_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestId:
    """Reads or makes the id, and sends it back as `X-Request-ID`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bind the id for the logs of this request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == HEADER), b"").decode("latin-1")
        # It goes into every line of the log: no place for a card's number.
        id_ = sent if _SANE.fullmatch(sent) and redaction.text(sent) == sent else os.urandom(16).hex()
        header = (HEADER, id_.encode())

        def answer(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], header]
            return send(message)

        request_id.set(id_)
        structlog.contextvars.bind_contextvars(request_id=id_)
        await self.app(scope, receive, answer)
