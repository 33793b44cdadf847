"""What we ask of others, when they are slow, gone, wrong or silly: real sockets, and a server that misbehaves."""

import asyncio
import contextlib
import gzip
import socket
import statistics
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
from fastapi import APIRouter
from pydantic import BaseModel, HttpUrl, SecretStr
from stamina.instrumentation import get_on_retry_hooks, set_on_retry_hooks

from app.chassis.security.permissions import public
from app.chassis.settings import load
from app.chassis.telemetry import traces
from app.chassis.upstream import client, deadline, retries
from app.chassis.upstream.client import Policy, Upstream
from app.chassis.upstream.failures import FAILURES, Reason, UpstreamUnavailable, refuse
from app.settings import Settings
from app.upstreams import CalledUpstreams
from tests.chassis import misbehaving
from tests.chassis.misbehaving import Behaviour, Server, answers
from tests.chassis.process import serving

pytestmark = pytest.mark.row("error.upstream")

TOTAL_SECONDS = 0.4
PATIENCE_SECONDS = 4
"""What a call may take on a machine that is busy with other things, if it is meant to take TOTAL_SECONDS at most."""
CALM = Policy(
    total_seconds=20, connect_seconds=20, read_seconds=20, attempts=1, max_bytes=10_000, breaker_failures=10_000
)
SECRET = "sk_live_hunter2"  # noqa: S105 (nobody's)
GOOD = b'{"value": 7, "of": "everything"}'


class Answer(BaseModel):
    """What a good upstream says."""

    value: int


def change(policy: Policy, **values: Any) -> Policy:
    """Return a policy with other values."""
    return Policy(**(vars(policy) | values))


QUICK = change(CALM, total_seconds=TOTAL_SECONDS, connect_seconds=0.3, read_seconds=0.2)


@contextlib.asynccontextmanager
async def calling(behaviour: Behaviour, policy: Policy = CALM) -> AsyncIterator[tuple[Server, Upstream]]:
    """Yield a server that behaves like that, and a client of it."""
    async with (
        Server(behaviour).serve() as server,
        client.opened("test", HttpUrl(server.url), SecretStr(SECRET), policy) as upstream,
    ):
        yield server, upstream


async def ask(upstream: Upstream, method: str = "GET", **options: Any) -> Answer:
    """Call the upstream, which has to have answered when the test is still patient."""
    async with asyncio.timeout(PATIENCE_SECONDS + 30):
        return await upstream.call(method, "/things?x=1", answers={200: Answer}, fallback=refuse, **options)


async def reason_of(call: Awaitable[object]) -> Reason | None:
    """Return why a call failed, or None if it did not."""
    try:
        await call
    except UpstreamUnavailable as failure:
        return failure.reason
    return None


async def test_a_good_answer() -> None:
    async with calling(answers(GOOD, Set_Cookie="session=4711")) as (server, upstream):
        with traces.span("something of ours"):
            trace = traces.trace_id()
            for _ in range(2):
                answer = await ask(upstream, "POST", json={"name": "é"}, idempotency_key="key-1")
                assert answer == Answer(value=7)
    first, second = server.asked
    assert first.line == "POST /things?x=1 HTTP/1.1"
    assert first.body == '{"name":"é"}'.encode()
    assert first.headers["authorization"] == f"Bearer {SECRET}"
    assert first.headers["idempotency-key"] == "key-1"
    assert first.headers["x-request-id"]
    assert trace
    assert trace in first.headers["traceparent"]
    assert "cookie" not in second.headers, "the next call may be somebody else's"


