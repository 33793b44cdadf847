"""The environment's alarms. Which tier one has, the topic it tells says."""

from dataclasses import dataclass
from typing import Literal

from ops.command import Operation
from ops.environment import Tier

TIERS: tuple[Tier, ...] = ("page", "alert", "warn")


@dataclass(frozen=True)
class Alarm:
    """An alarm of CloudWatch, composite or not."""

    name: str
    tier: Tier
    state: Literal["ALARM", "INSUFFICIENT_DATA", "OK"]


def find(operation: Operation) -> list[Alarm]:
    """Return the environment's alarms: those that tell somebody."""
    prefix, topics = operation.environment.prefix, operation.environment.topics
    found = []
    pages = operation.aws.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=f"{prefix}-", AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    for page in pages:
        for each in [*page.get("MetricAlarms", []), *page.get("CompositeAlarms", [])]:
            name, actions = each["AlarmName"], each.get("AlarmActions", [])
            if each.get("ActionsEnabled") and not name.startswith(drill_name(operation, "")):
                found += [Alarm(name, tier, each["StateValue"]) for tier in TIERS if topics.get(tier) in actions]
    return found


def drill_name(operation: Operation, tier: str) -> str:
    """Return the name of the alarm that a drill sets off."""
    return f"{operation.environment.prefix}-drill-{tier}"


def on(alarms: list[Alarm], *tiers: Tier) -> list[str]:
    """Return the names of those that are on, of these tiers."""
    return [each.name for each in alarms if each.state == "ALARM" and each.tier in tiers]
