"""The service as it is, with one small route more; BENCH_WITHOUT takes one layer away."""

import os
from typing import Any

from fastapi import APIRouter
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app import main
from app.chassis.flags.flag import Flag
from app.chassis.http import server
from app.chassis.security.caller import Caller
from app.chassis.security.permissions import public
from app.chassis.settings import load
from app.settings import Settings

router = APIRouter(dependencies=[public])


@router.get("/bench")
async def small() -> dict[str, Any]:
    return {"status": "ok", "items": [1, 2, 3]}


class Known:
    """Believes that everybody is the one caller, instead of verifying a token."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.caller = app, Caller("bench", frozenset({"orders:read", "orders:write"}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["caller"] = self.caller
        await self.app(scope, receive, send)


def build() -> None:
    settings = load(Settings)
    without = os.environ.get("BENCH_WITHOUT", "")
    vars(main)["routers"].insert(0, router)  # where the bare one has it: before the others
    app = main.build(settings)
    if without == "Bearer":
        app.user_middleware = [
            Middleware(Known) if each.cls.__name__ == without else each for each in app.user_middleware
        ]
    else:
        app.user_middleware = [each for each in app.user_middleware if each.cls.__name__ != without]
    if without == "Protocol":
        vars(server)["Protocol"] = HttpToolsProtocol
    if without == "flags":
        Flag.is_on = lambda _: True  # type: ignore[method-assign]
    server.serve(app, settings)


if __name__ == "__main__":
    build()
