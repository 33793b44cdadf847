"""Releases on ECS: what serves, how another is registered and rolled out, and when that is over."""

from typing import TYPE_CHECKING, Any, cast

from ops.command import Operation
from ops.journal import Entry, Journal, Release
from ops.outcome import FailedError, RefusedError

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import DeploymentTypeDef, ServiceTypeDef

POLL_SECONDS = 15
ROLL_SECONDS = 30 * 60
"""How long a roll-out may take until it counts as failed. The circuit breaker of ECS is usually faster."""

# What a description has and a registration does not take.
_RESULTS = {
    "taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy",
    "deregisteredAt", "deleteRequestedAt",
}  # fmt: skip


def register(operation: Operation, family: str, digest: str, *, anew: bool = False) -> str:
    """Return the task definition that runs this image with the family's newest configuration.

    Called twice, it finds the one of before; `anew` makes another, so that every task is started again.
    """
    container_name = container(operation, family)
    image = f"{operation.environment.repository_url}@{digest}"
    found = operation.aws.ecs.describe_task_definition(taskDefinition=family, include=["TAGS"])
    definition, tags = found["taskDefinition"], found.get("tags", [])
    release = {"name": "RELEASE", "value": digest}
    for each in definition["containerDefinitions"]:
        is_same = each.get("name") == container_name and each.get("image") == image
        if is_same and release in each.get("environment", []) and not anew:
            return definition["taskDefinitionArn"]
    wanted: dict[str, Any] = {name: value for name, value in definition.items() if name not in _RESULTS}
    for each in wanted["containerDefinitions"]:
        if each["name"] == container_name:
            others = [variable for variable in each.get("environment", []) if variable["name"] != "RELEASE"]
            each |= {"image": image, "environment": [*others, release]}
            break
    else:
        raise FailedError(f"The task definition {family} has no container named {container_name}.")
    if tags:
        wanted["tags"] = tags
    registered = operation.aws.ecs.register_task_definition(**wanted)
    return registered["taskDefinition"]["taskDefinitionArn"]


def container(operation: Operation, definition: str) -> str:
    """Return the name of our container in a task definition, `api` or `migrate`. There may be others beside it."""
    family = definition.rpartition("/")[2].partition(":")[0]
    return family.removeprefix(f"{operation.environment.prefix}-")


def describe(operation: Operation) -> dict[str, "ServiceTypeDef"]:
    """Return each service as ECS knows it. Raises RefusedError if one is not there."""
    environment = operation.environment
    names = {each.service: component for component, each in environment.services.items()}
    found = operation.aws.ecs.describe_services(cluster=environment.cluster, services=list(names))["services"]
    there = {names[each["serviceName"]]: each for each in found if each["status"] == "ACTIVE"}
    if missing := environment.services.keys() - there.keys():
        raise RefusedError(
            f"{environment.cluster} has no service {', '.join(sorted(missing))}. Apply infra/{environment.environment}."
        )
    return there


def serving(operation: Operation) -> Release | None:
    """Return the release that all services run completely, but for those that run nothing, or None."""
    definitions: dict[str, str] = {}
    digests = set()
    for component, service in describe(operation).items():
        primary = _primary(service)
        if not service["desiredCount"] and not service["runningCount"]:
            continue
        if not _is_complete(service):
            return None
        definitions[component] = primary["taskDefinition"]
        described = operation.aws.ecs.describe_task_definition(taskDefinition=primary["taskDefinition"])
        digests |= {
            each.get("image", "").rpartition("@")[2]
            for each in described["taskDefinition"]["containerDefinitions"]
            if each.get("name") == component
        }
    return Release(digest=digests.pop(), task_definitions=definitions) if len(digests) == 1 else None


def is_running(operation: Operation) -> bool:
    """Does any service run a task?"""
    return any(service["runningCount"] for service in describe(operation).values())


def roll(operation: Operation, release: Release) -> None:
    """Tell ECS to run this release in every service that runs another, and nothing in one that it does not know."""
    for component, service in describe(operation).items():
        wanted = release.task_definitions.get(component)
        if wanted is None:
            _stop(operation, service)
            continue
        least = operation.environment.services[component].minimum
        count: dict[str, Any] = {"desiredCount": least} if service["desiredCount"] < least else {}
        if _primary(service)["taskDefinition"] != wanted or count:
            operation.aws.ecs.update_service(
                cluster=operation.environment.cluster, service=service["serviceName"], taskDefinition=wanted, **count
            )


def stop(operation: Operation) -> None:
    """Run nothing, as before the first release."""
    for service in describe(operation).values():
        _stop(operation, service)


def watch(operation: Operation, journal: Journal, entry: Entry, release: Release) -> None:
    """Wait until every service runs this release and nothing else.

    Raises FailedError if ECS gives up (its circuit breaker), or after ROLL_SECONDS.
    """
    deadline = operation.clock.now().timestamp() + ROLL_SECONDS
    told, accepted = "", set[str]()
    while waiting := _waiting(operation, release, accepted):
        if waiting != told:
            told = waiting
            operation.say(f"rolling: {told}")
        if operation.clock.now().timestamp() > deadline:
            raise FailedError(f"It was not over after {ROLL_SECONDS // 60} minutes: {told}.")
        journal.wait(entry, POLL_SECONDS)


