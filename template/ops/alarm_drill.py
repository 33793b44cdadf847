"""Sets an alarm of each tier off, looks whether somebody would hear it, and takes it away again.

Each is made for the drill and tells the topic that the tier's real ones tell: those keep watching. The people behind
the topics do hear it: tell them before. What is verified is that a real alarm tells the tier's topic, that the topic
has a subscriber who confirmed, and that CloudWatch recorded the action as executed.
"""

import argparse
import sys
from datetime import timedelta

from ops import alarms, command
from ops.command import Operation, uninterruptible
from ops.environment import Tier
from ops.journal import Journal, State, holder, interrupted
from ops.outcome import FailedError, Outcome, RefusedError, told

POLL_SECONDS = 5
ACTION_SECONDS = 120


def drill(operation: Operation, arguments: argparse.Namespace) -> Outcome:
    """Set them off, one after the other."""
    journal = Journal(operation)
    entries = journal.entries()
    journal.check(entries, take_over=False)
    if left := interrupted(entries):
        raise RefusedError(f"{left} was left half-done. Finish it first: run it again, or ops.rollback … previous.")
    if arguments.dry_run:
        print(*(f"Would set off {alarms.drill_name(operation, tier)}." for tier in alarms.TIERS), sep="\n")
        return Outcome.DONE

    entry = journal.begin("alarm-drill", entries)
    problems: list[str] = []
    try:
        for tier in alarms.TIERS:
            entry.step = tier
            journal.write(entry)
            try:
                _set_off(operation, tier)
                operation.say(f"good  {tier}: reached {operation.environment.topics[tier]}")
            except FailedError as error:
                operation.say(f"BAD   {tier}: {error}")
                problems.append(tier)
    except Exception as error:  # noqa: BLE001 (the last lines say how it ended)
        problems.append(told(error))
    with uninterruptible():
        names = [alarms.drill_name(operation, tier) for tier in alarms.TIERS]
        try:
            operation.aws.cloudwatch.delete_alarms(AlarmNames=names)
            entry.state = State.UNDONE if problems else State.DONE
            journal.write(entry)
        except Exception as error:  # noqa: BLE001 (the last lines say how it ended)
            print(f"{told(error)}\nThe drill's alarms may still be there: {', '.join(names)}. Run this again.")
            return Outcome.UNKNOWN
    print(f"Not everybody would hear: {', '.join(problems)}." if problems else "Each tier is heard.")
    return Outcome.UNDONE if problems else Outcome.DONE


def _set_off(operation: Operation, tier: Tier) -> None:
    """Raise FailedError unless an action of this tier reaches its topic, where somebody listens."""
    topic, name = operation.environment.topics[tier], alarms.drill_name(operation, tier)
    if not any(each.tier == tier for each in alarms.find(operation)):
        raise FailedError(f"no alarm tells {topic}")
    pages = operation.aws.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    subscribers = [each["SubscriptionArn"] for page in pages for each in page["Subscriptions"]]
    if not any(each.startswith("arn:") for each in subscribers):  # else PendingConfirmation
        raise FailedError(f"nobody has confirmed a subscription of {topic}")
    began = operation.clock.now()
    operation.aws.cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmDescription="A drill, not an incident.",
        AlarmActions=[topic],
        Namespace="drill",
        MetricName="drill",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    reason = f"A drill by {holder()}, not an incident."
    operation.aws.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason=reason)
    while True:
        history = operation.aws.cloudwatch.describe_alarm_history(
            AlarmName=name,
            HistoryItemType="Action",
            StartDate=began - timedelta(minutes=1),
            EndDate=operation.clock.now() + timedelta(minutes=1),
        )["AlarmHistoryItems"]
        of_topic = [each.get("HistorySummary", "") for each in history if topic in each.get("HistorySummary", "")]
        if any(each.startswith("Successfully executed") for each in of_topic):
            return
        if of_topic:
            raise FailedError(of_topic[0])
        if (operation.clock.now() - began).total_seconds() > ACTION_SECONDS:
            raise FailedError(f"no action within {ACTION_SECONDS} s")
        operation.clock.sleep(POLL_SECONDS)


def main() -> int:
    """Drill: `python -m ops.alarm_drill staging`."""
    return command.run(command.parser("ops.alarm_drill", __doc__).parse_args(), drill)


if __name__ == "__main__":
    sys.exit(main())
