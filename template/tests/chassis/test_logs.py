"""One JSON object a line, whoever logs; levels mean something."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from httpx2 import AsyncClient

from app.chassis.settings import LogFormat
from app.chassis.telemetry import logs
from app.settings import Settings
from tests.chassis.process import NOWHERE, exchange, running, serving


def configure(settings: Settings) -> None:
    """Log as production does."""
    logs.configure(settings.model_copy(update={"log_format": LogFormat.JSON}))


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the lines, read as JSON."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.row("log.structured")
def test_our_lines_and_a_librarys_look_alike(
    settings_without_database: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(settings_without_database)
    structlog.get_logger().info("order placed", order_id="4711")
    logging.getLogger("library").warning("slow: %s", "disk")

    ours, librarys = written(capsys)
    for line in (ours, librarys):
        assert datetime.fromisoformat(line["timestamp"]).tzinfo == UTC
        assert {"service", "release", "environment"} <= line.keys()
    assert (ours["event"], ours["level"], ours["order_id"]) == ("order placed", "info", "4711")
    assert (librarys["event"], librarys["level"]) == ("slow: disk", "warning")


@pytest.mark.row("log.structured")
def test_every_line_of_a_process_is_json() -> None:
    """As production has it: loggers that keep what they are configured with, and no line from elsewhere."""
    with running("tests.chassis.probe", database_url=NOWHERE, log_format="json", release="4711") as service:
        exchange(service, [b"GET /probe/fails HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"])
        exchange(service, [b"nonsense\r\n\r\n"])
        service.process.terminate()
        service.process.wait(30)
        lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    for line in lines:
        assert {"timestamp", "level", "event", "service", "release", "environment"} <= line.keys()
        assert line["timestamp"].endswith("Z")
        assert line["release"] == "4711"
    failed, request = (
        next(line for line in lines if line["event"] == event) for event in ("request failed", "request")
    )
    assert (failed["request_id"], failed["trace_id"]) == (request["request_id"], request["trace_id"])
    assert {"started", "draining", "stopped", "request refused"} <= {line["event"] for line in lines}


@pytest.mark.row("log.structured")
def test_a_crash_is_a_line_too(settings_without_database: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings_without_database)
    error = ValueError("password=hunter2")
    sys.excepthook(ValueError, error, None)
    [line] = written(capsys)
    assert (line["event"], line["level"]) == ("crashed", "critical")
    assert line["exception"] == "ValueError: password=[redacted]"


@pytest.mark.row("log.structured")
def test_no_fact_hides_what_every_line_has(
    settings_without_database: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(settings_without_database)
    structlog.get_logger().info("called", service="payments", release="1")
    [line] = written(capsys)
    assert line["release"] == settings_without_database.release
    assert (line["service_"], line["release_"]) == ("payments", "1")


REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/nowhere", {}),
    ("PATCH", "/probe", {}),
    ("POST", "/probe", {"json": {"name": "NO"}}),
    ("POST", "/probe", {"content": b"{"}),
    ("POST", "/probe", {"content": b"x" * 2_000_000}),
    ("POST", "/probe", {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
    ("GET", "/probe", {"headers": {"Host": "elsewhere.example"}}),
    ("GET", "/probe?cursor=x", {}),
    *(("GET", f"/probe/raises?status={status}", {}) for status in (400, 401, 403, 404, 409, 412, 422, 429, 451)),
]


@pytest.mark.row("log.levels")
async def test_what_a_caller_does_wrong_is_no_concern_of_ours(
    client: AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    for method, path, sent in REFUSED:
        answer = await client.request(method, path, **sent)
        assert 400 <= answer.status_code < 500, path
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if " request " in line]) == len(REFUSED)
    assert not [line for line in lines if "[info" not in line and "[debug" not in line]


@pytest.mark.row("log.levels")
async def test_what_we_do_wrong_is_one_error(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(settings.model_copy(update={"log_format": LogFormat.JSON})) as client:
        await client.get("/probe/fails")
        await client.get("/health/live")
    lines = written(capsys)
    assert [line["event"] for line in lines if line["level"] == "error"] == ["request failed"]
    assert not [line for line in lines if line.get("route") == "/health/live"], "health checks would drown the rest"


def test_an_exception_stays_on_its_line(
    settings_without_database: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(settings_without_database)
    try:
        raise ValueError("told\nto the log")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("failed too")

    lines = written(capsys)
    assert [line["level"] for line in lines] == ["error", "error"]
    assert all("ValueError: told\nto the log" in line["exception"] for line in lines)


def test_what_is_below_the_level_is_not_written(
    settings_without_database: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(settings_without_database)
    structlog.get_logger().debug("chatter")
    logging.getLogger("library").debug("chatter")
    assert not capsys.readouterr().out
