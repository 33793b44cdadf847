"""A simulated environment for each test, and programs that only say what they were asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import releases
from tests.ops.cloud import Cloud, simulated
from tests.ops.programs import GH, Programs


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Programs:
    """What is called in place of gh, docker and terraform. None is on this machine by accident."""
    for name in ("GITHUB_RUN_ID", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    programs = Programs(tmp_path / "programs", monkeypatch)
    programs.add("gh", GH)
    return programs


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, programs: Programs) -> Iterator[Cloud]:
    """An environment in which nothing was ever deployed."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(releases, "ROLL_SECONDS", 120)
    with simulated(programs.folder / "gh.signed") as each:
        yield each
