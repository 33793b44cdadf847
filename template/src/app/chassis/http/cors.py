"""Lets web pages of listed origins call the service; without a list none can (CORS, https://fetch.spec.whatwg.org)."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from app.chassis.http.errors import render


class Cors(CORSMiddleware):
    """Starlette's, with refusals as problem+json. Cookies are not sent along: callers carry tokens."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Idempotency-Key", "If-Match", "X-Request-ID"],
            expose_headers=["ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"],
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks what it may send."""
        response = super().preflight_response(request_headers)
        if response.status_code == HTTPStatus.BAD_REQUEST:
            return render(HTTPStatus.BAD_REQUEST, "cors_refused", "This origin, method or header is not allowed.")
        return response
