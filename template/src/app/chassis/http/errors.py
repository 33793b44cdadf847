"""Every failure leaves as problem+json (RFC 9457) with a stable code and the request's id, and nothing internal."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from opentelemetry.trace import get_current_span
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.chassis.http.request_id import request_id
from app.chassis.http.route import route_path
from app.chassis.telemetry.errors import capture
from app.chassis.telemetry.traces import failed

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20
"""How many wrong values an answer names: a request with a million of them must not earn a million lines."""


class InvalidField(BaseModel):
    """One reason why a request was refused."""

    location: str
    """Where the value stood: body, query, path, header or cookie."""
    pointer: str
    """JSON pointer to it (RFC 6901)."""
    detail: str


class ProblemDocument(BaseModel):
    """What a client reads of a failure: `code` is for programs and never changes, `detail` is for people."""

    model_config = ConfigDict(title="Problem")

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[InvalidField] | None = None


class Problem(Exception):  # noqa: N818 (the term of RFC 9457)
    """Raise it anywhere below a route to answer with this failure. `detail` reaches the client."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers


class NotFoundProblem(Problem):
    """There is no such thing, or none that this caller may see."""

    def __init__(self, thing: str) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, f"{thing}_not_found", f"There is no such {thing}.")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route says of failures of its own: `@router.post("", responses=errors.responses(409))`.

    Those that every route can have are added for it (`app.chassis.http.openapi`).
    """
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def render(
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    errors: Sequence[InvalidField] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the failure as a response."""
    document = ProblemDocument(
        title=status.phrase,
        status=status,
        code=code,
        detail=detail,
        request_id=request_id.get(),
        errors=list(errors) if errors else None,
    )
    content = orjson.dumps(document.model_dump(exclude_none=True))
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers=headers)


async def _on_problem(_: Request, problem: Problem) -> Response:
    return render(problem.status, problem.code, problem.detail, headers=problem.headers)


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    """Answer for what the framework refuses: no such route, wrong method, unreadable body."""
    if error.status_code == HTTPStatus.BAD_REQUEST and isinstance(error.__cause__, ValueError | RecursionError):
        return _malformed_json()
    headers = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (allowed := _allowed(request)):
        headers = {"Allow": ", ".join(allowed)}
    return refuse(HTTPStatus(error.status_code), headers=headers)


def _allowed(request: Request) -> list[str]:
    """Return all methods of a path (RFC 9110, 15.5.6). The framework names those of one of its routes."""
    path = getattr(request.scope.get("route"), "path", None)
    routes = [each for each in iter_route_contexts(request.app.routes) if each.path == path]
    methods = {method for route in routes for method in route.methods or ()}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


async def _on_invalid_request(_: Request, error: RequestValidationError) -> Response:
    """Say what is wrong with each field, without repeating the value: it may be a secret."""
    problems = error.errors()
    if any(each["type"] == "json_invalid" for each in problems):
        return _malformed_json()
    # The framework hands on the bytes of a body that does not call itself JSON.
    if isinstance(error.body, bytes) and any(each["loc"][0] == "body" for each in problems):
        return refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, headers={"Accept": "application/json"})
    fields = [
        InvalidField(
            location=str(each["loc"][0]),
            pointer="".join(f"/{_name(part)}" for part in each["loc"][1:]),
            detail=each["msg"],
        )
        for each in problems[:MAX_ERRORS]
    ]
    return refuse(HTTPStatus.UNPROCESSABLE_ENTITY, errors=fields)


def _malformed_json() -> Response:
    detail = "The body is not valid JSON in UTF-8, or too deeply nested."
    return render(HTTPStatus.BAD_REQUEST, "malformed_json", detail)


def _name(part: str | int) -> str:
    """Return a member's name as a step of a JSON pointer. Unknown members are named by whoever sent them."""
    return str(part)[:100].replace("~", "~0").replace("/", "~1")


def refuse(
    status: HTTPStatus, *, errors: Sequence[InvalidField] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the failure with the code and the words that this status has when nothing more is known."""
    code, detail = _KNOWN.get(status, (f"http_{status.value}", status.description or status.phrase))
    return render(status, code, detail, errors=errors, headers=headers)


# Written out, because the names in http.HTTPStatus change between versions of Python, and these may not.
_KNOWN: dict[int, tuple[str, str]] = {
    400: ("bad_request", "The request is not understood."),
    401: ("unauthorized", "Say who you are: credentials are missing or not valid."),
    403: ("forbidden", "You may not do this."),
    404: ("not_found", "There is nothing here."),
    405: ("method_not_allowed", "This does not take that method."),
    408: ("request_timeout", "The request did not arrive in time."),
    409: ("conflict", "The request contradicts what is there."),
    413: ("content_too_large", "The body is larger than is accepted."),
    415: ("unsupported_media_type", "The body's Content-Type is not one that is understood."),
    422: ("invalid_request", "Some values are missing or wrong."),
    429: ("too_many_requests", "Too many requests in too short a time. Wait before the next one."),
    431: ("headers_too_large", "The request line and headers are larger than is accepted."),
    500: ("internal_error", "Something went wrong on our side."),
    503: ("unavailable", "The service cannot answer right now. Try again later."),
}

handlers: dict[int | type[Exception], Callable[[Request, Any], Any]] = {
    Problem: _on_problem,
    HTTPException: _on_http_exception,
    RequestValidationError: _on_invalid_request,
}


class Boundary:
    """Catches what nobody foresaw: the log gets all of it, the client a bare 500."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and answer for it if it fails."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        def watched(message: Message) -> Awaitable[None]:
            nonlocal started
            started = True
            return send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            log.exception("request failed")
            capture(error, route=route_path(scope))
            failed(get_current_span(), error)
            if started:  # Half an answer is out: only a broken connection can still tell the client.
                raise
            await refuse(HTTPStatus.INTERNAL_SERVER_ERROR)(scope, receive, send)
