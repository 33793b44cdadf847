"""One trace through everything: spans with routes, statements and what is called, ids where nothing is sampled."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from fastapi import APIRouter
from httpx2 import AsyncClient
from opentelemetry.trace import SpanKind, get_current_span
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from app.chassis import telemetry
from app.chassis.data.engine import create_engine
from app.chassis.settings import LogFormat
from app.chassis.telemetry import otlp, traces
from app.settings import Settings
from dev.environment import PROJECT
from tests.chassis.probe import router as probes
from tests.chassis.process import NOWHERE, running, serving
from tests.chassis.receivers import CLIENT, SERVER, Receiver, Span, receiving

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"

pytestmark = pytest.mark.row("monitor.traces")


@pytest.fixture
def collector() -> Iterator[Receiver]:
    """What takes traces and metrics."""
    with receiving() as each:
        yield each


def sending(settings: Settings, collector: Receiver, **more: object) -> Settings:
    """Return these settings, with everything sent to the collector."""
    return settings.model_copy(
        update={
            "otlp_endpoint": collector.url,
            "trace_sample_ratio": 1,
            "release": "4711",
            "log_format": LogFormat.JSON,
            **more,
        }
    )


def requests(collector: Receiver) -> list[Span]:
    """Return the spans of requests, without those of the rate limit's statements."""
    return [each for each in collector.spans() if each.kind == SERVER]


async def test_a_request_and_its_statements_are_spans_of_one_trace(settings: Settings, collector: Receiver) -> None:
    async with serving(sending(settings, collector)) as client:
        await client.get("/probe/statement?token=hunter2")
        await client.get("/health/ready")

    [request] = requests(collector)
    [statement] = [each for each in collector.spans() if each.name == "SELECT"]
    assert (request.name, request.kind, request.parent_id) == ("GET /probe/statement", SERVER, "")
    assert request.attributes["http.route"] == "/probe/statement"
    assert request.attributes["http.response.status_code"] == 200
    assert (request.resource["service.version"], request.resource["app.process"]) == ("4711", "api")
    assert (statement.name, statement.kind) == ("SELECT", CLIENT)
    assert (statement.trace_id, statement.parent_id) == (request.trace_id, request.span_id)
    assert "SELECT 1" in statement.attributes["db.query.text"]
    assert "hunter2" not in collector.everything


async def test_a_path_is_named_by_its_route(settings: Settings, collector: Receiver) -> None:
    async with serving(sending(settings, collector)) as client:
        await client.get("/probe/somebody/hunter2")
        await client.get("/nowhere/hunter2")
        await client.request("HUNTER2", "/probe")

    assert [each.name for each in requests(collector)] == ["GET /probe/somebody/{name}", "GET", "_OTHER /probe"]
    assert "hunter2" not in collector.everything.lower()


async def test_a_route_is_named_with_all_its_prefixes(
    settings: Settings, collector: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = APIRouter(prefix="/outer")
    outer.include_router(probes, prefix="/inner")
    monkeypatch.setattr("app.main.routers", [outer])
    async with serving(sending(settings, collector)) as client:
        await client.get("/outer/inner/probe/somebody/hunter2")
    assert [each.name for each in requests(collector)] == ["GET /outer/inner/probe/somebody/{name}"]


async def test_a_failed_request_says_why(settings: Settings, collector: Receiver) -> None:
    async with serving(sending(settings, collector)) as client:
        await client.get("/probe/fails")

    [span] = requests(collector)
    assert span.failed
    assert span.attributes["error.type"] == "RuntimeError"
    [event] = span.events
    assert (event["event"], event["exception.type"]) == ("exception", "RuntimeError")
    assert "password=[redacted]" in event["exception.stacktrace"]
    assert "hunter2" not in collector.everything


async def test_a_refused_request_has_not_failed(settings: Settings, collector: Receiver) -> None:
    async with serving(sending(settings, collector)) as client:
        await client.get("/probe/raises?status=404")
    [span] = requests(collector)
    assert not span.failed


async def test_a_callers_trace_goes_on(settings: Settings, collector: Receiver) -> None:
    async with serving(sending(settings, collector, trace_sample_ratio=0)) as client:
        await client.get("/probe", headers={"traceparent": SAMPLED, "tracestate": "\x01,=="})
        await client.get("/probe", headers={"traceparent": UNSAMPLED})
        await client.get("/probe")
    [span] = requests(collector)
    assert (span.trace_id, span.parent_id) == (TRACE, CALLER)


@pytest.mark.parametrize("collected", [True, False])
@pytest.mark.parametrize("ratio", [0, 1])
async def test_every_line_has_the_traces_id(
    collected: bool,
    ratio: int,
    settings: Settings,
    collector: Receiver,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with_or_without = sending(settings, collector, trace_sample_ratio=ratio)
    if not collected:
        with_or_without = with_or_without.model_copy(update={"otlp_endpoint": ""})
    async with serving(with_or_without) as client:
        await client.get("/probe/fails")
        await client.get("/probe/fails", headers={"traceparent": UNSAMPLED})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [first, first_too], [second, second_too] = (
        [each["trace_id"] for each in lines if each["event"] == event] for event in ("request failed", "request")
    )
    assert (first, first_too) == (second, TRACE)
    assert second_too == TRACE
    assert len(first) == 32
    assert first != TRACE


def test_what_is_handed_on_is_what_came() -> None:
    with traces.attach({"traceparent": UNSAMPLED}):
        assert traces.inject() == {"traceparent": UNSAMPLED}
        with traces.span("work"):
            assert traces.inject()["traceparent"] == UNSAMPLED
    assert traces.inject() == {}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        SAMPLED.upper(),
        SAMPLED[:-1],
    ],
)
def test_nonsense_begins_a_trace(header: str) -> None:
    with traces.attach({"traceparent": header}):
        assert traces.trace_id() is None
        with traces.span("work"):
            assert traces.trace_id() not in {None, TRACE}


