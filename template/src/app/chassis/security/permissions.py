"""What a caller may do. Denied by default: the service does not start with a route that says nothing.

A route says it with its caller, or on its router for all of them:

    async def read(caller: Annotated[Caller, requires("orders:read")]) -> ...
    router = APIRouter(dependencies=[public])

Whose an object is, no route can say: queries ask for the caller's own (OWASP API1:2023).
"""

from collections.abc import Callable, Iterator
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.requests import HTTPConnection

from app.chassis.security import authentication
from app.chassis.security.caller import Caller


class Requires(authentication.Identified):
    """A dependency that returns the caller if it has all these permissions, and raises a 401 or 403 problem if not."""

    def __init__(self, *permissions: str) -> None:
        self.permissions = permissions

    async def __call__(self, connection: HTTPConnection) -> Caller:
        """Return the caller."""
        caller = self.identify(connection.scope)
        for permission in self.permissions:
            if not caller.may(permission):
                raise authentication.Forbidden(permission)
        return caller


def requires(*permissions: str) -> Any:
    """Declare that a route is for callers with all these permissions; without any, for every known caller."""
    return Depends(Requires(*permissions))


async def _nothing_is_required() -> None: ...


public = Depends(_nothing_is_required)
"""Declares that a route is for everybody."""


def _is_public(call: object) -> bool:
    return call is _nothing_is_required


_guards_itself: dict[int, object] = {}  # kept, so that no other object gets the id


def guards_itself[Served: Callable[..., Any]](served: Served) -> Served:
    """Declare that a mounted application, or an endpoint that is not FastAPI's, is public or does its own checks."""
    _guards_itself[id(served)] = served
    return served


class UndeclaredRoutesError(RuntimeError):
    """Some routes say nothing about who may call them."""


def check(app: FastAPI) -> None:
    """Raise UndeclaredRoutesError, with the list, unless every route says who may call it.

    A service without authentication has nobody to tell apart, and nothing to declare.
    """
    if authentication.REQUIRED and (silent := undeclared(app)):
        raise UndeclaredRoutesError(
            "These routes do not say who may call them. Give each requires(...) or public, of "
            "app.chassis.security.permissions:\n  " + "\n  ".join(silent)
        )
    for _, route in _walk(app):
        if dependant := getattr(route, "dependant", None):
            # `public` has been read. FastAPI would solve it for each request, at a tenth of what a small one takes.
            dependant.dependencies = [each for each in dependant.dependencies if each.name or not _is_public(each.call)]


def undeclared(app: FastAPI) -> list[str]:
    """Return the routes that say nothing, as `GET /path`."""
    return [
        f"{','.join(sorted(route.methods or ['ANY']))} {path}"
        for path, route in _walk(app)
        if not any(_is_public(each.dependency) for each in getattr(route, "dependencies", []))
        and not any(_is_public(call) or isinstance(call, Requires) for call in _calls(route))
    ]


def declared(app: FastAPI) -> frozenset[str]:
    """Return every permission that some route requires."""
    calls = [call for _, route in _walk(app) for call in _calls(route)]
    return frozenset(permission for call in calls if isinstance(call, Requires) for permission in call.permissions)


def _walk(app: Any, prefix: str = "") -> Iterator[tuple[str, RouteContext]]:
    """Yield every route with its whole path, those of included routers and mounted applications too."""
    # FastAPI's own pages about the API.
    known = {getattr(app, f"{name}_url", None) for name in ("openapi", "docs", "redoc", "swagger_ui_oauth2_redirect")}
    for route in iter_route_contexts(app.routes):
        path = prefix + (route.path or "")
        served = getattr(route, "app", None) if route.endpoint is None else route.endpoint
        if id(served) in _guards_itself or (route.path in known and not _calls(route)):
            continue
        if route.endpoint is None and getattr(served, "routes", None):
            yield from _walk(served, path)
        else:
            yield path, route


def _calls(route: RouteContext) -> list[Callable[..., Any]]:
    """Return a route's endpoint and dependencies, and theirs."""
    found, waiting = [], [dependant] if (dependant := getattr(route, "dependant", None)) else []
    while waiting:
        each = waiting.pop()
        waiting += each.dependencies
        if each.call:
            found.append(each.call)
    return found
