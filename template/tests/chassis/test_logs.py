"""One JSON object a line, whoever logs."""

import json
import logging
from datetime import UTC, datetime

import pytest
import structlog

from app.chassis.settings import LogFormat
from app.chassis.telemetry import logs
from app.settings import Settings


def configure(settings: Settings) -> None:
    """Log as production does."""
    logs.configure(settings.model_copy(update={"log_format": LogFormat.JSON}))


def test_our_lines_and_a_librarys_look_alike(
    settings_without_database: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(settings_without_database)
    structlog.get_logger().info("order placed", order_id="4711")
    logging.getLogger("library").warning("slow: %s", "disk")

    ours, librarys = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in (ours, librarys):
        assert datetime.fromisoformat(line["timestamp"]).tzinfo == UTC
        assert {"service", "release", "environment"} <= line.keys()
    assert (ours["event"], ours["level"], ours["order_id"]) == ("order placed", "info", "4711")
    assert (librarys["event"], librarys["level"]) == ("slow: disk", "warning")


def test_an_exception_stays_on_its_line(
    settings_without_database: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(settings_without_database)
    try:
        raise ValueError("told\nto the log")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("failed too")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["level"] for line in lines] == ["error", "error"]
    assert all("ValueError: told\nto the log" in line["exception"] for line in lines)


def test_what_is_below_the_level_is_not_written(
    settings_without_database: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(settings_without_database)
    structlog.get_logger().debug("chatter")
    logging.getLogger("library").debug("chatter")
    assert not capsys.readouterr().out
