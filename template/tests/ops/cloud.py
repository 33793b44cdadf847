"""An environment in AWS, simulated by moto within this process, and time that passes only when somebody sleeps.

moto keeps ECS's services and tasks, but nothing happens to them. What `Cloud.pass_time` adds is ours, after the ECS
documentation, and no proof of what ECS does: a new task definition makes a new PRIMARY deployment; its tasks are there
after HEALTHY_SECONDS, then the older deployment ends and the new one is COMPLETED; or three of them fail, and the
circuit breaker brings the last completed one back as a deployment of its own. Fargate, load balancers and health checks
are not simulated: what a task definition's image does is in `Cloud.images`. One-off tasks end at once. The history of
alarms, which moto lacks, is ours too.
"""

import dataclasses
import functools
import hashlib
import json
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api import state_manager

from app.identity import NAME
from ops import command, provenance
from ops.aws import Aws, connect
from ops.command import Operation
from ops.environment import load
from ops.outcome import Outcome

REGION, ELSEWHERE = "eu-central-1", "eu-west-1"
HEALTHY_SECONDS = 15
PREFIX = f"{NAME}-staging"
REGISTRY = f"{DEFAULT_ACCOUNT_ID}.dkr.ecr.{REGION}.amazonaws.com/{NAME}"
COMPONENTS = ("api", "worker")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
REPOSITORY = json.loads(command.IDENTITY.read_text())["repository"]
SECRET = {"authorization": "Bearer probe"}


class KilledError(BaseException):
    """The process is gone: nothing catches this, and no call is made after it."""


