"""The rituals of a service, as its owner calls them: they end well, leave nothing running, and find what is broken."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from tests import services
from tests.gate.machine import Machine, new_machine
from tests.gate.processes import running
from tests.render.test_render import PROFILES

# One at a time: each runs a service on every core.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("gate")]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return new_machine(tmp_path_factory.mktemp("home"), uv=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("rituals")
    yield folder
    for service in folder.iterdir():  # as root, the data are in /var/tmp under the folder's name
        for data in Path("/var/tmp").glob(f"{service.name}-*"):  # noqa: S108
            shutil.rmtree(data)


@pytest.fixture(
    params=[name if name == "longest" else pytest.param(name, marks=pytest.mark.release) for name in PROFILES]
)
def any_service(request: pytest.FixtureRequest, template: Path, folder: Path) -> Path:
    return services.write(
        template, folder / f"rituals-{uuid4()}", {**PROFILES[request.param], "python_version": "3.13"}
    )


@pytest.fixture(scope="module")
def service(template: Path, folder: Path) -> Path:
    return services.write(template, folder / f"rituals-{uuid4()}")


def test_each_ends_well(machine: Machine, any_service: Path) -> None:
    services.commit(any_service, "Start")
    assert "No warning, no retry" in machine.done(any_service, "make", "soak", "MINUTES=0.1")
    assert "0 lost, 0 doubled" in machine.done(any_service, "make", "rehearse", "KILLS=3")
    assert "Nothing is missing" in machine.done(any_service, "make", "restore-drill")
    assert "All thresholds hold" in machine.done(any_service, "make", "load", "USERS=3", "SECONDS=5")
    assert {path.name for path in (any_service / "reports").iterdir()} == {
        "load.html", "rehearse.json", "restore-drill.json",
    }  # fmt: skip
    assert services.git(any_service, "status", "--porcelain") == "?? uv.lock\n"


@pytest.mark.parametrize("command", ["soak", "rehearse", "load"])
def test_ctrl_c_leaves_nothing(machine: Machine, service: Path, command: str) -> None:
    mark = str(uuid4())
    # What a shell runs in the background is deaf to it, and so would be all that we start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        ["make", command], cwd=service, env=machine.environment | {"STARTED_BY": mark},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until(lambda: any(each.command.endswith("-m app") for each in running(mark)), 120)
        started = running(mark)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) != 0
        wait_until(lambda: not running(mark, started), 10)
    finally:
        for left in running(mark):
            with suppress(ProcessLookupError):
                os.kill(left.pid, signal.SIGKILL)


@pytest.mark.release
def test_what_is_broken_is_found(machine: Machine, service: Path) -> None:
    """An owner's own job and rehearsal first as they should be, then with the chassis broken beneath."""
    add_errands(machine, service)
    assert "0 lost, 0 doubled" in machine.done(service, "make", "rehearse", "KILLS=4")

    chassis = service / "src/app/chassis"
    # A request that is sent again is done again.
    replace(chassis / "http/idempotency/store.py", r"    lock = int\.from", "    return None\n    lock = int.from")
    # What a dead worker had begun stays begun.
    replace(chassis / "jobs/queue.py", r"STALLED_SECONDS = \d+", "STALLED_SECONDS = 86_400")
    # What fails is not tried again.
    replace(chassis / "jobs/job.py", r"RETRIES = \d+", "RETRIES = 0")
    # The provider is not told that it has been asked before.
    provider = service / "src/app/orders/payments/provider.py"
    replace(provider, r"idempotency_key=.*,", "idempotency_key=__import__('uuid').uuid4().hex,")
    replace(service / "dev/rehearse.py", r"SETTLE_SECONDS = \d+", "SETTLE_SECONDS = 40")
    result = machine.run(service, "make", "rehearse", "KILLS=10", "SEED=1")
    assert result.returncode != 0
    for problem in (r"orders: \d+ doubled", r"charges: \d+ doubled", r"errands: \d+ lost", r"jobs: \d+ not done",
                    r"jobs: \d+ dead letters"):  # fmt: skip
        assert re.search(problem, result.stdout), result.stdout
    assert json.loads((service / "reports/rehearse.json").read_text())["problems"]


def add_errands(machine: Machine, service: Path) -> None:
    """What an owner writes: a table, a job that fails now and then, a route that enqueues it, and a rehearsal."""
    folder = service / "src/app/errands"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "models.py").write_text(
        """
from sqlalchemy.orm import Mapped, mapped_column

from app.chassis.data.model import Model


class Errand(Model):
    __tablename__ = "errands"

    mark: Mapped[str] = mapped_column(primary_key=True)
"""
    )
    (folder / "jobs.py").write_text(
        """
import asyncio
import random

from sqlalchemy.dialects.postgresql import insert

from app.chassis.jobs.job import Payload, job
from app.chassis.jobs.work import Work
from app.errands.models import Errand


class Run(Payload):
    mark: str


@job("errands.run", timeout_seconds=10)
async def run(payload: Run, work: Work) -> None:
    await asyncio.sleep(0.3)
    if random.random() < 0.1:
        raise RuntimeError("bad luck")
    async with work.session() as session:
        await session.execute(insert(Errand).values(mark=payload.mark).on_conflict_do_nothing())
"""
    )
    (folder / "api.py").write_text(
        """
from fastapi import APIRouter

from app.chassis.data.session import Session
from app.chassis.http.idempotency.route import IdempotentRoute
from app.chassis.security.permissions import public
from app.errands.jobs import Run, run

router = APIRouter(prefix="/errands", route_class=IdempotentRoute, dependencies=[public])


@router.post("", status_code=202)
async def start(body: Run, session: Session) -> None:
    await run.enqueue(session, body)
"""
    )
    rehearsal = service / "tests/errands/rehearsal.py"
    rehearsal.parent.mkdir()
    rehearsal.write_text(
        """
async def visit(client, mark):
    await client.post("/errands", {"mark": mark})


async def account(database):
    return {"errands": dict(await database.fetch("SELECT mark, count(*) FROM errands GROUP BY mark"))}
"""
    )
    with (service / "src/app/routes.py").open("a") as routes:
        routes.write("\nfrom app.errands import api as errands  # noqa: E402\n\nrouters.append(errands.router)\n")
    machine.done(service, "make", "migration", "NAME=add errands")


def replace(path: Path, pattern: str, by: str) -> None:
    text, count = re.subn(pattern, by, path.read_text())
    assert count == 1, f"{path} has changed: {pattern}"
    path.write_text(text)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not happen in {seconds} s"
        time.sleep(0.1)
