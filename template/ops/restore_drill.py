"""Restores the newest recovery point into a throw-away instance, checks the data there, and removes it, always.

The data are checked from inside, by a task of the image that serves now (`python -m app.chassis.data.restored`): the
copy is as closed to the outside as the original. Measured are how much would have been lost (RPO) and how long it took
until the data were good (RTO), against what was declared. What a killed run has left, the next one removes.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from ops import command, releases
from ops.aws import code
from ops.command import Operation, uninterruptible
from ops.journal import Entry, Journal, State, minutes
from ops.outcome import FailedError, Outcome, RefusedError, told

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBInstanceTypeDef, TagTypeDef

POLL_SECONDS = 30
RESTORE_SECONDS = 6 * 60 * 60
CHECK_SECONDS = 6 * 60 * 60
REMOVE_SECONDS = 2 * 60 * 60
LOG_SECONDS = 120
BROKEN = ("failed", "incompatible", "inaccessible", "restore-error", "storage-full")
PURPOSE: "TagTypeDef" = {"Key": "purpose", "Value": "restore-drill"}


@dataclass
class Evidence:
    """What the drill found, as it is kept."""

    environment: str
    started: datetime
    declared_rto_minutes: int
    declared_rpo_minutes: int
    recovery_point: str = ""
    rto_minutes: float | None = None
    rpo_minutes: float | None = None
    data: dict[str, Any] = field(default_factory=dict)
    removed: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Are the promises kept?"""
        return self.removed and not self.problems

    def write(self, path: Path) -> None:
        """Keep it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self) | {"passed": self.passed}, indent=2, default=str) + "\n")


@dataclass(frozen=True)
class Point:
    """A state of the database that can be had again."""

    at: datetime
    snapshot: str | None
    """None: restored from the log, to the latest possible time."""

    def __str__(self) -> str:
        return f"{self.snapshot or 'point in time'} of {self.at:%Y-%m-%d %H:%M:%S} UTC"


def drill(operation: Operation, arguments: argparse.Namespace) -> Outcome:
    """Drill once."""
    journal = Journal(operation, "drills")
    entries = journal.entries()
    journal.check(entries, take_over=arguments.take_over)
    release = releases.serving(operation)
    if release is None:
        raise RefusedError("No release serves completely: there is no image to check the data with.")
    source, leftovers = _source(operation), _leftovers(operation)
    try:
        point = newest(operation, source, snapshots_only=arguments.snapshot)
    except FailedError as error:
        print(f"FAILED: {error}")
        return Outcome.UNDONE
    if arguments.dry_run:
        print(*(f"Would remove {each}, left by an earlier drill." for each in leftovers), sep="\n")
        print(f"Would restore {point}, check it with {release.digest}, and remove it. Nothing was changed.")
        return Outcome.DONE

    entry = journal.begin("restore-drill", entries)
    database = operation.environment.database
    evidence = Evidence(operation.environment.environment, entry.started, database.rto_minutes, database.rpo_minutes)
    copy = f"{operation.environment.prefix}-drill-{entry.number}"
    try:
        for leftover in leftovers:
            operation.say(f"removing {leftover}, left by an earlier drill")
            _remove(operation, journal, entry, leftover)
        evidence.recovery_point, evidence.rpo_minutes = str(point), minutes(point.at, entry.started)
        began = operation.clock.now()
        _restore(operation, source, point, copy)
        host = _wait_until_available(operation, journal, entry, copy)
        evidence.data = _check(operation, journal, entry, release.digest, host)
        evidence.rto_minutes = minutes(began, operation.clock.now())
        _measure(evidence)
    except Exception as error:  # noqa: BLE001 (whatever it is: the copy has to go)
        evidence.problems.append(told(error))
    with uninterruptible():
        try:
            _remove(operation, journal, entry, copy)
            evidence.removed = True
            entry.state = State.DONE if evidence.passed else State.UNDONE
            journal.write(entry)
        except Exception as error:  # noqa: BLE001 (the report comes first)
            evidence.problems.append(f"{copy} may still be there, and cost money: run this again. {error}")
    evidence.write(arguments.evidence)
    _tell(evidence, arguments.evidence)
    if not evidence.removed:
        return Outcome.UNKNOWN
    return Outcome.DONE if evidence.passed else Outcome.UNDONE


def newest(operation: Operation, source: "DBInstanceTypeDef", *, snapshots_only: bool) -> Point:
    """Return the newest state that can be restored: from the log, if that is kept, else from a snapshot.

    Raises FailedError if there is none.
    """
    found = []
    if "LatestRestorableTime" in source and source.get("BackupRetentionPeriod") and not snapshots_only:
        found.append(Point(source["LatestRestorableTime"], None))
    for kind in ("automated", "awsbackup"):
        pages = operation.aws.rds.get_paginator("describe_db_snapshots").paginate(
            DBInstanceIdentifier=source["DBInstanceIdentifier"], SnapshotType=kind
        )
        found += [
            Point(each["SnapshotCreateTime"], each["DBSnapshotIdentifier"])
            for page in pages
            for each in page["DBSnapshots"]
            if each.get("Status") == "available"
        ]
    if not found:
        raise FailedError(f"{source['DBInstanceIdentifier']} has no recovery point: nothing could be restored.")
    return max(found, key=lambda point: point.at)


def _source(operation: Operation) -> "DBInstanceTypeDef":
    found = _describe(operation, operation.environment.database.identifier)
    if found is None:
        raise RefusedError(f"There is no database {operation.environment.database.identifier}.")
    return found


def _leftovers(operation: Operation) -> list[str]:
    """Return the instances that earlier drills have left. Ours by name and by tag: nothing else is ever deleted."""
    pages = operation.aws.rds.get_paginator("describe_db_instances").paginate()
    return [
        each["DBInstanceIdentifier"]
        for page in pages
        for each in page["DBInstances"]
        if each["DBInstanceIdentifier"].startswith(f"{operation.environment.prefix}-drill-")
        and PURPOSE in each.get("TagList", [])
    ]


def _describe(operation: Operation, identifier: str) -> "DBInstanceTypeDef | None":
    try:
        return operation.aws.rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    except ClientError as error:
        if code(error) not in {"DBInstanceNotFound", "DBInstanceNotFoundFault"}:
            raise
        return None


def _restore(operation: Operation, source: "DBInstanceTypeDef", point: Point, copy: str) -> None:
    operation.say(f"restoring {point} into {copy}")
    # Guarded as the original is: the same network, the same rules.
    options: dict[str, Any] = {
        "DBInstanceClass": source["DBInstanceClass"],
        "DBSubnetGroupName": source["DBSubnetGroup"]["DBSubnetGroupName"],
        "VpcSecurityGroupIds": [each["VpcSecurityGroupId"] for each in source["VpcSecurityGroups"]],
        "DBParameterGroupName": source["DBParameterGroups"][0]["DBParameterGroupName"],
        "PubliclyAccessible": False,
        "MultiAZ": False,
        "DeletionProtection": False,
        "CopyTagsToSnapshot": False,
        "Tags": [PURPOSE, {"Key": "environment", "Value": operation.environment.environment}],
    }
    if point.snapshot:
        operation.aws.rds.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier=copy, DBSnapshotIdentifier=point.snapshot, **options
        )
    else:
        operation.aws.rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=source["DBInstanceIdentifier"],
            TargetDBInstanceIdentifier=copy,
            UseLatestRestorableTime=True,
            **options,
        )


def _wait_until_available(operation: Operation, journal: Journal, entry: Entry, copy: str) -> str:
    """Return its address."""
    deadline = operation.clock.now().timestamp() + RESTORE_SECONDS
    told = ""
    while operation.clock.now().timestamp() <= deadline:
        found = _describe(operation, copy)
        status = found["DBInstanceStatus"] if found else "not known yet"
        if found and status == "available":
            return found["Endpoint"]["Address"]
        if status.startswith(BROKEN):
            raise FailedError(f"the restored instance is {status}")
        if status != told:
            told = status
            operation.say(f"{copy}: {status}")
        journal.wait(entry, POLL_SECONDS)
    raise FailedError(f"the restored instance was {told} after {RESTORE_SECONDS // 3600} hours")


def _check(operation: Operation, journal: Journal, entry: Entry, digest: str, host: str) -> dict[str, Any]:
    """Return what the task that checks the data has found."""
    operation.say(f"checking the data on {host}")
    definition = releases.register(operation, operation.environment.tasks.migrate_family, digest)
    arguments = ["python", "-m", "app.chassis.data.restored", host]
    task, log = releases.run_task(operation, definition, entry, "check", arguments)
    problem = releases.wait_for_task(operation, journal, entry, task, CHECK_SECONDS)
    found = _last_report(operation, log)
    if problem and not found.get("problems"):
        raise FailedError(f"the check of the data failed: {problem}. Its log: {log}")
    if not found:
        raise FailedError(f"the check of the data has said nothing. Its log: {log}")
    return found


def _last_report(operation: Operation, log: str) -> dict[str, Any]:
    """Return the report that the task wrote as its last line. Logs arrive a little later than the task's end."""
    group, _, stream = log.partition(" ")
    deadline = operation.clock.now().timestamp() + LOG_SECONDS
    while operation.clock.now().timestamp() <= deadline:
        try:
            events = operation.aws.logs.get_log_events(logGroupName=group, logStreamName=stream, limit=50)["events"]
        except operation.aws.logs.exceptions.ResourceNotFoundException:
            events = []
        for event in reversed(events):
            try:
                found = json.loads(event.get("message", ""))
            except ValueError:
                continue
            if isinstance(found, dict) and "tables" in found:
                return cast("dict[str, Any]", found)
        operation.clock.sleep(POLL_SECONDS)
    return {}


