"""The image is built as it stands and run as production runs it: read-only, without capabilities, as nobody."""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
from uv import find_uv_bin

from tests import services
from tests.gate.machine import new_machine
from tests.image.containers import Containers, bases, missing, unmount

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("image")]

TAG = "localhost/service"
# Of what the service adds to Python's image: its dependencies, compiled, and its code.
LARGEST_MEGABYTES = 200
HARDENED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--ulimit=nproc=512:512"]
# What machines like this allow: no systemd for the timer of the probe, which is called by hand; few open files.
HERE = ["--pull=never", "--network=host", "--ulimit=nofile=1024:1024", "--no-healthcheck"]
SETTINGS = {"DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/none", "HOST": "127.0.0.1", "LOG_FORMAT": "json"}

# Serves a migrated database until it is told to stop.
DATABASE = """
import sys
from alembic import command
from dev import database, postgres
with postgres.temporary() as server:
    url = database.create(server, "service")
    with database.address(url):
        command.upgrade(database.alembic(), "heads")
    print(url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def service(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if lacking := missing():
        reason = f"not here: {', '.join(lacking)} (.ci/run installs them)"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, and CI must build the image")
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("image")
    service = services.write(template, folder / "service")
    services.commit(service, "Start")
    new_machine(folder / "home", uv=True).done(service, "make", "sbom")
    return service


@pytest.fixture(scope="module")
def containers(service: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    containers, folder = Containers(tmp_path_factory.mktemp("store")), tmp_path_factory.mktemp("bases")
    try:
        bases(containers, "3.13", folder)
        containers.build(service, TAG)
        yield containers
    finally:
        containers.run("podman", "rm", "--all", "--force", "--time=0", check=False)
        unmount(containers.store)
        unmount(folder)


def start(containers: Containers, service: Path, name: str, *command: str, **settings: str) -> None:
    environment = [f"--env={key}={value}" for key, value in {**SETTINGS, **settings}.items()]
    # What infra/service/containers.tf gives a worker, for its sign of life.
    writable = ["--tmpfs=/tmp"] if name == "worker" else []
    options = [
        *HARDENED,
        *HERE,
        *writable,
        "--detach",
        f"--name={name}",
        f"--env-file={service / '.env.example'}",
        *environment,
    ]
    containers.run("podman", "run", *options, TAG, *command)


def within(containers: Containers, name: str, *command: str) -> subprocess.CompletedProcess[str]:
    return containers.run("podman", "exec", name, *command, check=False)


@pytest.fixture(scope="module")
def shell(service: Path, containers: Containers) -> Iterator[Callable[[str], str]]:
    """Runs commands in a hardened container, as its own user: what an intruder could."""
    start(containers, service, "intruded", "sleep", "600")
    yield lambda command: within(containers, "intruded", "sh", "-c", f"{command}; true").stdout.strip()
    containers.run("podman", "rm", "--force", "--time=0", "intruded")


def test_nobody_and_nothing_to_build_with(shell: Callable[[str], str]) -> None:
    assert shell("id -u; id -g").split() == ["10001", "10001"]
    assert shell("touch /app/x /tmp/x /x && echo written") == ""
    assert shell("command -v pip uv gcc cc make git curl wget") == ""
    assert shell("python -m pip --version") == ""
    assert shell("grep CapEff /proc/self/status").split() == ["CapEff:", "0000000000000000"]
    # Its own code is not its user's to change, read-only or not.
    assert shell("find /app -user 10001 -o -perm -o+w ! -type l") == ""


def test_its_size(containers: Containers, shell: Callable[[str], str]) -> None:
    megabytes = int(shell("du -sm /app").split()[0])
    print(f"{megabytes} MB on top of Python's image, {containers.size(TAG) / 1e6:.0f} MB with the stand-in")
    assert megabytes < LARGEST_MEGABYTES


def test_the_bill_of_materials_lists_what_is_in_it(service: Path, shell: Callable[[str], str]) -> None:
    code = "from importlib.metadata import distributions as d; print(*[f'{x.name}=={x.version}' for x in d()])"
    here = {entry.lower().replace("_", "-") for entry in shell(f'python -c "{code}"').split()}
    bill = json.loads((service / "reports/sbom.json").read_text())["components"]
    listed = {f"{component['name']}=={component['version']}" for component in bill}
    lock = [
        find_uv_bin(),
        "export",
        "--quiet",
        "--locked",
        "--no-dev",
        "--no-hashes",
        "--no-emit-project",
        "--no-annotate",
    ]
    exported = subprocess.run(lock, cwd=service, capture_output=True, text=True, check=True).stdout
    locked = [line for line in exported.splitlines() if "==" in line]
    assert listed == {line.partition(" ;")[0] for line in locked}
    assert here - listed == {"service==0.1.0"}
    # The rest is for other systems.
    assert listed - here <= {line.partition(" ;")[0] for line in locked if ";" in line}


@contextlib.contextmanager
def running(containers: Containers, service: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    start(containers, service, "it", PORT=str(port))
    try:
        yield port
    finally:
        containers.run("podman", "rm", "--force", "--time=0", "it")


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_it_answers_and_stops_when_told(service: Path, containers: Containers) -> None:
    with running(containers, service) as port:
        deadline = time.monotonic() + 60
        while status(port, "/health/live") != 200:
            assert time.monotonic() < deadline, containers.run("podman", "logs", "it", check=False)
            time.sleep(0.2)
        assert status(port, "/health/ready") == 503, "there is no database"
        (image,) = json.loads(containers.run("podman", "image", "inspect", TAG).stdout)
        probe = image["Healthcheck"]["Test"]
        assert probe[0] == "CMD"
        assert within(containers, "it", *probe[1:]).returncode == 0
        # One whose API does not answer is not healthy: here it is another port's.
        assert within(containers, "it", "env", "PORT=1", *probe[1:]).returncode != 0
        stopped(containers, "it")


def stopped(containers: Containers, name: str) -> None:
    """See that it ends by itself when it is told to, within the platform's limit."""
    containers.run("podman", "kill", "--signal=TERM", name)
    began = time.monotonic()
    assert containers.run("podman", "wait", name).stdout.strip() == "0", containers.run("podman", "logs", name)
    assert time.monotonic() - began < 30


def test_the_worker_is_alive_and_stops_when_told(service: Path, containers: Containers) -> None:
    """The same image, with a health check of its own: as infra/ runs it."""
    python = service / ".venv/bin/python"
    with subprocess.Popen([python, "-c", DATABASE], cwd=service, stdin=PIPE, stdout=PIPE, text=True) as database:
        assert database.stdout
        url = database.stdout.readline().strip()
        start(containers, service, "worker", "python", "-m", "app.worker", DATABASE_URL=url)
        try:
            alive = ["python", "-m", "app.chassis.jobs.healthy"]
            deadline = time.monotonic() + 60
            while within(containers, "worker", *alive).returncode:
                assert time.monotonic() < deadline, containers.run("podman", "logs", "worker", check=False)
                time.sleep(0.2)
            stopped(containers, "worker")
        finally:
            containers.run("podman", "rm", "--force", "--time=0", "worker")
            database.communicate("stop\n")
