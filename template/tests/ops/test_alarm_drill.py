"""One alarm of each tier is set off, and it is found out whether anybody would hear it."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from ops import alarm_drill, deploy
from ops.outcome import Outcome
from tests.ops.cloud import PREFIX, Cloud


def alarms(cloud: Cloud) -> dict[str, str]:
    found = cloud.aws.cloudwatch.describe_alarms(AlarmNamePrefix=PREFIX)["MetricAlarms"]
    return {each["AlarmName"].removeprefix(f"{PREFIX}-"): each["StateValue"] for each in found}


@pytest.mark.row("monitor.tiers")
def test_each_tier_is_heard(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, str] = {}
    cloud.after = lambda name, _: seen.update(alarms(cloud)) if name == "DescribeAlarmHistory" else None
    assert cloud.run(alarm_drill.drill) is Outcome.DONE
    said = capsys.readouterr().out
    assert [tier for tier in ("page", "alert", "warn") if f"good  {tier}: " in said] == ["page", "alert", "warn"]
    assert said.splitlines()[-1] == "Each tier is heard."
    assert {name for name, state in seen.items() if state == "ALARM"} == {"drill-page", "drill-alert", "drill-warn"}
    # The real ones were never touched, and the others are gone.
    assert alarms(cloud) == {"broken-page": "OK", "broken-alert": "OK", "broken-warn": "OK"}


def unsubscribe(cloud: Cloud) -> None:
    for each in cloud.aws.sns.list_subscriptions()["Subscriptions"]:
        if each["TopicArn"].endswith("-alert"):
            cloud.aws.sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])


def change(**options: Any) -> Callable[[Cloud], object]:
    """Change the only real alarm of the tier alert."""
    alarm: dict[str, Any] = {
        "AlarmName": f"{PREFIX}-broken-alert",
        "Namespace": "AWS/ECS",
        "MetricName": "CPUUtilization",
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 90.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    return lambda cloud: cloud.aws.cloudwatch.put_metric_alarm(
        **(alarm | {"AlarmActions": [cloud.operations["topics"]["alert"]]} | options)
    )


def deliver_nothing(cloud: Cloud) -> None:
    cloud.is_delivering = False


DEAF: dict[str, tuple[Callable[[Cloud], object], str]] = {
    "nobody confirmed": (unsubscribe, "nobody has confirmed"),
    "no action": (change(AlarmActions=[]), "no alarm tells"),
    "actions switched off": (change(ActionsEnabled=False), "no alarm tells"),
    "not delivered": (deliver_nothing, "no action within"),
}


@pytest.mark.row("monitor.tiers")
@pytest.mark.parametrize("why", DEAF)
def test_a_tier_that_nobody_would_hear(cloud: Cloud, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    prepare, words = DEAF[why]
    prepare(cloud)
    assert cloud.run(alarm_drill.drill) is Outcome.UNDONE
    said = capsys.readouterr().out
    assert words in said
    assert "BAD   alert: " in said
    assert said.splitlines()[-1].startswith("Not everybody would hear: ")
    assert not [name for name in alarms(cloud) if name.startswith("drill-")]


def test_what_could_not_be_taken_away_is_named(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    def unreachable(name: str, _: int) -> None:
        if name == "DeleteAlarms":
            raise EndpointConnectionError(endpoint_url="monitoring")

    cloud.before = unreachable
    assert cloud.run(alarm_drill.drill) is Outcome.UNKNOWN
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"{PREFIX}-drill-page" in last
    assert last.endswith("Run this again.")


def test_not_while_a_deploy_is_under_way(cloud: Cloud) -> None:
    outcomes: list[Outcome] = []
    cloud.in_seconds(20, lambda: outcomes.append(cloud.run(alarm_drill.drill)))
    assert cloud.run(deploy.deploy, digest=cloud.push("new")) is Outcome.DONE
    assert outcomes == [Outcome.REFUSED]


def test_a_dry_run_sets_nothing_off(cloud: Cloud) -> None:
    assert cloud.run(alarm_drill.drill, dry_run=True) is Outcome.DONE
    assert not {"SetAlarmState", "PutMetricAlarm", "PutParameter"} & set(cloud.calls)