def _measure(evidence: Evidence) -> None:
    evidence.problems += evidence.data.get("problems", [])
    for promise, measured, declared in (
        ("RTO", evidence.rto_minutes, evidence.declared_rto_minutes),
        ("RPO", evidence.rpo_minutes, evidence.declared_rpo_minutes),
    ):
        if measured is None or measured > declared:
            evidence.problems.append(f"the {promise} was {measured} minutes, declared are {declared}")


def _remove(operation: Operation, journal: Journal, entry: Entry, copy: str) -> None:
    """Delete the copy, and wait until it is gone. It may not be there at all."""
    deadline = operation.clock.now().timestamp() + REMOVE_SECONDS
    while found := _describe(operation, copy):
        if PURPOSE not in found.get("TagList", []):
            raise FailedError(f"{copy} does not have the tag of a drill: it is not deleted")
        if found["DBInstanceStatus"] != "deleting":
            try:
                if found.get("DeletionProtection"):  # it may have come with the original's settings
                    operation.aws.rds.modify_db_instance(
                        DBInstanceIdentifier=copy, DeletionProtection=False, ApplyImmediately=True
                    )
                operation.aws.rds.delete_db_instance(
                    DBInstanceIdentifier=copy, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
                )
            except ClientError as error:  # while it is being created it cannot go
                if code(error) not in {"InvalidDBInstanceState", "InvalidDBInstanceStateFault"}:
                    raise
        if operation.clock.now().timestamp() > deadline:
            raise FailedError(f"it is {found['DBInstanceStatus']} after {REMOVE_SECONDS // 3600} hours of deleting")
        journal.wait(entry, POLL_SECONDS)


def _tell(evidence: Evidence, path: Path) -> None:
    for problem in evidence.problems:
        print(f"BAD   {problem}")
    rows = sum(evidence.data.get("tables", {}).values())
    print(
        f"{'Passed' if evidence.passed else 'FAILED'}: {evidence.recovery_point or 'nothing restored'}; {rows} rows; "
        f"RTO {evidence.rto_minutes} of {evidence.declared_rto_minutes} minutes, "
        f"RPO {evidence.rpo_minutes} of {evidence.declared_rpo_minutes} minutes; "
        f"{'removed' if evidence.removed else 'NOT REMOVED'}. Evidence: {path}",
        flush=True,
    )


def main() -> int:
    """Drill: `python -m ops.restore_drill staging`."""
    arguments = command.parser("ops.restore_drill", __doc__)
    arguments.add_argument("--snapshot", action="store_true", help="the newest snapshot, not the newest point in time")
    arguments.add_argument("--take-over", action="store_true", help="do not wait for one whose process is dead")
    arguments.add_argument(
        "--evidence", type=Path, default=Path("reports/restore-drill-aws.json"), help="where the report goes"
    )
    return command.run(arguments.parse_args(), drill)


if __name__ == "__main__":
    sys.exit(main())
