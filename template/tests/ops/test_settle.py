"""CI kills what it cancels. What it left half-done goes back, and whoever looks at the run reads what serves."""

from pathlib import Path

import pytest

from ops import deploy, journal, settle
from ops.outcome import Outcome
from tests.ops.cloud import Cloud, KilledError
from tests.ops.test_deploy import CHANGES, kill_after, revive

pytestmark = pytest.mark.row("deliver.rollback")


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> Path:
    """What GitHub shows of the run."""
    path = tmp_path / "summary.md"
    path.write_text("")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    assert cloud.operation
    return path


@pytest.mark.parametrize("number", [1, 5, 8, 9, 10])
def test_a_deploy_that_was_killed_goes_back(cloud: Cloud, summary: Path, number: int) -> None:
    old, new = cloud.serve("old"), cloud.push("new")
    kill_after(cloud, number, CHANGES)
    with pytest.raises(KilledError):
        cloud.run(deploy.deploy, digest=new)
    revive(cloud)
    assert cloud.run(settle.settle) is Outcome.UNDONE
    assert cloud.serving() == {old}
    assert summary.read_text() == f"staging serves {old}.\n"
    assert cloud.run(settle.settle) is Outcome.DONE


def test_nothing_is_done_after_one_that_went_back_by_itself(cloud: Cloud, summary: Path) -> None:
    old = cloud.serve("old")
    assert cloud.run(deploy.deploy, digest=cloud.push("new", "rude")) is Outcome.UNDONE
    cloud.calls.clear()
    assert cloud.run(settle.settle) is Outcome.DONE
    assert not [name for name in cloud.calls if name.startswith(CHANGES)]
    assert summary.read_text() == f"staging serves {old}.\n"


def test_a_release_that_stops_serving_after_its_deploy_goes_back(cloud: Cloud, summary: Path) -> None:
    """The step behind the deploy has walked through it, and failed."""
    old, new = cloud.push("old"), cloud.push("new")
    for digest in (old, new):
        assert cloud.run(deploy.deploy, digest=digest) is Outcome.DONE
    cloud.images[new] = "rude"
    assert cloud.run(settle.settle) is Outcome.UNDONE
    assert cloud.serving() == {old}
    assert summary.read_text() == f"staging serves {old}.\n"


def test_a_release_that_serves_stays(cloud: Cloud, summary: Path) -> None:
    cloud.serve("old")
    new = cloud.push("new")
    assert cloud.run(deploy.deploy, digest=new) is Outcome.DONE
    assert cloud.run(settle.settle) is Outcome.DONE
    assert summary.read_text() == f"staging serves {new}.\n"


def test_what_somebody_else_does_is_left_alone(cloud: Cloud, summary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.serve("old")
    kill_after(cloud, 8, CHANGES)
    with pytest.raises(KilledError):
        cloud.run(deploy.deploy, digest=cloud.push("new"))
    revive(cloud)
    monkeypatch.setattr(settle, "holder", lambda: "ada@laptop")
    cloud.calls.clear()
    assert cloud.run(settle.settle) is Outcome.UNKNOWN
    assert not [name for name in cloud.calls if name.startswith(CHANGES)]
    assert journal.holder() in summary.read_text()


def test_the_first_release_was_killed(cloud: Cloud, summary: Path) -> None:
    kill_after(cloud, 8, CHANGES)
    with pytest.raises(KilledError):
        cloud.run(deploy.deploy, digest=cloud.push("new"))
    revive(cloud)
    assert cloud.run(settle.settle) is Outcome.UNKNOWN
    assert "staging is half-done" in summary.read_text()
