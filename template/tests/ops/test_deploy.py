"""A deploy ends on the new release complete, or on the old one serving: never in between, and it says which."""

import base64
import hashlib
import io
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders
from botocore.exceptions import ClientError

from ops import deploy, probe, rollback, smoke
from ops.journal import LEASE_SECONDS, Journal, State
from ops.outcome import Outcome
from tests.ops.cloud import COMPONENTS, ELSEWHERE, PREFIX, REGISTRY, Cloud, KilledError

CHANGES = ("Put", "Register", "Run", "Update", "Delete")


def throttled(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, operation)


@pytest.fixture
def old(cloud: Cloud) -> str:
    """The release that serves."""
    digest = cloud.serve("old")
    cloud.calls.clear()
    return digest


@pytest.mark.row("data.deploy")
@pytest.mark.row("deliver.smoke")
def test_a_good_release_serves(cloud: Cloud, old: str, capsys: pytest.CaptureFixture[str]) -> None:
    new = cloud.push("new")
    cloud.calls.clear()
    assert cloud.run(deploy.deploy, digest=new) is Outcome.DONE
    assert cloud.serving() == {new}
    assert capsys.readouterr().out.splitlines()[-1] == f"Serving now: {new}, the new release (deploy 1)."

    # Migrated once, before anything was rolled, by the task of the migrator, with that very image.
    first = cloud.calls.index("RunTask")
    assert cloud.calls.count("RunTask") == 1
    assert first < cloud.calls.index("UpdateService")
    task = cloud.tasks()[-1]
    definition = cloud.ecs.describe_task_definition(task.task_definition_arn)
    assert definition.family == f"{PREFIX}-migrate"
    assert definition.task_role_arn.endswith("-migrate")
    assert definition.container_definitions[0]["image"] == f"{REGISTRY}@{new}"
    for component in COMPONENTS:
        running = cloud.ecs.describe_task_definition(cloud.service(component).task_definition)
        assert {"name": "RELEASE", "value": new} in running.container_definitions[0]["environment"]
    assert old != new


@pytest.mark.row("monitor.uptime")
def test_the_external_check_gets_the_probe_of_the_release(cloud: Cloud, old: str) -> None:
    assert cloud.run(deploy.deploy, digest=old) is Outcome.DONE
    assert cloud.run(deploy.deploy, digest=old) is Outcome.DONE
    assert cloud.calls.count("UpdateFunctionCode") == 1  # the second has found it there
    configuration = cloud.aws.functions(ELSEWHERE).get_function_configuration(FunctionName=f"{PREFIX}-probe")
    assert configuration["CodeSha256"] == base64.b64encode(hashlib.sha256(smoke.package()).digest()).decode()
    with zipfile.ZipFile(io.BytesIO(smoke.package())) as packed:
        assert packed.read("probe.py") == Path(probe.__file__).read_bytes()


def families(cloud: Cloud) -> list[str]:
    """The one-off tasks, in the order in which they ran."""
    definitions = [cloud.ecs.describe_task_definition(task.task_definition_arn) for task in cloud.tasks()]
    return [each.family.removeprefix(f"{PREFIX}-") for each in definitions]


def test_after_a_rotation_all_tasks_start_anew_with_the_new_passwords(cloud: Cloud, old: str) -> None:
    before = cloud.service("api").task_definition
    assert cloud.run(deploy.deploy, digest=old, rotated=True) is Outcome.DONE
    assert families(cloud) == ["roles", "migrate"]
    assert cloud.service("api").task_definition != before


def test_settings_that_terraform_has_given_since_arrive(cloud: Cloud, old: str) -> None:
    cloud.register("api", image="placeholder", NEW_SETTING="yes")
    assert cloud.run(deploy.deploy, digest=old) is Outcome.DONE
    running = cloud.ecs.describe_task_definition(cloud.service("api").task_definition)
    assert {"name": "NEW_SETTING", "value": "yes"} in running.container_definitions[0]["environment"]


