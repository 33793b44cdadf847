"""Denied by default: a service does not start with a route that does not say who may call it."""

from collections.abc import Sequence
from typing import Annotated

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.responses import PlainTextResponse
from httpx2 import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from app import routes
from app.chassis.security import authentication
from app.chassis.security.permissions import (
    UndeclaredRoutesError,
    declared,
    guards_itself,
    public,
    requires,
    undeclared,
)
from app.main import build
from app.settings import Settings

pytestmark = pytest.mark.row("security.authz")


@pytest.mark.skipif(not authentication.REQUIRED, reason="nobody is told apart")
def test_every_route_of_this_service_says_who_may_call_it(
    settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.main.routers", routes.routers)
    assert not undeclared(build(settings_without_database))


async def silent() -> None:
    """Say nothing."""


async def silent_socket(socket: WebSocket) -> None:
    """Say nothing."""
    await socket.close()


def served(*routes: BaseRoute, routers: Sequence[APIRouter] = ()) -> FastAPI:
    app = FastAPI(routes=list(routes))
    for router in routers:
        app.include_router(router, prefix="/v1")
    return app


def router(**options: object) -> APIRouter:
    inner = APIRouter(prefix="/inner", **options)  # type: ignore[arg-type]
    inner.add_api_route("/things/{id}", silent, methods=["GET", "DELETE"])
    outer = APIRouter(prefix="/outer")
    outer.include_router(inner)
    return outer


def test_silence_is_found_wherever_it_is() -> None:
    assert undeclared(served(routers=[router()])) == ["DELETE,GET /v1/outer/inner/things/{id}"]
    assert undeclared(served(Mount("/mounted", served(routers=[router()])))) == [
        "DELETE,GET /mounted/v1/outer/inner/things/{id}"
    ]
    plain = Route("/plain", PlainTextResponse("hello"))
    assert undeclared(served(plain)) == ["ANY /plain"]
    assert undeclared(served(Mount("/deep", Starlette(routes=[Mount("/er", routes=[plain])])))) == [
        "ANY /deep/er/plain"
    ]
    assert undeclared(served(Mount("/files", PlainTextResponse("hello")))) == ["ANY /files"]
    sockets = APIRouter()
    sockets.add_api_websocket_route("/socket", silent_socket)
    assert undeclared(served(routers=[sockets])) == ["ANY /v1/socket"]


@pytest.mark.parametrize("said", [public, requires("things:read"), requires()])
def test_what_says_something_is_not(said: object) -> None:
    assert not undeclared(served(routers=[router(dependencies=[said])]))
    assert not undeclared(served(Mount("/files", guards_itself(PlainTextResponse("hello")))))


def test_all_permissions_are_known() -> None:
    guarded = router(dependencies=[requires("things:read", "things:write")])
    assert declared(served(Mount("/mounted", served(routers=[guarded])))) == {"things:read", "things:write"}


@pytest.mark.parametrize("required", [True, False])
async def test_the_service_does_not_start_with_silence(
    required: bool, settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.main.routers", [router()])
    monkeypatch.setattr(authentication, "REQUIRED", required)
    application = build(settings_without_database)
    started = application.router.lifespan_context(application)
    if not required:
        async with started:
            return
    with pytest.raises(UndeclaredRoutesError, match="DELETE,GET /outer/inner/things/"):
        await started.__aenter__()


async def answered(application: FastAPI, path: str) -> int:
    async with (
        application.router.lifespan_context(application),
        AsyncClient(transport=ASGITransport(application), base_url="http://localhost") as client,
    ):
        return (await client.get(path)).status_code


async def test_a_request_does_not_pay_for_what_is_public(
    settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def solved() -> None:
        raise AssertionError("FastAPI solves it for each request")

    monkeypatch.setattr("app.main.routers", [router(dependencies=[public])])
    monkeypatch.setattr(public.dependency, "__code__", solved.__code__)
    application = build(settings_without_database)
    assert await answered(application, "/outer/inner/things/1") == 200
    assert await answered(application, "/outer/inner/things/1") == 200  # it still knows, started once more


async def test_public_may_be_a_parameter(settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def named(nothing: Annotated[None, public]) -> None:
        assert nothing is None

    router = APIRouter()
    router.add_api_route("/named", named)
    monkeypatch.setattr("app.main.routers", [router])
    assert await answered(build(settings_without_database), "/named") == 200
