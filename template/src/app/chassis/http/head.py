"""HEAD is answered wherever GET is (RFC 9110, 9.3.2): monitors and link checkers of others ask that way."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Shows the routes a GET, and all others the HEAD that it is: the server, too, which keeps the body back.

    FastAPI's routes take no HEAD of themselves, as Starlette's do.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as one that the routes know, until somebody answers."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        def answer(message: Message) -> Awaitable[None]:
            scope["method"] = "HEAD"
            return send(message)

        scope["method"] = "GET"
        try:
            await self.app(scope, receive, answer)
        finally:  # a failure is answered further out
            scope["method"] = "HEAD"
