"""A service with nothing to do says nothing, and `make soak` hears it when it does."""

import asyncio
import json

import pytest

from app.settings import Settings
from dev import soak

pytestmark = pytest.mark.row("log.quiet")

STARTED = json.dumps({"level": "info", "event": "started"})


async def test_an_idle_service_is_quiet(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", str(settings.database_url))
    monkeypatch.setattr(soak, "CHECK_SECONDS", 0.1)
    lines, problems = await asyncio.to_thread(soak.soak, 10)  # a line for each were too many
    assert problems == []
    assert any(json.loads(line)["event"] == "started" for line in lines), "it has read the log"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"level": "warning", "event": "slow"}, "warning: "),
        ({"level": "error", "event": "failed"}, "error: "),
        ({"level": "critical", "event": "failed"}, "critical: "),
        ({"event": "without a level"}, "None: "),
        ({"level": "info", "event": "Retrying in 1 s"}, "retry: "),
        ({"level": "info", "event": "call", "what": "one retry"}, "retry: "),
    ],
)
def test_one_line_is_enough(line: dict[str, str], problem: str) -> None:
    text = json.dumps(line)
    assert soak.judge([STARTED, text]) == [f"{problem}{text}"]


def test_what_is_not_json_is_shown() -> None:
    assert soak.judge([STARTED, "Traceback (most recent call last):"]) == [
        "not JSON: Traceback (most recent call last):"
    ]


def test_ten_lines_are_chatter() -> None:
    assert soak.judge([STARTED] * 9) == []
    assert soak.judge([STARTED] * 10) == ["10 lines where fewer than 10 are expected:", "  10 x info started"]
