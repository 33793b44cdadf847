"""The fresh box: only the system's Python, git and make, and an empty home. Both READMEs to the letter, timed."""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import services
from tests.docs.documents import blocks
from tests.docs.test_readme import FIRST_COMMANDS, MAKE_SERVICE
from tests.gate.machine import Machine, python
from tests.gate.test_dev import dev, first_request

SYSTEM = "/usr/bin:/bin"
# How this machine reaches the world, and who commits. All else of the environment is gone.
REACHES = ("GIT_AUTHOR", "GIT_COMMITTER", "GIT_SSL", "SSL_", "PIP_CERT", "REQUESTS_CA", "CURL_CA")
REACHES_ANYHOW = ("PROXY", "INDEX_URL", "INDEX")
LIMIT_MINUTES = 15
PYTHON = "3.13"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """As new, with the Python that a service asks for: uv would fetch it where the machine has none."""
    home, tools = tmp_path / "home", tmp_path / "tools"
    home.mkdir()
    tools.mkdir()
    if not shutil.which(f"python{PYTHON}", path=SYSTEM):
        (tools / f"python{PYTHON}").symlink_to(Path(str(python(PYTHON))).resolve())
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(REACHES) or name.upper().endswith(REACHES_ANYHOW)
    }
    machine = Machine(kept | {"HOME": str(home), "PATH": f"{SYSTEM}:{tools}", "LANG": "C.UTF-8"})
    assert machine.run(home, "sh", "-c", "command -v uv").stdout == "", "this box is not fresh"
    return machine


class Clock:
    """Which step took how long."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = time.monotonic() - began

    def report(self) -> str:
        steps = [f"{name:<40} {seconds / 60:5.1f} min" for name, seconds in self.seconds.items()]
        return "\n".join([*steps, f"{'all of it':<40} {sum(self.seconds.values()) / 60:5.1f} min"])


@pytest.mark.release
def test_from_nothing_to_tested_and_running(template: Path, machine: Machine, tmp_path: Path) -> None:
    clock, clone, service = Clock(), tmp_path / "work" / "seaworthy", tmp_path / "work" / "my-service"
    clone.parent.mkdir()
    # As root, the data are in /var/tmp.
    data = Path("/var/tmp") / f"{service.name}-{hashlib.sha256(str(service).encode()).hexdigest()[:12]}"  # noqa: S108
    try:
        with clock.step("git clone"):
            machine.done(clone.parent, "git", "clone", "--quiet", str(template), str(clone))
        with clock.step(MAKE_SERVICE.strip()):
            machine.done(clone, "sh", "-ec", MAKE_SERVICE)
        *committing, check, run = FIRST_COMMANDS.strip().splitlines()
        assert (check, run) == ("make check", "make dev")
        assert blocks((service / "README.md").read_text())[0].splitlines() == [check, run]
        with clock.step("git init, add, commit"):
            machine.done(service, "sh", "-ec", "\n".join(committing))
        with clock.step(check):
            machine.done(service, "sh", "-ec", check)
        with clock.step(f"{run}, until an order is placed"), dev(machine, service) as server:
            request = first_request(service).replace("http://127.0.0.1:8000", server.url)
            order = json.loads(machine.done(service, "sh", "-ec", request))
            assert server.request(f"/orders/{order['id']}") == order
        with clock.step("make check, once more"):
            machine.done(service, "sh", "-ec", check)
        assert services.git(service, "status", "--porcelain") == "?? uv.lock\n"
    finally:
        print(f"\n{clock.report()}")
        subprocess.run(["rm", "-rf", str(data)], check=True)
    assert sum(clock.seconds.values()) < LIMIT_MINUTES * 60, clock.report()
