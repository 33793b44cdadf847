"""What nobody foresaw reaches Sentry: once, with release, environment, trace and request, without secrets."""

import json
import time
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from sqlalchemy.ext.asyncio import create_async_engine

from app.chassis import telemetry
from app.chassis.telemetry import errors, sentry, traces
from app.settings import Settings
from tests.chassis.process import serving
from tests.chassis.receivers import Receiver, receiving
from tests.chassis.test_redaction import patiently, told

TRACE = "0af7651916cd43dd8448eb211c80319c"

pytestmark = pytest.mark.row("monitor.errors")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """What takes exceptions."""
    with receiving() as each:
        yield each


def sending(settings: Settings, receiver: Receiver) -> Settings:
    """Return these settings, with exceptions sent to this Sentry."""
    return settings.model_copy(update={"sentry_dsn": receiver.dsn, "release": "4711"})


async def test_a_failed_request_is_reported_once(settings: Settings, receiver: Receiver) -> None:
    async with serving(sending(settings, receiver)) as client:
        answer = await client.get(
            "/probe/fails?token=hunter2",
            headers={
                "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
                "Cookie": "session=hunter2",
                "Authorization": "Bearer hunter2",
            },
        )

    [event] = receiver.exceptions()
    [exception] = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("RuntimeError", "password=[redacted]")
    assert (event["release"], event["environment"]) == ("4711", "development")
    assert event["contexts"]["trace"]["trace_id"] == TRACE
    assert event["tags"]["request_id"] == answer.headers["X-Request-ID"]
    assert (event["tags"]["route"], event["tags"]["process"]) == ("/probe/fails", "api")
    assert not {"request", "user", "breadcrumbs", "modules", "extra"} & event.keys()
    frames = exception["stacktrace"]["frames"]
    assert frames[-1]["function"] == "fail"
    assert not any("vars" in frame for frame in frames)
    assert "hunter2" not in receiver.everything.replace('raise RuntimeError(\\"password=hunter2\\")', "")


@pytest.mark.parametrize("path", ["/probe/raises?status=404", "/probe/raises?status=503", "/nowhere"])
async def test_a_refused_request_is_not_reported(path: str, settings: Settings, receiver: Receiver) -> None:
    async with serving(sending(settings, receiver)) as client:
        await client.get(path)
    assert not receiver.posts


async def test_an_exception_that_passes_twice_is_reported_once(settings: Settings, receiver: Receiver) -> None:
    error, other = ValueError("x"), ValueError("x")
    engine = create_async_engine("postgresql+asyncpg://")
    async with telemetry.opened(sending(settings, receiver), "worker", engine):
        with traces.span("job"), structlog.contextvars.bound_contextvars(job_id="5"):
            errors.capture(error, job="orders.settle")
            errors.capture(error, job="orders.settle")
        errors.capture(other)
    errors.capture(ValueError("after the end"))
    first, second = sorted(receiver.exceptions(), key=lambda each: len(each["tags"]), reverse=True)
    assert first["tags"] == {"process": "worker", "job_id": "5", "job": "orders.settle"}
    assert len(first["contexts"]["trace"]["trace_id"]) == 32
    assert second["tags"] == {"process": "worker"}


@pytest.mark.row("log.redaction")
async def test_no_secret_is_reported(settings: Settings, receiver: Receiver) -> None:
    engine = create_async_engine("postgresql+asyncpg://")
    secrets = []

    @patiently
    @given(told())
    def pushed(case: tuple[str, str]) -> None:
        secret, text = case
        secrets.append(secret)
        try:
            try:
                raise KeyError(text)
            except KeyError as error:
                raise RuntimeError(text) from error
        except RuntimeError as error:
            errors.capture(error, fact=text)

    async with telemetry.opened(sending(settings, receiver), "worker", engine):
        pushed()
    assert len(receiver.exceptions()) > 10
    for secret in secrets:
        assert secret not in receiver.everything
        assert json.dumps(secret)[1:-1] not in receiver.everything


@pytest.mark.parametrize("stalls", [False, True])
async def test_a_sentry_that_does_not_listen_harms_nobody(
    stalls: bool,
    settings: Settings,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(telemetry, "FLUSH_SECONDS", 0.5)
    monkeypatch.setattr(sentry, "FLUSH_SECONDS", 0.5)
    if stalls:
        receiver.released.clear()
    else:
        receiver.server.server_close()
    async with serving(sending(settings, receiver)) as client:
        assert (await client.get("/probe/fails")).status_code == 500
        for _ in range(200):  # more than are kept
            errors.capture(ValueError("x"))
        started = time.monotonic()
    assert time.monotonic() - started < 5
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "telemetry is not sent" in line]) == 1
    assert len([line for line in lines if "[warning" in line]) <= 3, "and that the issuer, the flags do not answer"
