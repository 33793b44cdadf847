"""`make load` measures what callers meet, and fails where a threshold is passed."""

import asyncio
from pathlib import Path

import pytest

from app.settings import Settings
from dev import load
from dev.load import Measured, Threshold

pytestmark = pytest.mark.row("run.load")

LOCUSTFILE = """
from locust import constant, task

from dev.load import Threshold
from dev.traffic import Caller, expect

expect(
    {
        "GET /probe": Threshold(p95_ms=10_000, p99_ms=10_000),
        "GET /probe/fails": Threshold(p95_ms=10_000, p99_ms=10_000),
        "GET /probe/slow": Threshold(p95_ms=10, p99_ms=10_000),
    }
)


class Anybody(Caller):
    wait_time = constant(0.05)

    @task
    def ask(self) -> None:
        self.client.get("/probe")
        self.client.get("/probe/slow?seconds=0.05", name="/probe/slow")
        self.client.get("/probe/fails")
"""


async def test_a_run_that_passes_thresholds_fails_and_leaves_a_report(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(settings.database_url))
    locustfile, report = tmp_path / "locustfile.py", tmp_path / "reports" / "load.html"
    locustfile.write_text(LOCUSTFILE)

    def run() -> int:
        return load.load([locustfile], users=2, seconds=1, report=report, modules=["tests.chassis.probe"])

    assert await asyncio.to_thread(run) == 1
    said = capfd.readouterr().out
    assert "GET /probe/fails: failed, in percent: 100, more than 0" in said
    assert "GET /probe/slow: p95 in ms: " in said
    assert "GET /probe:" not in said
    assert "GET /probe " in said
    assert "/probe/slow" in report.read_text()


@pytest.mark.parametrize(
    ("measured", "problems"),
    [
        (Measured(10, 100, 200, 1), []),
        (Measured(10, 101, 200, 1), ["GET /: p95 in ms: 101, more than 100"]),
        (Measured(10, 100, 201, 1), ["GET /: p99 in ms: 201, more than 200"]),
        (Measured(10, 100, 200, 1.5), ["GET /: failed, in percent: 1.5, more than 1"]),
    ],
)
def test_each_threshold_counts(measured: Measured, problems: list[str]) -> None:
    assert load.judge({"GET /": measured}, {"GET /": Threshold(100, 200, 1)}) == problems


def test_what_is_not_measured_or_not_promised_is_no_success() -> None:
    measured, threshold = Measured(10, 100, 200, 1), Threshold(100, 200, 1)
    assert load.judge({}, {"GET /": threshold}) == ["GET /: was never called"]
    assert load.judge({"GET /": measured}, {}) == ["GET /: has no threshold"]
