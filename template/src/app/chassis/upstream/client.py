"""A client of one upstream: a service of somebody else, or another one of ours.

    payment = await upstreams.payments.call(
        "POST", "/charges", answers={201: Charge}, fallback=refuse, json=..., idempotency_key=...
    )

- Nobody waits longer than `total_seconds`, or than what is left of the request's own time, retries included.
- What may be asked twice is asked again after a pause, within a budget of retries; the upstream's Retry-After counts.
- A breaker leaves an upstream alone that keeps failing, a bulkhead bounds how many of our requests it can hold up.
- An answer is what the caller has declared for its status, or a failure: a 200 with nonsense is no success.
- Each call says what happens instead when all that fails: `fallback=refuse` is a 503 with Retry-After.
- Redirects are not followed. Nothing that is sent or received is logged, or told in an error.

For the time of a call hold no connection of the database: a slow upstream must not empty the pool.
"""

import asyncio
import contextlib
import functools
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2
import stamina
import structlog
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, HttpUrl, SecretStr, ValidationError

from app.chassis.http.request_id import request_id
from app.chassis.telemetry import traces
from app.chassis.telemetry.metrics import histogram
from app.chassis.upstream import deadline, retries
from app.chassis.upstream.breaker import Breaker
from app.chassis.upstream.bulkhead import Bulkhead
from app.chassis.upstream.failures import NOT_ASKED, Reason, UpstreamUnavailable
from app.identity import NAME

log = structlog.get_logger()

