"""Runs the tests that carry ids of rows, and notes how each ended. This module is also the plugin that notes it."""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from dev.environment import PROJECT
from dev.readiness.catalogue import Part, ReadinessError

pytest_plugins = ["dev.readiness.broken"]  # whose reports carry the rows


@dataclass(frozen=True)
class Evidence:
    """A test that says something about a row."""

    row: str
    test: str
    outcome: str  # passed, failed or skipped

    @property
    def function(self) -> str:
        """The test without its parameters."""
        return self.test.partition("[")[0]

    @property
    def part(self) -> Part:
        """Which part of the row it proves: where it stands decides."""
        return Part.INFRASTRUCTURE if self.test.startswith("tests/infra/") else Part.CODE


def collect() -> list[Evidence]:
    """Run them, and return what they say. Raises ReadinessError when they cannot run at all."""
    if not (PROJECT / "tests").is_dir():  # nothing is proven, and the report says what should be
        return []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "evidence.json"
        command = [sys.executable, "-m", "pytest", "-n", "auto", "-q", "--no-header", "--tb=line", "-m", "row"]
        # A file that does not load, or a folder that is gone, leaves its rows open, and no others.
        command += ["--continue-on-collection-errors", "-p", "dev.readiness.evidence", "--evidence", str(file)]
        status = subprocess.run(command, cwd=PROJECT, check=False).returncode
        ended = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}
        if status not in ended or not file.exists():
            raise ReadinessError("The tests did not run to their end; what they printed says why.")
        return [Evidence(**each) for each in json.loads(file.read_text())]


class Recorder:
    """Notes the worst that happened in each test: when it was set up, called and torn down."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.outcomes: dict[tuple[str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a worker's report of one phase of a test."""
        severity = ["passed", "skipped", "failed"]
        for name, row in report.user_properties:
            if name == "row":
                key = (str(row), report.nodeid)
                self.outcomes[key] = max(self.outcomes.get(key, "passed"), report.outcome, key=severity.index)

    def pytest_sessionfinish(self) -> None:
        """Write all of it."""
        found = [Evidence(row, test, outcome) for (row, test), outcome in sorted(self.outcomes.items())]
        self.file.write_text(json.dumps([asdict(each) for each in found]))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where to write it."""
    parser.addoption("--evidence", type=Path, help="file for what the tests say about the rows of the catalogue")


def pytest_configure(config: pytest.Config) -> None:
    """Note it once: in the process that hands out the tests."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config.getoption("--evidence")))