async def test_from_request_to_job_to_another_service(settings: Settings, collector: Receiver) -> None:
    engine = create_engine(settings)
    async with telemetry.opened(sending(settings, collector), "worker", engine):
        with traces.span("request", SpanKind.SERVER):
            payload = traces.inject()
        with (
            traces.attach(payload),
            traces.span("job", SpanKind.CONSUMER, attempt=1),
            traces.span("call", SpanKind.CLIENT),
        ):
            sent = traces.inject()
    await engine.dispose()
    request, call, job = sorted(collector.spans(), key=lambda each: ["request", "call", "job"].index(each.name))
    assert {request.trace_id, job.trace_id, call.trace_id} == {traces.extract(sent).trace_id.to_bytes(16).hex()}
    assert (job.parent_id, call.parent_id) == (request.span_id, job.span_id)
    assert sent["traceparent"] == f"00-{call.trace_id}-{call.span_id}-01"
    assert job.attributes["attempt"] == 1


async def test_a_statement_that_fails(settings: Settings, collector: Receiver) -> None:
    engine = create_engine(settings)
    values = {"name": "Lovelace"}
    async with telemetry.opened(sending(settings, collector), "worker", engine):
        with pytest.raises(SQLAlchemyError), traces.span("work"):
            async with engine.connect() as connection:
                await connection.execute(text("SELECT CAST(:name AS integer)"), values)
        with traces.span("work"):
            get_current_span().set_attribute("password", "hunter2")
    await engine.dispose()
    statement, _, secret = collector.spans()
    assert statement.failed
    assert "Lovelace" not in collector.everything
    assert secret.attributes == {"password": "[redacted]"}


@pytest.mark.parametrize("status", [503, 400])
async def test_a_collector_that_refuses_harms_nobody(
    status: int,
    settings: Settings,
    collector: Receiver,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(otlp, "DELAY_SECONDS", 0.05)
    monkeypatch.setattr(otlp, "METRICS_SECONDS", 0.05)
    monkeypatch.setattr(otlp, "TIMEOUT_SECONDS", 0.5)
    collector.status = status
    async with serving(sending(settings, collector)) as client:
        await _until_sent(client, collector, posts=6)
        collector.status = 200
        await _until_sent(client, collector, posts=12)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for event, level in (("telemetry is not sent", "warning"), ("telemetry is sent again", "info")):
        said = [(each["level"], each["what"]) for each in lines if each["event"] == event]
        assert sorted(said) == [(level, "metrics"), (level, "traces")]
    assert {each["event"] for each in lines if each["level"] != "info"} == {"telemetry is not sent"}


async def _until_sent(client: AsyncClient, collector: Receiver, posts: int) -> None:
    wanted = len(collector.posts) + posts
    async with asyncio.timeout(30):
        while len(collector.posts) < wanted:
            assert (await client.get("/probe")).status_code == 200
            await asyncio.sleep(0.02)


async def test_a_collector_that_stalls_holds_up_the_end_no_longer_than_is_due(
    settings: Settings, collector: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "FLUSH_SECONDS", 0.5)
    collector.released.clear()
    async with serving(sending(settings, collector)) as client:
        assert (await client.get("/probe")).status_code == 200
        started = time.monotonic()
    assert time.monotonic() - started < 4


async def test_more_than_can_be_sent_is_dropped(
    settings: Settings, collector: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "MAX_SPANS", 512)
    collector.released.clear()
    engine = create_async_engine("postgresql+asyncpg://")
    async with telemetry.opened(sending(settings, collector), "worker", engine):
        for _ in range(5000):
            with traces.span("work"):
                pass
        collector.released.set()
    assert 512 <= len(collector.spans()) <= 512 * 3


def test_the_process_ends_in_time_whoever_does_not_listen() -> None:
    with (
        receiving() as collector,
        running(
            "tests.chassis.probe", database_url=NOWHERE, otlp_endpoint=collector.url, sentry_dsn=collector.dsn
        ) as service,
    ):
        collector.released.clear()
        with service.connect() as connection:
            connection.sendall(b"GET /probe/fails HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b" 500 " in connection.recv(1000)
        started = time.monotonic()
        service.process.terminate()
        assert service.process.wait(30) == 0
        assert time.monotonic() - started < telemetry.FLUSH_SECONDS * 5


OFF = """
import asyncio, sys
from app.chassis.settings import load
from app.main import build
from app.settings import Settings

async def main():
    app = build(load(Settings))
    async with app.router.lifespan_context(app):
        pass

asyncio.run(main())
print("imported:", *sorted({name for name in sys.modules for heavy in HEAVY if name.startswith(heavy)}))
"""
HEAVY = ["opentelemetry.sdk", "opentelemetry.exporter", "google.protobuf", "requests", "sentry_sdk"]


def test_nothing_is_imported_for_what_is_off() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", OFF.replace("HEAVY", repr(HEAVY))],
        env=os.environ | {"DATABASE_URL": NOWHERE},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == "imported:"