DURATION = histogram("upstream.call.duration", "Duration of calls to others, by upstream and what became of them.")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What an upstream may cost us. Times are in seconds."""

    total_seconds: float = 5
    """For a call, with its retries and their pauses."""
    connect_seconds: float = 1
    read_seconds: float = 3
    """Between two pieces of an answer."""
    attempts: int = 3
    concurrency: int = 20
    """Calls at a time, of this process."""
    wait_seconds: float = 0.1
    """For one of these places."""
    max_bytes: int = 1_048_576
    """Of an answer."""
    breaker_failures: int = 5
    breaker_window_seconds: float = 10
    breaker_open_seconds: float = 5


@dataclass(frozen=True, kw_only=True)
class _Call[A: BaseModel]:
    """What is asked, and what may be answered."""

    method: str
    path: str
    answers: Mapping[int, type[A]]
    json: Mapping[str, Any] | None
    headers: Mapping[str, str]
    fits: Callable[[A], bool]


class Upstream:
    """One upstream, as long as the process runs."""

    def __init__(self, name: str, client: httpx2.AsyncClient, policy: Policy) -> None:
        self.name = name
        self._client = client
        self._policy = policy
        self._bulkhead = Bulkhead(name, places=policy.concurrency, wait_seconds=policy.wait_seconds)
        self._breaker = Breaker(
            name,
            failures=policy.breaker_failures,
            window_seconds=policy.breaker_window_seconds,
            open_seconds=policy.breaker_open_seconds,
        )
        self._budget = retries.RetryBudget()

    async def call[A: BaseModel, F](  # noqa: PLR0913 (all but two are keywords)
        self,
        method: str,
        path: str,
        *,
        answers: Mapping[int, type[A]],
        fallback: Callable[[UpstreamUnavailable], F],
        json: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        fits: Callable[[A], bool] = lambda _: True,
    ) -> A | F:
        """Return the answer, as the model that `answers` has for its status; or what `fallback` returns.

        `path` is part of an address: quote what comes from outside. `fits` tells an answer to something else, which is
        nonsense too. With an idempotency key the upstream does the same once, however often it is asked: then, and with
        methods that promise as much, it is asked again.
        """
        headers = {"X-Request-ID": request_id.get()}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        call = _Call(method=method, path=path, answers=answers, json=json, headers=headers, fits=fits)
        began, outcome = time.monotonic(), "answered"
        try:
            return await self._ask(call, safe=idempotency_key is not None or method in retries.SAFE_METHODS)
        except UpstreamUnavailable as failure:
            outcome = failure.reason.name.lower()
            self._tell(failure, time.monotonic() - began)
            return fallback(failure)
        finally:
            DURATION.record(time.monotonic() - began, (("outcome", outcome), ("upstream", self.name)))

    async def _ask[A: BaseModel](self, call: _Call[A], *, safe: bool) -> A:
        until = time.monotonic() + min(self._policy.total_seconds, deadline.left())
        self._budget.call()
        async for attempt in stamina.retry_context(
            on=lambda failure: retries.decide(failure, self._budget, until - time.monotonic()),
            attempts=self._policy.attempts if safe else 1,
            timeout=None,  # `decide` looks at what is left
            wait_initial=retries.WAIT_SECONDS,
            wait_jitter=retries.WAIT_SECONDS,
            wait_max=retries.MAX_WAIT_SECONDS,
        ):
            with attempt, self._breaker.guard():
                async with self._bulkhead.place():
                    with traces.span(f"{call.method} {self.name}", SpanKind.CLIENT):
                        return await self._attempt(call, until - time.monotonic())
        raise AssertionError  # the last attempt returns or raises

    async def _attempt[A: BaseModel](self, call: _Call[A], seconds: float) -> A:
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(call)
        except TimeoutError:
            # Whoever had less time than an answer may take has learnt nothing about the upstream.
            waited = time.monotonic() - began
            raise self._failure(Reason.SLOW if waited > self._policy.read_seconds / 2 else Reason.LATE) from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise self._failure(Reason.UNREACHABLE, f"{type(error).__name__}: {error}") from None
        except httpx2.TimeoutException as error:
            raise self._failure(Reason.SLOW, type(error).__name__) from None
        except httpx2.HTTPError as error:
            raise self._failure(Reason.BROKEN, type(error).__name__) from None

    async def _exchange[A: BaseModel](self, call: _Call[A]) -> A:
        headers = {**call.headers, **traces.inject()}
        async with self._client.stream(call.method, call.path, json=call.json, headers=headers) as response:
            if (model := call.answers.get(response.status_code)) is None:
                raise self._undeclared(response)
            body = bytearray()
            async for part in response.aiter_raw():  # as it came: unpacked it could be a thousand times larger
                body += part
                if len(body) > self._policy.max_bytes:
                    raise self._failure(Reason.NONSENSE, f"more than {self._policy.max_bytes} bytes")
        try:
            answer = model.model_validate_json(bytes(body), strict=True)
        except ValidationError as error:
            # Neither the cause nor its text: both have the values.
            wrong = error.errors(include_input=False, include_context=False, include_url=False)[0]
            place = ".".join(str(part) for part in wrong["loc"] if isinstance(part, int) or part.isidentifier())
            raise self._failure(Reason.NONSENSE, f"{wrong['type']} {model.__name__}.{place}"[:200]) from None
        if not call.fits(answer):
            raise self._failure(Reason.NONSENSE, f"a {model.__name__} for something else")
        return answer

    def _undeclared(self, response: httpx2.Response) -> UpstreamUnavailable:
        status = response.status_code
        said = response.headers.get("Retry-After", "")
        retry_after = float(said) if said.isascii() and said.isdecimal() and len(said) < 9 else None
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            reason = Reason.FAILED
        elif retry_after is not None or status in (HTTPStatus.REQUEST_TIMEOUT, 425, HTTPStatus.TOO_MANY_REQUESTS):
            reason = Reason.LIMITED
        else:
            reason = Reason.REFUSED if status >= HTTPStatus.BAD_REQUEST else Reason.NONSENSE
        return self._failure(reason, f"status {status}", retry_after=retry_after)

    def _failure(self, reason: Reason, hint: str = "", *, retry_after: float | None = None) -> UpstreamUnavailable:
        return UpstreamUnavailable(self.name, reason, hint, retry_after=retry_after)

    def _tell(self, failure: UpstreamUnavailable, seconds: float) -> None:
        if failure.reason in NOT_ASKED:
            write = log.info  # the breaker has warned already
        else:  # what it refuses we have got wrong: another try will not help
            write = log.error if failure.reason is Reason.REFUSED else log.warning
        reason = failure.reason.value
        write("upstream call failed", upstream=self.name, reason=reason, hint=failure.hint, seconds=round(seconds, 3))


@functools.cache
def _trusted() -> ssl.SSLContext:
    return httpx2.create_ssl_context()  # takes 20 ms: once is enough


@contextlib.asynccontextmanager
async def opened(
    name: str, url: HttpUrl, key: SecretStr | None = None, policy: Policy | None = None
) -> AsyncIterator[Upstream]:
    """Yield a client of the upstream at this address, which connects on first use. `key` is sent as a bearer token."""
    policy = policy or Policy()
    headers = {"User-Agent": NAME, "Accept": "application/json", "Accept-Encoding": "identity"}
    if key:
        headers["Authorization"] = f"Bearer {key.get_secret_value()}"
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # they would go from one caller's call to another's
    async with httpx2.AsyncClient(
        base_url=str(url),
        headers=headers,
        verify=_trusted(),
        timeout=httpx2.Timeout(policy.read_seconds, connect=policy.connect_seconds),
        limits=httpx2.Limits(max_connections=policy.concurrency, max_keepalive_connections=policy.concurrency),
        follow_redirects=False,
        cookies=no_cookies,
    ) as client:
        yield Upstream(name, client, policy)
