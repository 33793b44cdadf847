"""A copy of the database is restored, checked, measured and removed, whatever happens.

moto's instances are there at once: what is slow or fails in RDS is put on top.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from ops import restore_drill
from ops.journal import LEASE_SECONDS
from ops.outcome import Outcome
from tests.ops.cloud import PREFIX, REGION, Cloud, KilledError

RESTORE_SECONDS = 20 * 60


class Database:
    """The database of the environment, and the copies of it."""

    def __init__(self, cloud: Cloud, evidence: Path) -> None:
        self.cloud, self.evidence = cloud, evidence
        self.age = timedelta(minutes=5)
        self.ends_as = "available"
        cloud.aws.logs.create_log_group(logGroupName=f"/{PREFIX}")
        subnets = [each.id for each in get_backend("ec2")[DEFAULT_ACCOUNT_ID][REGION].describe_subnets()]
        cloud.aws.rds.create_db_subnet_group(DBSubnetGroupName=PREFIX, DBSubnetGroupDescription="-", SubnetIds=subnets)
        cloud.aws.rds.create_db_instance(
            DBInstanceIdentifier=PREFIX,
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="root",
            MasterUserPassword="not-a-secret",
            BackupRetentionPeriod=7,
            DeletionProtection=True,
            MultiAZ=True,
            DBSubnetGroupName=PREFIX,
        )
        self.snapshots.clear()  # moto has taken one, at a time that is not ours
        cloud.serve("one")
        cloud.before = self.call
        cloud.calls.clear()

    @property
    def snapshots(self) -> dict[str, Any]:
        """As moto keeps them."""
        return cast("dict[str, Any]", get_backend("rds")[DEFAULT_ACCOUNT_ID][REGION].database_snapshots)

    @property
    def instances(self) -> dict[str, Any]:
        """As moto keeps them."""
        return dict(get_backend("rds")[DEFAULT_ACCOUNT_ID][REGION].databases)

    def call(self, name: str, _: int) -> None:
        """Restoring takes its time, and does not always end well."""
        if name in {"DescribeDBInstances", "DeleteDBInstance"}:
            for each in self.instances.values():
                each.status = "available"
                if "-drill-" in each.db_instance_identifier:
                    began = each.__dict__.setdefault("began", self.cloud.clock.now())
                    is_over = self.cloud.clock.now() - began >= timedelta(seconds=RESTORE_SECONDS)
                    each.status = self.ends_as if is_over else "creating"

    def drill(self, **arguments: Any) -> Outcome:
        """Drill."""
        return self.cloud.run(restore_drill.drill, **({"snapshot": False, "evidence": self.evidence} | arguments))

    @property
    def found(self) -> dict[str, Any]:
        """The evidence."""
        return dict(json.loads(self.evidence.read_text()))


@pytest.fixture
def database(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with backups, and a release that serves."""
    each = Database(cloud, tmp_path / "reports" / "drill.json")
    newest = restore_drill._source  # noqa: SLF001

    def source(operation: Any) -> Any:
        return newest(operation) | {"LatestRestorableTime": cloud.clock.now() - each.age}

    monkeypatch.setattr(restore_drill, "_source", source)
    return each


