"""No request may be larger, or take longer, than the settings say."""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.chassis.http.errors import refuse

log = structlog.get_logger()

# The rest of a refused body is not read, so the connection cannot carry another request.
CLOSE = {"Connection": "close"}


class Limits:
    """Refuses a body by its declared length before a byte is read, any other as soon as too much has arrived, and
    cancels a request that takes too long.

    Starlette's `max_body_size` answers in plain text from outside of our middleware, and leaves the connection open.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int, timeout_seconds: float) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.timeout_seconds = timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count and time what passes."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if int(declared) > self.max_body_bytes:
            await refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers=CLOSE)(scope, receive, send)
            return
        received = 0
        asked = complete = started = False

        async def counted() -> Message:
            nonlocal received, asked, complete
            asked = True
            message = await receive()
            complete = complete or not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > self.max_body_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers=CLOSE)
            return message

        def watched(message: Message) -> Awaitable[None]:
            nonlocal started
            started = True
            return send(message)

        try:
            async with asyncio.timeout(self.timeout_seconds) as limit:
                await self.app(scope, counted, watched)
        except TimeoutError:
            if started or not limit.expired():  # half an answer is out, or it is somebody else's time-out
                raise
            if asked and not complete:
                await refuse(HTTPStatus.REQUEST_TIMEOUT, headers=CLOSE)(scope, receive, send)
                return
            log.exception("request timed out")
            await refuse(HTTPStatus.SERVICE_UNAVAILABLE)(scope, receive, send)
