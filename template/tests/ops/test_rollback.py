"""By hand, back to a release that has served."""

import pytest

from ops import deploy, rollback
from ops.outcome import Outcome
from tests.ops.cloud import Cloud


@pytest.fixture
def releases(cloud: Cloud) -> list[str]:
    """Three, deployed one after the other: the last one serves."""
    digests = [cloud.push(name) for name in ("one", "two", "three")]
    assert [cloud.run(deploy.deploy, digest=each) for each in digests] == [Outcome.DONE] * 3
    cloud.calls.clear()
    return digests


@pytest.mark.row("deliver.rollback")
def test_to_the_one_before_and_the_one_before_that(
    cloud: Cloud, releases: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, _ = releases
    assert cloud.run(rollback.rollback, to="previous") is Outcome.DONE
    assert cloud.serving() == {two}
    assert capsys.readouterr().out.splitlines()[-1] == f"Serving now: {two}, the new release (rollback 4)."
    assert cloud.run(rollback.rollback, to="previous") is Outcome.DONE
    assert cloud.serving() == {one}
    assert cloud.run(rollback.rollback, to="previous") is Outcome.REFUSED
    # The schema stays as it is.
    assert "RunTask" not in cloud.calls


@pytest.mark.row("deliver.rollback")
def test_to_any_that_is_kept(cloud: Cloud, releases: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.run(rollback.rollback, to=releases[0]) is Outcome.DONE
    assert cloud.serving() == {releases[0]}
    assert "only one release back is proven" in capsys.readouterr().out
    # With the very task definitions of then.
    assert "RegisterTaskDefinition" not in cloud.calls


@pytest.mark.row("deliver.rollback")
@pytest.mark.parametrize("fares", ["sick", "rude"])
def test_one_that_cannot_serve_any_more(
    cloud: Cloud, releases: list[str], fares: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one, _, three = releases
    cloud.images[one] = fares
    assert cloud.run(rollback.rollback, to=one) is Outcome.UNDONE
    assert cloud.serving() == {three}
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"Serving now: {three}, the old release")


def test_to_one_that_never_served(cloud: Cloud, releases: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.run(rollback.rollback, to=cloud.push("never")) is Outcome.REFUSED
    listed = capsys.readouterr().err.splitlines()
    assert [line.strip() for line in listed if line.startswith("  sha256")] == releases[::-1]
    assert cloud.serving() == {releases[-1]}


def test_a_dry_run_changes_nothing(cloud: Cloud, releases: list[str]) -> None:
    assert cloud.run(rollback.rollback, to="previous", dry_run=True) is Outcome.DONE
    assert cloud.serving() == {releases[-1]}
    assert not {"PutParameter", "UpdateService"} & set(cloud.calls)