def crash(cloud: Cloud) -> None:
    """Its tasks end, all at once. To ECS the deployment stays completed."""
    cloud.in_seconds(20, lambda: setattr(cloud.service("worker"), "running_count", 0))


def stop(cloud: Cloud) -> None:
    cloud.in_seconds(20, lambda: signal.raise_signal(signal.SIGTERM))


def refuse(operation: str, calls: int = 1) -> Callable[[Cloud], None]:
    """Throttle one sort of call, longer than any repetition, from the given one on; later calls are answered again."""

    def prepare(cloud: Cloud) -> None:
        seen = []

        def before(name: str, _: int) -> None:
            seen.append(name)
            if name == operation and seen.count(operation) == calls:
                raise throttled(operation)

        cloud.before = before

    return prepare


def probe_fails_later(cloud: Cloud) -> None:
    cloud.in_seconds(20, lambda: cloud.images.update({cloud.new: "rude"}))


def alarm(cloud: Cloud) -> None:
    cloud.in_seconds(20, lambda: cloud.alarm("broken-alert", "ALARM"))


def migration(status: int | None, reason: str) -> Callable[[Cloud], None]:
    def prepare(cloud: Cloud) -> None:
        cloud.migration = status, reason

    return prepare


def no_breaker(cloud: Cloud) -> None:
    cloud.has_breaker = False


# What goes wrong, how the image fares, what is prepared, and words that the last lines have.
FAULTS: dict[str, tuple[str, Callable[[Cloud], Any], str]] = {
    "migration fails": ("good", migration(1, "Essential container exited"), "migrate"),
    "migration cannot start": ("good", migration(None, "CannotPullContainerError"), "CannotPullContainerError"),
    "never healthy": ("sick", lambda _: None, "circuit breaker"),
    "never healthy, and ECS tries forever": ("sick", no_breaker, "2 minutes"),
    "only the worker is sick": ("sick-worker", lambda _: None, "worker"),
    "alarm during bake": ("good", alarm, "broken-alert"),
    "probe fails": ("rude", lambda _: None, "the step probe: A user's walk fails at “is ready”"),
    "answers nonsense": ("lying", lambda _: None, "the step probe: A user's walk fails"),
    "fails later": ("good", probe_fails_later, "bake"),
    "dies later": ("good", crash, "worker"),
    "cancelled": ("good", stop, "SIGTERM"),
    **{
        f"throttled: {operation} {call}": ("good", refuse(operation, call), "Rate exceeded")
        for operation, call in (
            ("RegisterTaskDefinition", 2), ("RegisterTaskDefinition", 3), ("RunTask", 1),
            ("DescribeTasks", 1), ("UpdateService", 1), ("UpdateService", 2), ("DescribeServices", 4),
            ("DescribeAlarms", 2), ("UpdateFunctionCode", 1), ("PutParameter", 3), ("GetSecretValue", 3),
        )
    },
}  # fmt: skip