@pytest.mark.row("backup.restore-drill")
def test_the_newest_state_is_restored_checked_measured_and_removed(
    cloud: Cloud, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    copies: list[Any] = []
    cloud.after = lambda name, _: copies.extend(database.instances.values()) if name == "RunTask" else None
    assert database.drill() is Outcome.DONE
    copy = next(each for each in copies if each.db_instance_identifier == f"{PREFIX}-drill-1")
    assert cloud.checked == [["python", "-m", "app.chassis.data.restored", copy.address]]
    assert not copy.publicly_accessible
    assert set(database.instances) == {PREFIX}
    found = database.found
    assert found["passed"] is True
    assert found["rpo_minutes"] == 5.0
    assert 20 <= found["rto_minutes"] <= 25
    assert found["data"]["tables"] == {"things": 12}
    assert "Passed: point in time of" in capsys.readouterr().out.splitlines()[-1]


def remember(**changes: Any) -> Callable[[Database], None]:
    def prepare(database: Database) -> None:
        for name, value in changes.items():
            setattr(database if hasattr(database, name) else database.cloud, name, value)

    return prepare


def promise(**minutes: int) -> Callable[[Database], None]:
    def prepare(database: Database) -> None:
        operations = database.cloud.operations
        database.cloud.publish(operations | {"database": operations["database"] | minutes})

    return prepare


DAMAGED = json.dumps(
    {"revisions": ["1"], "tables": {"things": 0}, "problems": ["things has 0 rows, the original about 9000"]}
)
FAILURES = {
    "the RTO was": promise(rto_minutes=19),
    "the RPO was": remember(age=timedelta(minutes=11)),
    "the restored instance is failed": remember(ends_as="failed"),
    "things has 0 rows": remember(report=DAMAGED, check=(1, "Essential container in task exited")),
    "the check of the data failed": remember(report="Traceback", check=(1, "Essential container in task exited")),
    "has said nothing": remember(report="Killed", check=(0, "")),
}


@pytest.mark.row("backup.restore-drill")
@pytest.mark.parametrize("problem", FAILURES)
def test_a_promise_that_is_not_kept(database: Database, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    FAILURES[problem](database)
    assert database.drill() is Outcome.UNDONE
    assert any(each.startswith(problem) or problem in each for each in database.found["problems"])
    assert database.found["passed"] is False
    assert database.found["removed"] is True
    assert set(database.instances) == {PREFIX}
    assert capsys.readouterr().out.splitlines()[-1].startswith("FAILED: ")


@pytest.mark.row("backup.restore-drill")
def test_the_newest_snapshot(cloud: Cloud, database: Database) -> None:
    for name in ("older", "newer"):
        cloud.aws.rds.create_db_snapshot(DBInstanceIdentifier=PREFIX, DBSnapshotIdentifier=name)
        database.snapshots[name].snapshot_type = "automated"
        database.snapshots[name].created = cloud.clock.now() - timedelta(minutes=9 if name == "newer" else 99)
    assert database.drill(snapshot=True) is Outcome.DONE
    assert database.found["recovery_point"].startswith("newer of ")
    assert "RestoreDBInstanceFromDBSnapshot" in cloud.calls
    assert set(database.instances) == {PREFIX}


@pytest.mark.row("backup.restore-drill")
def test_nothing_to_restore(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert database.drill(snapshot=True) is Outcome.UNDONE
    assert "has no recovery point" in capsys.readouterr().out


@pytest.mark.row("backup.restore-drill")
def test_what_a_killed_drill_has_left_is_removed_by_the_next(cloud: Cloud, database: Database) -> None:
    def die(*_: object) -> None:
        raise KilledError

    def kill(name: str, _: int) -> None:
        if name.startswith("Restore"):
            cloud.before = die
            raise KilledError

    cloud.after = kill
    with pytest.raises(KilledError):
        database.drill()
    assert set(database.instances) == {PREFIX, f"{PREFIX}-drill-1"}
    cloud.after, cloud.before = lambda _, __: None, database.call
    assert database.drill() is Outcome.REFUSED  # it may be alive
    cloud.clock.sleep(LEASE_SECONDS)
    assert database.drill() is Outcome.DONE
    assert set(database.instances) == {PREFIX}


@pytest.mark.row("backup.restore-drill")
def test_nothing_but_copies_is_ever_deleted(cloud: Cloud, database: Database) -> None:
    """Not even what is named like one, without its tag."""
    cloud.aws.rds.create_db_instance(
        DBInstanceIdentifier=f"{PREFIX}-drill-1", DBInstanceClass="db.t4g.micro", Engine="postgres",
        AllocatedStorage=20, MasterUsername="root", MasterUserPassword="not-a-secret",
    )  # fmt: skip
    assert database.drill() is Outcome.UNKNOWN
    assert set(database.instances) == {PREFIX, f"{PREFIX}-drill-1"}
    assert "does not have the tag of a drill" in " ".join(database.found["problems"])


def test_a_dry_run_restores_nothing(cloud: Cloud, database: Database) -> None:
    assert database.drill(dry_run=True) is Outcome.DONE
    assert set(database.instances) == {PREFIX}
    assert "PutParameter" not in cloud.calls
    assert not database.evidence.exists()
