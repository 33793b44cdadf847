"""A command in an environment, as a task of its own."""

import pytest

from ops import task
from ops.outcome import Outcome
from tests.ops.cloud import PREFIX, Cloud


def test_it_runs_on_the_image_that_serves_and_tells_what_it_said(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.aws.logs.create_log_group(logGroupName=f"/{PREFIX}")
    digest = cloud.serve("one")
    assert cloud.run(task.once, command="python -m app.chassis.flags show") is Outcome.DONE
    assert cloud.checked == [["python", "-m", "app.chassis.flags", "show"]]
    said = capsys.readouterr().out.splitlines()
    assert said[-3].endswith(f"python -m app.chassis.flags show with {digest}")
    assert said[-1] == cloud.report
    cloud.check = (2, "Essential container in task exited")
    assert cloud.run(task.once, command="false") is Outcome.UNDONE


def test_nothing_to_run_it_on(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.run(task.once, command="true") is Outcome.REFUSED
    assert "has never served a release" in capsys.readouterr().err