@pytest.mark.row("deliver.rollback")
@pytest.mark.row("deliver.smoke")
@pytest.mark.parametrize("fault", FAULTS)
def test_after_any_failure_the_old_release_serves(
    cloud: Cloud, old: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fares, prepare, words = FAULTS[fault]
    cloud.new = cloud.push("new", fares)
    prepare(cloud)
    assert cloud.run(deploy.deploy, digest=cloud.new) is Outcome.UNDONE
    assert cloud.serving() == {old}
    failed, serving = capsys.readouterr().out.splitlines()[-2:]
    assert failed.startswith("Failed at the step ")
    assert words in failed
    assert serving == f"Serving now: {old}, the old release, on all tasks; a user's walk passes."
    cloud.before = lambda _, __: None
    assert Journal(cloud.operation).entries()[-1].state is State.UNDONE


@pytest.mark.parametrize(
    ("digest", "words"),
    [("sha256:" + "0" * 64, "has no image"), ("latest", "is not a digest")],
)
@pytest.mark.row("deliver.rollback")
def test_what_is_not_there_is_not_begun(
    cloud: Cloud, old: str, digest: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cloud.run(deploy.deploy, digest=digest) is Outcome.REFUSED
    said = capsys.readouterr().err
    assert words in said
    assert said.splitlines()[-1] == "Nothing was changed."
    assert cloud.serving() == {old}
    assert not [name for name in cloud.calls if name.startswith(CHANGES)]


def kill_after(cloud: Cloud, number: int, kind: tuple[str, ...]) -> None:
    """Kill the process after its change of this number: no later call is made. Signs of life are no changes."""
    changes: list[str] = []

    def die(*_: object) -> None:
        raise KilledError

    def note(name: str, _: int) -> None:
        is_sign_of_life = name == "PutParameter" and changes[-1:] == [name]
        if name.startswith(kind) and not is_sign_of_life:
            changes.append(name)
            if len(changes) == number:
                cloud.before = cloud.after = die

    cloud.after = note


def revive(cloud: Cloud) -> None:
    cloud.before = cloud.after = lambda _, __: None


@pytest.mark.row("deliver.rollback")
@pytest.mark.parametrize(
    ("then", "kind", "least"),
    # Until it rolls, a bad image is as good as a good one; then there are two services to roll, and two to roll back.
    [("good", CHANGES, 10), ("rude", ("UpdateService",), 4)],
    ids=["a good release, after any change", "a bad one, after any roll"],
)
def test_killed_anywhere_and_run_again(cloud: Cloud, old: str, then: str, kind: tuple[str, ...], least: int) -> None:
    """It goes on, and ends where it would have ended, whatever ECS has done in the meantime."""
    serving = old
    for number in range(1, 100):
        new = cloud.push(f"new{number}", then)
        kill_after(cloud, number, kind)
        try:
            cloud.run(deploy.deploy, digest=new)
        except KilledError:
            revive(cloud)
        else:
            break  # it was over before
        cloud.clock.sleep(LEASE_SECONDS + 1)
        outcome = cloud.run(deploy.deploy, digest=new)
        assert outcome is (Outcome.DONE if then == "good" else Outcome.UNDONE), number
        serving = new if then == "good" else old
        assert cloud.serving() == {serving}, number
    assert number > least


@pytest.mark.row("deliver.rollback")
@pytest.mark.parametrize("last", ["PutParameter", "UpdateService"], ids=["it had just begun", "one of two was rolled"])
def test_killed_and_then_another_release_that_fails(cloud: Cloud, old: str, last: str) -> None:
    """What the killed one left is no release to go back to."""
    kill_after(cloud, 1, (last,))
    with pytest.raises(KilledError):
        cloud.run(deploy.deploy, digest=cloud.push("half"))
    revive(cloud)
    assert ("rolling" in cloud.serving()) is (last == "UpdateService")
    cloud.clock.sleep(LEASE_SECONDS + 1)
    assert cloud.run(deploy.deploy, digest=cloud.push("worse", "sick")) is Outcome.UNDONE
    assert cloud.serving() == {old}


def test_two_at_once(cloud: Cloud, old: str, capsys: pytest.CaptureFixture[str]) -> None:
    new, other = cloud.push("new"), cloud.push("other")
    outcomes: list[Outcome] = []
    cloud.in_seconds(20, lambda: outcomes.append(cloud.run(deploy.deploy, digest=other)))
    assert cloud.run(deploy.deploy, digest=new) is Outcome.DONE
    assert outcomes == [Outcome.REFUSED]
    assert "deploy 1" in (said := capsys.readouterr().err)
    assert "--take-over" in said
    assert cloud.serving() == {new}
    assert old not in cloud.serving()


def test_two_at_the_same_moment(cloud: Cloud, old: str) -> None:
    """Both have seen that nobody deploys: AWS decides who begins."""
    new, other = cloud.push("new"), cloud.push("other")
    outcomes: list[Outcome] = []

    def meanwhile(name: str, _: int) -> None:
        if name == "PutParameter":
            revive(cloud)
            outcomes.append(cloud.run(deploy.deploy, digest=other))

    cloud.before = meanwhile
    assert cloud.run(deploy.deploy, digest=new) is Outcome.REFUSED
    assert outcomes == [Outcome.DONE]
    assert cloud.serving() == {other}
    assert old not in cloud.serving()


def test_one_that_was_asleep_stops_when_another_has_taken_over(
    cloud: Cloud, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    new, other = cloud.push("new"), cloud.push("other")
    cloud.in_seconds(10, lambda: cloud.run(deploy.deploy, digest=other, take_over=True))
    assert cloud.run(deploy.deploy, digest=new) is Outcome.UNKNOWN
    assert cloud.serving() == {other}
    assert capsys.readouterr().out.splitlines()[-1] == "Serving now: what the other one says."
    assert old not in cloud.serving()


def test_alarms_that_were_on_before_are_not_held_against_it(cloud: Cloud, old: str) -> None:
    """What ends an incident has to be deployable."""
    cloud.alarm("broken-page", "ALARM")
    assert cloud.run(deploy.deploy, digest=cloud.push("new")) is Outcome.DONE
    assert old not in cloud.serving()


def test_the_first_release(cloud: Cloud) -> None:
    new = cloud.push("new")
    assert cloud.run(deploy.deploy, digest=new) is Outcome.DONE
    assert cloud.serving() == {new}
    assert [cloud.service(each).running_count for each in COMPONENTS] == [2, 2]
    assert families(cloud) == ["roles", "migrate"]


def test_the_first_release_fails(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.run(deploy.deploy, digest=cloud.push("new", "sick")) is Outcome.UNDONE
    assert cloud.serving() == {"nothing"}
    assert capsys.readouterr().out.splitlines()[-1].startswith("Serving now: nothing, as before.")


@pytest.mark.row("deliver.rollback")
def test_a_service_that_is_new(cloud: Cloud, old: str) -> None:
    """The worker did not run before: it comes with a good release, and goes again with a bad one."""
    worker = cloud.service("worker")
    worker.desired_count = worker.running_count = 0
    assert cloud.run(deploy.deploy, digest=cloud.push("bad", "sick-worker")) is Outcome.UNDONE
    assert cloud.serving() == {old, "nothing"}
    new = cloud.push("new")
    assert cloud.run(deploy.deploy, digest=new) is Outcome.DONE
    assert cloud.serving() == {new}


def test_the_way_back_fails_too(cloud: Cloud, old: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Then it says that nobody knows. Rolling back brings the old release into service when that can serve again."""
    new = cloud.push("new", "sick")
    cloud.images[old] = "sick"
    assert cloud.run(deploy.deploy, digest=new) is Outcome.UNKNOWN
    assert "Serving now: UNKNOWN" in capsys.readouterr().out
    cloud.images[old] = "good"
    assert cloud.run(rollback.rollback, to="previous") is Outcome.DONE
    assert cloud.serving() == {old}


def test_throttled_for_a_while_is_no_failure(cloud: Cloud, old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client repeats such calls by itself."""
    monkeypatch.setattr("botocore.retries.standard.time.sleep", lambda _: None)
    answers = [400, 400, 400]

    def throttle(request: Any, **_: Any) -> Any:
        if not answers:
            return None
        content = io.BytesIO(b'{"__type": "ThrottlingException", "message": "Rate exceeded"}')
        content.stream = lambda **_: iter([content.read()])  # type: ignore[attr-defined]
        return AWSResponse(request.url, answers.pop(), HTTPHeaders(), content)

    new = cloud.push("new")
    cloud.aws.ecs.meta.events.register_first("before-send.ecs.UpdateService", throttle)
    assert cloud.run(deploy.deploy, digest=new) is Outcome.DONE
    assert answers == []
    assert cloud.serving() == {new}
    assert old != new


def test_a_dry_run_changes_nothing(cloud: Cloud, old: str) -> None:
    new = cloud.push("new")
    cloud.calls.clear()
    assert cloud.run(deploy.deploy, digest=new, dry_run=True) is Outcome.DONE
    assert not [name for name in cloud.calls if name.startswith(CHANGES)]
    assert cloud.serving() == {old}