MISBEHAVIOUR: dict[str, tuple[Behaviour, Reason]] = {
    "slow": (misbehaving.is_slow, Reason.SLOW),
    "trickling": (misbehaving.trickles, Reason.SLOW),
    "resetting": (misbehaving.resets, Reason.BROKEN),
    "hanging up": (misbehaving.hangs_up, Reason.BROKEN),
    "not HTTP": (misbehaving.speaks_no_http, Reason.BROKEN),
    "huge": (misbehaving.never_ends, Reason.NONSENSE),
    # Unpacked it could be a thousand times larger than what we let in.
    "packed": (answers(gzip.compress(GOOD), Content_Encoding="gzip"), Reason.NONSENSE),
    "failing": (answers(GOOD, 500), Reason.FAILED),
    "overloaded": (answers(b"", 503, Retry_After="1"), Reason.FAILED),
    "limiting": (answers(b"", 429), Reason.LIMITED),
    "in progress": (answers(b"", 409, Retry_After="1"), Reason.LIMITED),
    "refusing": (answers(b"", 422), Reason.REFUSED),
    "another success": (answers(GOOD, 201), Reason.NONSENSE),
    "HTML": (answers(b"<html>Welcome</html>"), Reason.NONSENSE),
    "nothing": (answers(b""), Reason.NONSENSE),
    "null": (answers(b"null"), Reason.NONSENSE),
    "a list": (answers(b"[7]"), Reason.NONSENSE),
    "a wrong type": (answers(b'{"value": "7"}'), Reason.NONSENSE),
    "a missing member": (answers(b'{"values": 7}'), Reason.NONSENSE),
    "half of it": (answers(b'{"value": 7'), Reason.NONSENSE),
    "no UTF-8": (answers(b'{"value": 7, "of": "\xff"}'), Reason.NONSENSE),
    "a deep answer": (answers(b"[" * 5_000), Reason.NONSENSE),
}


@pytest.mark.parametrize("how", MISBEHAVIOUR)
async def test_misbehaviour_ends_in_time_and_says_what_it_was(
    how: str, capsys: pytest.CaptureFixture[str], settings_without_database: Settings
) -> None:
    behaviour, reason = MISBEHAVIOUR[how]
    by_itself = reason is not Reason.SLOW
    async with calling(behaviour, CALM if by_itself else QUICK) as (server, upstream):
        began = time.monotonic()
        with pytest.raises(UpstreamUnavailable) as failed:
            await ask(upstream, "POST", json={"card": SECRET})
        assert time.monotonic() - began < PATIENCE_SECONDS
    assert failed.value.reason is reason
    assert failed.value.detail == f"The upstream test {reason.value}. Try again."
    assert len(server.asked) == 1 or not by_itself
    # With what was sent and received in it nobody could look at the log, or at a trace.
    told = capsys.readouterr().out + "".join(traceback.format_exception(failed.value))
    assert reason.value in told
    assert not [secret for secret in (SECRET, "hunter2", "Welcome", '"value"') if secret in told]


async def test_nobody_at_home() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = HttpUrl(f"http://127.0.0.1:{taken.getsockname()[1]}")
        async with client.opened("test", url, None, CALM) as upstream:
            assert await reason_of(ask(upstream)) is Reason.UNREACHABLE


async def test_nobody_picks_up() -> None:
    patient = change(CALM, connect_seconds=0.3)
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(socket.socket())
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        for _ in range(3):  # all that fit into its queue
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(busy.getsockname())
        url = HttpUrl(f"http://127.0.0.1:{busy.getsockname()[1]}")
        async with client.opened("test", url, None, patient) as upstream:
            began = time.monotonic()
            assert await reason_of(ask(upstream)) is Reason.UNREACHABLE
            assert time.monotonic() - began < PATIENCE_SECONDS


async def test_redirects_are_not_followed() -> None:
    async with Server(answers(GOOD)).serve() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            async with calling(answers(b"", status, Location=f"{elsewhere.url}/things")) as (_, upstream):
                assert await reason_of(ask(upstream)) is Reason.NONSENSE
    assert elsewhere.asked == []


async def test_an_answer_to_something_else_is_nonsense() -> None:
    async with calling(answers(GOOD)) as (_, upstream):
        assert await reason_of(ask(upstream, fits=lambda answer: answer.value == 8)) is Reason.NONSENSE
        assert await reason_of(ask(upstream, fits=lambda answer: answer.value == 7)) is None


async def test_calls_are_counted_by_what_became_of_them() -> None:
    before = {key: sum(series[:-1]) for key, series in client.DURATION.series.items()}
    async with calling(in_turn(answers(GOOD), answers(b""))) as (_, upstream):
        assert [await reason_of(ask(upstream)) for _ in range(3)] == [None, Reason.NONSENSE, Reason.NONSENSE]
    after = {key: sum(series[:-1]) - before.get(key, 0) for key, series in client.DURATION.series.items()}
    counted = {dict(key)["outcome"]: count for key, count in after.items() if dict(key)["upstream"] == "test"}
    assert {outcome: count for outcome, count in counted.items() if count} == {"answered": 1, "nonsense": 2}