class Clock(command.Clock):
    """Time that passes by sleeping."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, 12, tzinfo=UTC)
        self.passed: Callable[[float], None] = lambda _: None

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.passed(seconds)


_current: list["Cloud"] = []


@functools.cache
def clients() -> Aws:
    """Return the clients, made once: reading what the services can do takes longer than most tests."""
    session = boto3.Session("testing", "testing", region_name=REGION)
    # Not the method of one environment: of whichever is current.
    session.events.register("before-call", lambda **event: _current[-1].note(**event))  # noqa: PLW0108
    session.events.register("after-call", lambda **event: _current[-1].noted(**event))  # noqa: PLW0108
    aws = connect(session)
    return dataclasses.replace(aws, functions=functools.cache(aws.functions))


class Cloud:
    """The environment `staging`, and what may go wrong in it."""

    def __init__(self, url: str, signed: Path) -> None:
        self.signed = signed
        self.clock = Clock()
        self.clock.passed = self.pass_time
        self.calls: list[str] = []
        self.before: Callable[[str, int], Any] = lambda _, __: None
        self.after: Callable[[str, int], Any] = lambda _, __: None
        self.later: list[tuple[datetime, Callable[[], object]]] = []
        self.images: dict[str, str] = {}
        """How the tasks of a digest fare: good, sick (never healthy), rude (answers 500), or sick-worker."""
        self.migration: tuple[int | None, str] = (0, "Essential container in task exited")
        self.check: tuple[int | None, str] = (0, "Essential container in task exited")
        self.report = json.dumps({"revisions": ["1"], "tables": {"things": 12}, "problems": []})
        self.checked: list[list[str]] = []
        """The commands of the tasks that check data."""
        self.has_breaker = True
        self.new = ""
        """The digest that is being deployed."""
        self.is_delivering = True
        self.aws = clients()
        _current.append(self)
        self._build(url)
        self.calls.clear()

    # What is there

    def _build(self, url: str) -> None:
        network = get_backend("ec2")[DEFAULT_ACCOUNT_ID][REGION]
        subnet, group = network.describe_subnets()[0].id, network.describe_security_groups()[0].id
        self.aws.ecr.create_repository(repositoryName=NAME)
        self.aws.ecs.create_cluster(clusterName=PREFIX)
        for component in (*COMPONENTS, "migrate", "roles"):
            self.register(component, image="placeholder")
        for component in COMPONENTS:
            self.aws.ecs.create_service(
                cluster=PREFIX,
                serviceName=f"{PREFIX}-{component}",
                taskDefinition=f"{PREFIX}-{component}",
                desiredCount=0,
                launchType="FARGATE",
            )
        self.ecs.update_service, self.ecs.run_task = self._update_service, self._run_task
        topics = {
            tier: self.aws.sns.create_topic(Name=f"{PREFIX}-{tier}")["TopicArn"] for tier in ("page", "alert", "warn")
        }
        for tier, topic in topics.items():
            self.aws.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="on-call@example.com")
            self.aws.cloudwatch.put_metric_alarm(
                AlarmName=f"{PREFIX}-broken-{tier}",
                AlarmActions=[topic],
                Namespace="AWS/ECS",
                MetricName="CPUUtilization",
                Statistic="Average",
                Period=60,
                EvaluationPeriods=1,
                Threshold=90,
                ComparisonOperator="GreaterThanThreshold",
            )
        roles = get_backend("iam")[DEFAULT_ACCOUNT_ID]["aws"]
        role = roles.create_role(f"{PREFIX}-probe", "{}", "/", None, "", [], "3600").arn
        self.aws.functions(ELSEWHERE).create_function(
            FunctionName=f"{PREFIX}-probe",
            Role=role,
            Runtime="python3.13",
            Handler="probe.handler",
            Code={"ZipFile": b"none"},
        )
        self.aws.secrets.create_secret(Name=f"{PREFIX}-probe", SecretString=json.dumps(SECRET))
        self.publish(
            {
                "name": NAME,
                "environment": "staging",
                "region": REGION,
                "cluster": PREFIX,
                "repository": NAME,
                "repository_url": REGISTRY,
                "services": {
                    component: {"service": f"{PREFIX}-{component}", "family": f"{PREFIX}-{component}", "minimum": 2}
                    for component in COMPONENTS
                },
                "tasks": {
                    "migrate_family": f"{PREFIX}-migrate",
                    "roles_family": f"{PREFIX}-roles",
                    "subnets": [subnet],
                    "security_groups": [group],
                    "assign_public_ip": False,
                },
                "probe": {
                    "url": url,
                    "path": "/things",
                    "secret": f"{PREFIX}-probe",
                    "function": f"{PREFIX}-probe",
                    "region": ELSEWHERE,
                },
                "topics": topics,
                "database": {"identifier": PREFIX, "rto_minutes": 60, "rpo_minutes": 10},
                "bake_seconds": 15,
            }
        )

    def publish(self, operations: dict[str, Any]) -> None:
        """Write the parameter, as Terraform does."""
        self.operations = operations
        self.aws.ssm.put_parameter(
            Name=f"/{NAME}/staging/operations", Value=json.dumps(operations), Type="String", Overwrite=True
        )

    def register(self, component: str, image: str, **environment: str) -> str:
        """Register a task definition, as Terraform does."""
        family = f"{PREFIX}-{component}"
        registered = self.aws.ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            taskRoleArn=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/{family}",
            executionRoleArn=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/{family}-start",
            containerDefinitions=[
                {
                    "name": component,
                    "image": image,
                    "cpu": 256,
                    "memory": 512,
                    "environment": [{"name": name, "value": value} for name, value in environment.items()],
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {"awslogs-group": f"/{PREFIX}", "awslogs-stream-prefix": component},
                    },
                }
            ],
        )
        return registered["taskDefinition"]["taskDefinitionArn"]

    def push(self, name: str, fares: str = "good") -> str:
        """Put an image into the registry, signed as the deploy workflow does it. Returns its digest."""
        layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{name:0>64}", "size": 1}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": layer, "layers": [layer]})
        digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
        self.aws.ecr.put_image(repositoryName=NAME, imageManifest=manifest, imageTag=name, imageDigest=digest)
        self.images[digest] = fares
        for predicate in provenance.SIGNED.values():
            self.sign(digest, predicate)
        return digest

    def sign(
        self,
        digest: str,
        predicate: str,
        workflow: str = f"{REPOSITORY}/.github/workflows/deploy.yml",
        ref: str = "refs/heads/main",
    ) -> None:
        """Let GitHub have an attestation: tests/ops/programs.py."""
        with self.signed.open("a") as file:
            file.write(f"{digest.removeprefix('sha256:')} {REPOSITORY} {workflow} {ref} {predicate}\n")

    def serve(self, name: str) -> str:
        """Let a release serve that was deployed before. Returns its digest."""
        digest = self.push(name)
        for component in COMPONENTS:
            service, image = self.service(component), f"{REGISTRY}@{digest}"
            service.task_definition = self.register(component, image, RELEASE=digest)
            service.desired_count = service.running_count = 2
            service.deployments[0] |= {
                "taskDefinition": service.task_definition,
                "rolloutState": "COMPLETED",
                "desiredCount": 2,
                "runningCount": 2,
            }
        return digest

    def alarm(self, name: str, state: Any) -> None:
        """Set an alarm on or off."""
        self.aws.cloudwatch.set_alarm_state(AlarmName=f"{PREFIX}-{name}", StateValue=state, StateReason="test")

    # What happens

    @property
    def ecs(self) -> Any:
        """The backend of moto."""
        return get_backend("ecs")[DEFAULT_ACCOUNT_ID][REGION]

    @property
    def registry(self) -> Any:
        """The repository of images, as moto keeps it."""
        return get_backend("ecr")[DEFAULT_ACCOUNT_ID][REGION].repositories[NAME]

    def service(self, component: str) -> Any:
        """A service, as moto keeps it."""
        return self.ecs.services[f"{PREFIX}:{PREFIX}-{component}"]

    def digest_of(self, definition: str) -> str:
        """The image of a task definition."""
        found = self.ecs.describe_task_definition(definition)
        return str(found.container_definitions[0]["image"]).rpartition("@")[2]

    def _update_service(self, properties: dict[str, Any]) -> Any:
        service = self.ecs._get_service(properties["cluster"], properties["service"])  # noqa: SLF001
        if properties.get("desired_count") is not None:
            service.desired_count = properties["desired_count"]
        wanted = properties.get("task_definition") or service.task_definition
        # A count above nothing begins a deployment of its own: the one that Terraform made had no tasks.
        if wanted != service.task_definition or service.running_count < service.desired_count:
            self._begin(service, wanted)
        elif service.desired_count == 0:
            service.running_count = service.deployments[0]["runningCount"] = 0
        return service

    def _begin(self, service: Any, definition: str) -> None:
        for each in service.deployments:
            each["status"] = "ACTIVE"
        service.task_definition = definition
        now = self.clock.now()
        service.deployments.insert(
            0,
            {
                "id": f"ecs-svc/{len(self.calls)}",
                "status": "PRIMARY",
                "rolloutState": "IN_PROGRESS",
                "rolloutStateReason": "in progress",
                "taskDefinition": definition,
                "desiredCount": service.desired_count,
                "runningCount": 0,
                "pendingCount": service.desired_count,
                "failedTasks": 0,
                "createdAt": now,
                "updatedAt": now,
            },
        )

    def pass_time(self, seconds: float) -> None:
        """Let happen what happens within this time."""
        for component in COMPONENTS:
            service = self.service(component)
            primary = service.deployments[0]
            if primary["rolloutState"] != "IN_PROGRESS":
                continue
            fares = self.images.get(self.digest_of(primary["taskDefinition"]), "sick")
            if fares in {"sick", f"sick-{component}"}:
                primary["failedTasks"] += 1
                if primary["failedTasks"] >= 3 and self.has_breaker:
                    self._break(service, primary)
            elif self.clock.now() - primary["createdAt"] >= timedelta(seconds=HEALTHY_SECONDS):
                primary |= {"rolloutState": "COMPLETED", "runningCount": service.desired_count, "pendingCount": 0}
                service.deployments = [primary]
                service.running_count = service.desired_count
        for at, happens in list(self.later):
            if at <= self.clock.now():
                self.later.remove((at, happens))
                happens()

    def _break(self, service: Any, failed: dict[str, Any]) -> None:
        failed |= {"rolloutState": "FAILED", "rolloutStateReason": "tasks failed to start"}
        service.events.insert(
            0, {"id": "1", "createdAt": self.clock.now(), "message": "(deployment failed: circuit breaker)"}
        )
        completed = [
            each for each in service.deployments if each["rolloutState"] == "COMPLETED" and each["runningCount"]
        ]
        if completed:
            self._begin(service, completed[0]["taskDefinition"])
            service.deployments.remove(failed)

    def in_seconds(self, seconds: float, happens: Callable[[], object]) -> None:
        """Let this happen later."""
        self.later.append((self.clock.now() + timedelta(seconds=seconds), happens))

    def note(self, model: Any, params: Any, **_: Any) -> Any:
        self.calls.append(model.name)
        answer = self.before(model.name, len(self.calls))
        if answer is None and model.name == "DescribeAlarmHistory":
            answer = self._history(
                json.loads(params["body"]) if isinstance(params["body"], bytes | str) else params["body"]
            )
        return answer

    def noted(self, model: Any, **_: Any) -> None:
        if model.name == "DescribeTasks":
            for task in self.tasks():
                task.desired_status = "STOPPED" if task.status == "STOPPED" else task.desired_status
        self.after(model.name, len(self.calls))

    def tasks(self) -> list[Any]:
        """The one-off tasks, as moto keeps them."""
        return list(self.ecs.tasks.get(PREFIX, {}).values())

    def _run_task(self, *given: Any, **named: Any) -> Any:
        """Let the task end as `migration` or `check` says."""
        started = type(self.ecs).run_task(self.ecs, *given, **named)
        for task in started:
            is_check = bool(task.overrides.get("containerOverrides"))
            task.containers[0].exitCode, task.stopped_reason = self.check if is_check else self.migration
            if is_check:
                self.checked.append(task.overrides["containerOverrides"][0]["command"])
                self._log(f"migrate/migrate/{task.id}", self.report)
        return started

    def _log(self, stream: str, line: str) -> None:
        self.aws.logs.create_log_stream(logGroupName=f"/{PREFIX}", logStreamName=stream)
        events = [{"timestamp": int(time.time() * 1000), "message": each} for each in ("starting", line)]
        self.aws.logs.put_log_events(logGroupName=f"/{PREFIX}", logStreamName=stream, logEvents=events)  # type: ignore[arg-type]

    def _history(self, _: Any) -> tuple[Any, dict[str, Any]]:
        items = []
        if self.is_delivering:
            for alarm in get_backend("cloudwatch")[DEFAULT_ACCOUNT_ID][REGION].alarms.values():
                if alarm.state_value == "ALARM":
                    items += [
                        {"HistoryItemType": "Action", "HistorySummary": f"Successfully executed action {each}"}
                        for each in alarm.alarm_actions
                    ]
        return type("Answer", (), {"status_code": 200})(), {"AlarmHistoryItems": items}

    # What is asked

    def run(self, carry_out: Callable[[Operation, Namespace], Outcome], **arguments: Any) -> Outcome:
        """Carry out a command."""
        known = {"environment": "staging", "dry_run": False, "take_over": False, "rotated": False}
        return command.run(Namespace(**(known | arguments)), carry_out, self.aws, self.clock)

    @property
    def operation(self) -> Operation:
        """What an operation works with."""
        return Operation(self.aws, load(self.aws, "staging"), self.clock)

    def serving(self) -> set[str]:
        """The digests that the services run, `rolling` if something is under way, `nothing` if no task runs."""
        found = set()
        for component in COMPONENTS:
            service = self.service(component)
            deployments = service.deployments
            is_rolling = len(deployments) > 1 or deployments[0]["rolloutState"] != "COMPLETED"
            running = self.digest_of(service.task_definition)
            found.add("nothing" if not service.desired_count else "rolling" if is_rolling else running)
        return found

    def answers(self) -> str:
        """How the API fares that most tasks run."""
        service = self.service("api")
        complete = [each for each in service.deployments if each["rolloutState"] == "COMPLETED"]
        return self.images.get(self.digest_of(complete[0]["taskDefinition"]), "sick") if complete else "sick"


class Api(ThreadingHTTPServer):
    """What answers for the API of an environment."""

    fares: Callable[[], str] = staticmethod(lambda: "good")

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    """How a service answers that is good, or fares otherwise."""

    server: Api

    def do_GET(self) -> None:
        how = self.server.fares()
        is_known = self.headers["Authorization"] == SECRET["authorization"]
        if how == "garbled":
            self.wfile.write(b"nonsense\r\n\r\n")
        elif how in {"rude", "sick"}:
            self.answer(500, {"code": "internal_error"})
        elif self.path == "/health/ready":
            self.answer(200, {"status": "starting" if how == "unready" else "ready"})
        elif not is_known and how != "open":
            self.answer(401, {"code": "unauthenticated"})
        elif how == "moved":
            self.answer(302, {}, Location="/health/ready")
        else:
            self.answer(200, "<html>" if how == "lying" else {"items": []})

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        wanted = "grant_type=client_credentials&client_id=probe&client_secret=secret&scope=things%3Aread"
        self.answer(200 if form == wanted else 401, {"access_token": "probe"})

    def answer(self, status: int, body: object, **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def web() -> Iterator[Api]:
    """Serve what the API of an environment would."""
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def simulated(signed: Path) -> Iterator[Cloud]:
    """Yield an environment. What is signed is listed in this file."""
    with mock_aws(config={"lambda": {"use_docker": False}}), web() as api:
        state_manager.set_transition("ecs::task", {"progression": "immediate"})
        cloud = Cloud(api.url, signed)
        api.fares = cloud.answers
        yield cloud