def _waiting(operation: Operation, release: Release, accepted: set[str]) -> str:
    """Return what is still to come. `accepted` are the services that ECS has been seen to roll to this release: its
    answers may be a moment old.
    """
    waiting = []
    for component, service in describe(operation).items():
        if component not in release.task_definitions:
            continue
        primary = _primary(service)
        if primary["taskDefinition"] == release.task_definitions[component]:
            accepted.add(component)
        elif component in accepted:
            raise FailedError(f"ECS took {component} back to {_short(primary['taskDefinition'])}: {_why(service)}")
        if component in accepted and primary.get("rolloutState") == "FAILED":
            raise FailedError(f"ECS gave up on {component}: {primary.get('rolloutStateReason')} {_why(service)}")
        if component not in accepted or not _is_complete(service):
            failed = f", {primary['failedTasks']} failed" if primary.get("failedTasks") else ""
            waiting.append(f"{component} {primary['runningCount']} of {service['desiredCount']}{failed}")
    return ", ".join(waiting)


def run_task(
    operation: Operation, definition: str, entry: Entry, what: str, command: list[str] | None = None
) -> tuple[str, str]:
    """Start a one-off task. Returns its ARN, and where its log is: `GROUP STREAM`. Safe to call twice for one entry."""
    environment = operation.environment
    name = container(operation, definition)
    overrides = {"containerOverrides": [{"name": name, "command": command}]} if command else {}
    started = operation.aws.ecs.run_task(
        cluster=environment.cluster,
        taskDefinition=definition,
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": environment.tasks.subnets,
                "securityGroups": environment.tasks.security_groups,
                "assignPublicIp": "ENABLED" if environment.tasks.assign_public_ip else "DISABLED",
            }
        },
        startedBy=f"{entry.kind}-{entry.number}",
        clientToken=f"{environment.prefix}-{what}-{entry.number}",
        overrides=cast("Any", overrides),
    )
    if not started["tasks"]:
        reasons = "; ".join(each.get("reason", "") for each in started["failures"])
        raise FailedError(f"ECS could not start the task {what}: {reasons}")
    task = started["tasks"][0]["taskArn"]
    return task, _log(operation, definition, name, task)


def wait_for_task(operation: Operation, journal: Journal, entry: Entry, task: str, seconds: float) -> str | None:
    """Wait for the end of a one-off task. Returns None if it exited with 0, else what happened."""
    deadline = operation.clock.now().timestamp() + seconds
    while operation.clock.now().timestamp() <= deadline:
        found = operation.aws.ecs.describe_tasks(cluster=operation.environment.cluster, tasks=[task])["tasks"]
        # Not known yet: ECS may take a moment to remember what it has just started.
        if found and found[0]["lastStatus"] == "STOPPED":
            name = container(operation, found[0]["taskDefinitionArn"])
            exits = [each.get("exitCode") for each in found[0]["containers"] if each.get("name") == name]
            if exits == [0]:
                return None
            return f"exit status {exits[0] if exits else None}: {found[0].get('stoppedReason') or 'no reason given'}"
        journal.wait(entry, POLL_SECONDS)
    return f"it still runs after {seconds / 60:.0f} minutes, as {task}"


def running_tasks(operation: Operation, family: str) -> list[str]:
    """Return the one-off tasks of this family that have not ended."""
    return operation.aws.ecs.list_tasks(
        cluster=operation.environment.cluster, family=family, desiredStatus="RUNNING"
    )["taskArns"]  # fmt: skip


def _stop(operation: Operation, service: "ServiceTypeDef") -> None:
    if service["desiredCount"]:
        operation.aws.ecs.update_service(
            cluster=operation.environment.cluster, service=service["serviceName"], desiredCount=0
        )


def _primary(service: "ServiceTypeDef") -> "DeploymentTypeDef":
    return next(each for each in service["deployments"] if each["status"] == "PRIMARY")


def _is_complete(service: "ServiceTypeDef") -> bool:
    """Does it run one release, with all the tasks it should have — and at least one?"""
    deployments = [each for each in service["deployments"] if each["status"] != "INACTIVE"]
    return (
        len(deployments) == 1
        and deployments[0].get("rolloutState") == "COMPLETED"
        and service["runningCount"] >= max(1, service["desiredCount"])
    )


def _why(service: "ServiceTypeDef") -> str:
    return " ".join(each["message"] for each in service.get("events", [])[:1]) or "no reason given"


def _short(definition: str) -> str:
    return definition.rpartition("/")[2]


def _log(operation: Operation, definition: str, name: str, task: str) -> str:
    described = operation.aws.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    for each in described["containerDefinitions"]:
        options = each.get("logConfiguration", {}).get("options", {})
        if each.get("name") == name and "awslogs-group" in options:
            stream = f"{options.get('awslogs-stream-prefix', '')}/{name}/{task.rpartition('/')[2]}"
            return f"{options['awslogs-group']} {stream}"
    return ""
