"""Routes that do the same request once.

    router = APIRouter(prefix="/orders", route_class=IdempotentRoute)

Every POST and PATCH of that router then takes the header. One that insists on it: `dependencies=[key_required]`.

- The key belongs to the caller and the route. Sent again with the same path, query and body it gets the stored answer,
  with `Idempotency-Replayed: true`; with others, a 422 problem.
- While the first is being worked on, its twins read 409 and when to come back. They do not wait: each would hold a
  connection, and a client that is impatient could exhaust the pool.
- An answer is stored if, and only if, its work is committed. Whatever is raised rolls back, and is not stored: after a
  5xx the same request may succeed, after a 4xx it is looked at anew.
"""

import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.data.session import Session
from app.chassis.http.errors import Problem, responses
from app.chassis.http.idempotency import store
from app.chassis.security.caller import Caller

HEADER = "Idempotency-Key"
REPLAYED = (b"idempotency-replayed", b"true")
RETRY_AFTER_SECONDS = 1
METHODS = frozenset({"POST", "PATCH"})

# A structured field's string (RFC 8941) in quotes, as the draft has it, or bare, as many clients send it.
_CHARACTERS = r"[A-Za-z0-9._~:/+=-]{1,128}"
_KEY = re.compile(f'{_CHARACTERS}|"{_CHARACTERS}"')
_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "description": "Makes it safe to send this request again. A UUID, for example.",
    "schema": {"type": "string", "pattern": f'^("{_CHARACTERS}"|{_CHARACTERS})$'},
}


class _Incoming(NamedTuple):
    """A request, and the transaction that its work will be part of."""

    request: Request
    session: AsyncSession


async def _incoming(request: Request, session: Session) -> _Incoming:
    return _Incoming(request, session)


class _Claim(NamedTuple):
    """What a request with a key has claimed."""

    session: AsyncSession
    id: bytes


def _key(request: Request) -> str | None:
    """Return the key without quotes, or None. Raises a 400 problem for what is none."""
    sent = request.headers.getlist(HEADER)
    if not sent:
        return None
    if len(sent) > 1 or not _KEY.fullmatch(sent[0]):
        detail = f"Send one {HEADER} of 1 to 128 letters, digits and ._~:/+=-, for example a UUID."
        raise Problem(HTTPStatus.BAD_REQUEST, "invalid_idempotency_key", detail)
    return sent[0].strip('"')


async def _require_key(request: Request) -> None:
    if _key(request) is None:
        detail = f"Send an {HEADER}, and the same one whenever you send this request again."
        raise Problem(HTTPStatus.BAD_REQUEST, "idempotency_key_missing", detail)


key_required: Any = Depends(_require_key)
"""Declares that a route of an IdempotentRoute router refuses requests without a key: 400."""


async def _begin(request: Request, session: AsyncSession) -> Response | None:
    """Claim the key and return None, or return the answer that the request has had."""
    key = _key(request)
    if key is None:
        return None
    caller = request.scope.get("state", {}).get("caller")
    subject = caller.subject if isinstance(caller, Caller) else ""
    id_ = _digest(subject, request.method, request.scope["route"].path, key)
    fingerprint = _digest(request.scope["path"], request.scope["query_string"], await request.body())
    try:
        answer = await store.claim(session, id_, fingerprint, request.app.state.idempotency_lifetime)
    except store.InProgressError as error:
        detail = "The first request with this key is still being worked on. Send it again in a moment."
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        raise Problem(HTTPStatus.CONFLICT, "request_in_progress", detail, headers=headers) from error
    except store.OtherRequestError as error:
        detail = "This key was used for a different request. A new request needs a new key."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail) from error
    if answer is None:
        request.state.idempotency = _Claim(session, id_)
        return None
    response = Response(answer.body, status_code=answer.status)
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    response.raw_headers.append(REPLAYED)
    return response


def _digest(*parts: str | bytes) -> bytes:
    return sha256(b"\0".join(part.encode() if isinstance(part, str) else part for part in parts)).digest()


async def _keep(claim: _Claim, response: Response) -> None:
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:  # returned instead of raised: it means the same
        await claim.session.rollback()
        return
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in response.raw_headers
        if name != b"set-cookie"  # a session's secret is not ours to keep
    ]
    await store.keep(claim.session, claim.id, store.Answer(response.status_code, headers, bytes(response.body)))


def _once(endpoint: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Wrap an endpoint. It is called when all that it depends on agrees: nobody reads an answer who may not call it."""
    call = endpoint if inspect.iscoroutinefunction(endpoint) else functools.partial(run_in_threadpool, endpoint)

    @functools.wraps(endpoint)
    async def once(*, idempotent_request: _Incoming, **values: Any) -> Any:
        return await _begin(*idempotent_request) or await call(**values)

    ours = inspect.Parameter(
        "idempotent_request", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[_Incoming, Depends(_incoming)]
    )
    signature = inspect.signature(endpoint)
    vars(once)["__signature__"] = signature.replace(parameters=[*signature.parameters.values(), ours])
    return once


class IdempotentRoute(APIRoute):
    """A route that takes Idempotency-Key if it is a POST or PATCH. Its answers have a body that is known as a whole."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: Sequence[str] = (),
        dependencies: Sequence[Dependency] = (),
        **options: Any,
    ) -> None:
        self.is_idempotent = METHODS.issuperset(methods)
        if self.is_idempotent:
            endpoint = _once(endpoint)
            parameter = _PARAMETER | {"required": key_required in dependencies}
            options["openapi_extra"] = {"parameters": [parameter]} | (options.get("openapi_extra") or {})
            options["responses"] = responses(400, 409, 422) | (options.get("responses") or {})
        super().__init__(path, endpoint, methods=list(methods), dependencies=dependencies, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Store the answer while the transaction is open: FastAPI has built it, and commits afterwards."""
        handle = super().get_route_handler()
        if not self.is_idempotent:
            return handle

        async def handle_once(request: Request) -> Response:
            response = await handle(request)
            claim: _Claim | None = getattr(request.state, "idempotency", None)
            if claim:
                await _keep(claim, response)
            return response

        return handle_once
