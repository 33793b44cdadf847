"""An image leaves staging when it serves there and people have said yes, and never otherwise."""

import json

import pytest

from app.identity import NAME
from ops import command, deploy, rollback
from ops.outcome import Outcome
from tests.ops.cloud import Cloud, KilledError
from tests.ops.programs import Programs
from tests.ops.test_deploy import CHANGES, kill_after, revive


@pytest.fixture
def prod(cloud: Cloud) -> Cloud:
    """Staging, and prod in the same cluster: what is proven here is what may begin, and not what it does."""
    value = json.dumps({**cloud.operations, "environment": "prod", "name": NAME})
    cloud.aws.ssm.put_parameter(Name=f"/{NAME}/prod/operations", Value=value, Type="String")
    cloud.aws.cloudwatch.put_metric_alarm(
        AlarmName=f"{NAME}-prod-broken-page",
        AlarmActions=[cloud.operations["topics"]["page"]],
        Namespace="AWS/ECS",
        MetricName="CPUUtilization",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=90,
        ComparisonOperator="GreaterThanThreshold",
    )
    return cloud


def to_prod(cloud: Cloud, digest: str) -> Outcome:
    """Prepare it without a roll-out: what follows is a deploy like any other."""
    cloud.calls.clear()
    outcome = cloud.run(deploy.deploy, environment="prod", digest=digest, dry_run=True)
    assert not [name for name in cloud.calls if name.startswith(CHANGES)]
    return outcome


@pytest.mark.row("data.deploy")
@pytest.mark.row("deliver.once")
def test_staging_first(prod: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = prod.push("one"), prod.push("two")
    assert to_prod(prod, one) is Outcome.REFUSED
    assert "staging serves nothing" in capsys.readouterr().err
    assert prod.run(deploy.deploy, digest=one) is Outcome.DONE
    assert to_prod(prod, one) is Outcome.DONE
    assert prod.run(deploy.deploy, digest=two) is Outcome.DONE
    assert to_prod(prod, one) is Outcome.REFUSED, "people have approved it, and staging has gone on since"
    assert f"staging serves {two}" in capsys.readouterr().err
    assert prod.run(rollback.rollback, to="previous") is Outcome.DONE
    assert to_prod(prod, one) is Outcome.DONE
    assert to_prod(prod, two) is Outcome.REFUSED


@pytest.mark.row("deliver.once")
def test_what_failed_in_staging_goes_no_further(prod: Cloud) -> None:
    good, bad = prod.push("good"), prod.push("bad", "rude")
    assert prod.run(deploy.deploy, digest=good) is Outcome.DONE
    assert prod.run(deploy.deploy, digest=bad) is Outcome.UNDONE
    assert to_prod(prod, bad) is Outcome.REFUSED
    assert to_prod(prod, good) is Outcome.DONE


@pytest.mark.row("deliver.once")
def test_nothing_goes_on_while_staging_is_half_done(prod: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    one = prod.push("one")
    assert prod.run(deploy.deploy, digest=one) is Outcome.DONE
    kill_after(prod, 3, CHANGES)
    with pytest.raises(KilledError):
        prod.run(deploy.deploy, digest=prod.push("two"))
    revive(prod)
    assert to_prod(prod, one) is Outcome.REFUSED
    assert "staging is not whole" in capsys.readouterr().err


@pytest.fixture
def in_ci(prod: Cloud, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The same, in a run of the workflow."""
    monkeypatch.setattr("ops.promotion.IDENTITY", programs.folder / "identity.json")
    (programs.folder / "identity.json").write_text(command.IDENTITY.read_text())
    monkeypatch.setenv("GITHUB_RUN_ID", "77")
    return prod


def review(user: str, environment: str, state: str = "approved") -> dict[str, object]:
    return {"state": state, "user": {"login": user}, "environments": [{"name": environment}], "comment": ""}


@pytest.mark.row("deliver.gate")
@pytest.mark.parametrize(
    ("level", "reviews", "is_enough"),
    [
        ("baseline", [], False),
        ("baseline", [review("ada", "prod")], True),
        ("baseline", [review("ada", "prod", "rejected")], False),
        ("baseline", [review("ada", "staging-infrastructure")], False),
        ("regulated", [review("ada", "prod-review")], False),
        ("regulated", [review("ada", "prod-review"), review("ada", "prod")], False),
        ("regulated", [review("ada", "prod-review"), review("grace", "prod")], True),
    ],
)
def test_people_have_approved_this_run(
    in_ci: Cloud, programs: Programs, level: str, reviews: object, *, is_enough: bool
) -> None:
    """Also where nobody has protected the environment: GitHub would let everything through."""
    identity = json.loads(command.IDENTITY.read_text()) | {"compliance_level": level}
    (programs.folder / "identity.json").write_text(json.dumps(identity))
    programs.answer("gh", json.dumps(reviews))
    image = in_ci.push("one")
    assert in_ci.run(deploy.deploy, digest=image) is Outcome.DONE
    assert (to_prod(in_ci, image) is Outcome.DONE) is is_enough
    assert programs.calls("gh")[-1] == f"api repos/{identity['repository']}/actions/runs/77/approvals"


def test_github_does_not_say_who_approved(in_ci: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    image = in_ci.push("one")
    assert in_ci.run(deploy.deploy, digest=image) is Outcome.DONE
    assert to_prod(in_ci, image) is Outcome.REFUSED
    assert "HTTP 404" in capsys.readouterr().err