async def test_the_fallback_is_what_the_caller_has_said() -> None:
    async with calling(answers(b"", 500)) as (_, upstream):
        failures: list[UpstreamUnavailable] = []
        assert await upstream.call("GET", "/", answers={200: Answer}, fallback=failures.append) is None
    assert [failure.reason for failure in failures] == [Reason.FAILED]


async def test_a_call_takes_no_longer_than_its_request_may() -> None:
    generous = change(QUICK, total_seconds=60, read_seconds=60)
    for behaviour in (misbehaving.is_slow, misbehaving.trickles):
        async with calling(behaviour, generous) as (_, upstream):
            began = time.monotonic()
            with deadline.within(0.3):
                assert await reason_of(ask(upstream)) is Reason.LATE
                assert await reason_of(ask(upstream)) is Reason.LATE, "nothing is left"
            assert time.monotonic() - began < PATIENCE_SECONDS


# Retries.


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Behave like the first, then like the next, and on like the last."""
    turns = list(behaviours)

    async def behave(writer: asyncio.StreamWriter) -> None:
        await (turns.pop(0) if len(turns) > 1 else turns[0])(writer)

    return behave


PATIENT = change(CALM, attempts=3)
FAILS = answers(b"", 500)


@pytest.mark.parametrize(
    ("method", "key", "times"),
    [
        *(("GET", None, 2), ("PUT", None, 2), ("DELETE", None, 2), ("POST", "key", 2)),
        *(("POST", None, 1), ("PATCH", None, 1)),
    ],
)
async def test_what_is_safe_is_asked_again(method: str, key: str | None, times: int) -> None:
    async with calling(in_turn(FAILS, answers(GOOD)), PATIENT) as (server, upstream):
        failed = await reason_of(ask(upstream, method, idempotency_key=key))
    assert (failed is None) == (times == 2)
    assert len(server.asked) == times
    assert {asked.headers.get("idempotency-key") for asked in server.asked} == {key}


@pytest.mark.parametrize("how", ["slow", "resetting", "hanging up", "limiting", "HTML"])
async def test_whatever_may_be_different_next_time_is_asked_again(how: str) -> None:
    policy = change(PATIENT, read_seconds=1) if how == "slow" else PATIENT
    async with calling(in_turn(MISBEHAVIOUR[how][0], answers(GOOD)), policy) as (server, upstream):
        assert (await ask(upstream)).value == 7
    assert len(server.asked) == 2


async def test_it_is_not_asked_for_ever_and_not_for_what_will_not_change() -> None:
    for behaviour, times in ((FAILS, 3), (answers(b"", 422), 1), (answers(b"", 404), 1)):
        async with calling(behaviour, PATIENT) as (server, upstream):
            assert await reason_of(ask(upstream)) is not None
        assert len(server.asked) == times


async def test_it_is_left_alone_for_as_long_as_it_asks() -> None:
    later = answers(b"", 503, Retry_After="1")
    async with calling(in_turn(later, answers(GOOD)), PATIENT) as (server, upstream):
        began = time.monotonic()
        assert (await ask(upstream)).value == 7
        assert time.monotonic() - began >= 1
    impatient = change(PATIENT, total_seconds=0.9)
    async with calling(in_turn(later, answers(GOOD)), impatient) as (server, upstream):
        with pytest.raises(UpstreamUnavailable) as failed:
            await ask(upstream)
    assert len(server.asked) == 1
    assert failed.value.headers == {"Retry-After": "1"}


async def test_pauses_grow_and_differ() -> None:
    pauses: list[float] = []
    before = get_on_retry_hooks()
    set_on_retry_hooks([lambda details: pauses.append(details.wait_for)])
    try:
        async with calling(FAILS, PATIENT) as (_, upstream):
            await asyncio.gather(*(reason_of(ask(upstream)) for _ in range(4)))
    finally:
        set_on_retry_hooks(before)
    first, second = pauses[:4], pauses[4:]
    assert len(second) == 4
    assert all(0.1 <= pause <= 0.2 for pause in first), first
    assert all(0.2 <= pause <= 0.3 for pause in second), second
    assert len({*pauses}) == 8


async def test_retries_do_not_multiply_the_load_of_an_upstream_in_trouble() -> None:
    many = 60
    async with calling(FAILS, change(PATIENT, concurrency=200)) as (server, upstream):
        await asyncio.gather(*(reason_of(ask(upstream)) for _ in range(many)))
    assert many < len(server.asked) <= many + retries.BURST + many * retries.SHARE


# The breaker.

FRAGILE = change(CALM, breaker_failures=3, breaker_open_seconds=0.6)


@pytest.mark.parametrize("how", ["slow", "failing"])
async def test_who_keeps_failing_is_left_alone_until_it_works_again(
    how: str, capsys: pytest.CaptureFixture[str], settings_without_database: Settings
) -> None:
    behaviour, reason = MISBEHAVIOUR[how]
    policy = change(FRAGILE, read_seconds=0.2) if how == "slow" else FRAGILE
    async with calling(behaviour, policy) as (server, upstream):
        for _ in range(3):
            assert await reason_of(ask(upstream)) is reason
        began = time.monotonic()
        for _ in range(50):
            assert await reason_of(ask(upstream)) is Reason.OPEN
        if time.monotonic() - began < 0.5:
            assert len(server.asked) == 3
        assert capsys.readouterr().out.count("upstream is left alone") == 1

        await asyncio.sleep(0.7)
        assert await reason_of(ask(upstream)) is reason, "the probe"
        assert await reason_of(ask(upstream)) is Reason.OPEN
        server.behaviour = answers(GOOD)
        await asyncio.sleep(0.7)
        for _ in range(5):
            assert (await ask(upstream)).value == 7
        assert capsys.readouterr().out.count("upstream is back") == 1


async def test_one_at_a_time_looks_whether_it_is_back() -> None:
    patient = change(FRAGILE, breaker_failures=1, read_seconds=20, total_seconds=20)
    async with calling(FAILS, patient) as (server, upstream):
        assert await reason_of(ask(upstream)) is Reason.FAILED
        server.behaviour = misbehaving.is_slow
        await asyncio.sleep(0.7)
        probe = asyncio.create_task(reason_of(ask(upstream)))
        while len(server.asked) < 2:  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert {await reason_of(ask(upstream)) for _ in range(10)} == {Reason.OPEN}
        assert len(server.asked) == 2

        # Whoever gives up has learnt nothing: the next one looks.
        probe.cancel()
        await asyncio.wait([probe])
        server.behaviour = answers(GOOD)
        assert (await ask(upstream)).value == 7


async def test_a_refusal_is_no_failure_and_neither_is_our_own_hurry() -> None:
    for status in (400, 401, 404, 409, 422, 429):
        async with calling(answers(b"", status), FRAGILE) as (server, upstream):
            for _ in range(6):
                assert await reason_of(ask(upstream)) in {Reason.REFUSED, Reason.LIMITED}
            assert len(server.asked) == 6
    async with calling(misbehaving.is_slow, change(FRAGILE, read_seconds=10)) as (_, upstream):
        for _ in range(6):
            with deadline.within(0.02):
                assert await reason_of(ask(upstream)) is Reason.LATE


async def test_a_few_failures_among_many_successes_open_nothing() -> None:
    turns = [FAILS if number % 4 == 0 else answers(GOOD) for number in range(40)]
    async with calling(in_turn(*turns), FRAGILE) as (server, upstream):
        said = Counter([await reason_of(ask(upstream)) for _ in range(40)])
    assert said == {None: 30, Reason.FAILED: 10}
    assert len(server.asked) == 40


# The bulkhead.


async def test_a_slow_upstream_holds_up_only_so_many_of_us() -> None:
    async with calling(
        misbehaving.is_slow, change(QUICK, total_seconds=1.5, read_seconds=1, concurrency=3, wait_seconds=0.05)
    ) as (server, upstream):
        began = time.monotonic()
        said = Counter(await asyncio.gather(*(reason_of(ask(upstream)) for _ in range(30))))
        assert time.monotonic() - began < PATIENCE_SECONDS
    assert said == {Reason.SLOW: 3, Reason.BUSY: 27}
    assert server.at_once == 3
    async with calling(answers(GOOD), change(CALM, concurrency=3, wait_seconds=20)) as (server, upstream):
        assert len(await asyncio.gather(*(ask(upstream) for _ in range(30)))) == 30
    assert server.at_once <= 3


# A service that calls.

router = APIRouter(prefix="/probe", dependencies=[public])


@router.get("/calls")
async def call_upstream(upstreams: CalledUpstreams) -> int:
    """Do what cannot be done alone."""
    return (await upstreams.payments.call("GET", "/", answers={200: Answer}, fallback=refuse)).value


@router.get("/alone")
async def answer_alone() -> int:
    """Do what can."""
    return 1


@pytest.fixture
def service(
    settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Server, Policy], contextlib.AbstractAsyncContextManager[Any]]:
    """Starts a service that calls this server, with this policy."""

    def start(server: Server, policy: Policy) -> contextlib.AbstractAsyncContextManager[Any]:
        monkeypatch.setattr("app.main.routers", [router])
        monkeypatch.setattr(client, "Policy", lambda: policy)
        changes = {"payments_url": HttpUrl(server.url), "request_timeout_seconds": 1}
        return serving(settings_without_database.model_copy(update=changes))

    return start


Start = Callable[[Server, Policy], contextlib.AbstractAsyncContextManager[Any]]


@pytest.mark.parametrize("how", ["slow", "trickling", "resetting", "failing", "HTML"])
async def test_what_needs_the_upstream_answers_in_time_and_the_rest_as_ever(service: Start, how: str) -> None:
    policy = change(QUICK, concurrency=5, wait_seconds=0.05, breaker_failures=5)
    async with Server(MISBEHAVIOUR[how][0]).serve() as server, service(server, policy) as http:

        async def timed(path: str) -> tuple[int, float]:
            began = time.monotonic()
            answer = await http.get(path)
            if answer.status_code != HTTPStatus.OK:
                assert answer.json()["code"] == "upstream_unavailable"
                assert answer.json()["detail"].startswith("The upstream payments ")
                assert int(answer.headers["retry-after"]) >= 1
            return answer.status_code, time.monotonic() - began

        calls = [asyncio.create_task(timed("/probe/calls")) for _ in range(100)]
        alone = [await timed("/probe/alone") for _ in range(50)]
        called = await asyncio.gather(*calls)
    assert {status for status, _ in called} == {HTTPStatus.SERVICE_UNAVAILABLE}
    assert {status for status, _ in alone} == {HTTPStatus.OK}
    assert sorted(seconds for _, seconds in called)[98] < PATIENCE_SECONDS
    assert statistics.median(seconds for _, seconds in alone) < TOTAL_SECONDS


async def test_the_answer_says_what_happened_before_the_requests_own_time_is_over(service: Start) -> None:
    endless = change(QUICK, total_seconds=60, read_seconds=60)
    async with Server(misbehaving.is_slow).serve() as server, service(server, endless) as http:
        answer = await http.get("/probe/calls")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["code"] == "upstream_unavailable", "unavailable would be the limit of the whole request"


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Starts in production with this address and key, and returns what it says."""

    def start(name: str, value: str) -> str:
        monkeypatch.setenv("ENVIRONMENT", "production")
        monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit):
            load(Settings)
        return name

    return start


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYMENTS_URL", "http://payments.example.com"),
        ("PAYMENTS_URL", "https://user:hunter2@payments.example.com"),
        ("PAYMENTS_URL", "https://payments.example.com?key=hunter2"),
        ("PAYMENTS_KEY", "hunter2 "),
        ("PAYMENTS_KEY", "hunter2\n"),
        ("PAYMENTS_KEY", "hünter2"),
    ],
)
def test_an_address_or_key_that_would_give_something_away_is_refused(
    name: str,
    value: str,
    production: Callable[[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    production(name, value)
    told = capsys.readouterr().err
    assert f"  {name}: " in told
    assert "nter2" not in told
    good = {"PAYMENTS_URL": "https://payments.example.com/v1", "PAYMENTS_KEY": "hunter2"}[name]
    production(name, good)
    assert f"  {name}: " not in capsys.readouterr().err


def test_every_reason_says_something_of_the_upstream_or_of_us() -> None:
    assert len({reason.value for reason in Reason}) == len(Reason)
    assert {Reason.REFUSED, Reason.LIMITED, Reason.BUSY, Reason.OPEN, Reason.LATE}.isdisjoint(FAILURES)
