"""Every failure leaves as problem+json (RFC 9457) with a stable code and the request's id, and nothing internal."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.chassis.http.request_id import request_id

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


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

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class NotFoundProblem(Problem):
    """There is no such thing, or none that this caller may see."""

    def __init__(self, thing: str) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, f"{thing}_not_found", f"There is no such {thing}.")


_CONTENT = {MEDIA_TYPE: {"schema": ProblemDocument.model_json_schema()}}
responses: dict[int | str, dict[str, Any]] = {
    422: {"description": "The request does not make sense", "content": _CONTENT},
    "default": {"description": "Any other failure", "content": _CONTENT},
}


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
    return render(problem.status, problem.code, problem.detail)


async def _on_http_exception(_: Request, error: HTTPException) -> Response:
    """Answer for what the framework refuses: no such route, wrong method, unreadable body."""
    status = HTTPStatus(error.status_code)
    code = _CODES.get(status, f"http_{status.value}")
    return render(status, code, status.description or status.phrase, headers=error.headers)


async def _on_invalid_request(_: Request, error: RequestValidationError) -> Response:
    """Say what is wrong with each field, without repeating the value: it may be a secret."""
    problems = error.errors()
    if any(each["type"] == "json_invalid" for each in problems):
        return render(HTTPStatus.BAD_REQUEST, "malformed_json", "The body is not valid JSON.")
    fields = [
        InvalidField(
            location=str(each["loc"][0]),
            pointer="".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in each["loc"][1:]),
            detail=each["msg"],
        )
        for each in problems
    ]
    return render(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", "Some values are missing or wrong.", errors=fields
    )


# Written out, because the names in http.HTTPStatus change between versions of Python, and these may not.
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "content_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "too_many_requests",
    503: "unavailable",
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

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            log.exception("request failed")
            if started:  # Half an answer is out: only a broken connection can still tell the client.
                raise
            response = render(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong on our side.")
            await response(scope, receive, send)
