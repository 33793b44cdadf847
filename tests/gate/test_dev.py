"""`make dev`: the README's first request works, data stay, two run side by side, and stopping leaves nothing."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests import services
from tests.gate.machine import Machine, new_machine
from tests.gate.processes import running


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return new_machine(tmp_path_factory.mktemp("home"), uv=True)


@pytest.fixture(scope="module")
def service(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    # As root, the data are in /var/tmp under the folder's name.
    folder = tmp_path_factory.mktemp("dev") / f"dev-{uuid4()}"
    yield services.write(template, folder)
    for data in Path("/var/tmp").glob(f"{folder.name}-*"):  # noqa: S108
        shutil.rmtree(data)


@dataclass
class Dev:
    process: subprocess.Popen[bytes]
    url: str
    mark: str
    token: str

    def request(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.url + path, headers=headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return json.load(response)

    def is_ready(self) -> bool:
        try:
            self.request("/health/ready")
        except OSError:
            return False
        return True

    def stop(self, how: signal.Signals, keeping: str = "nothing") -> None:
        """Like ctrl-C in a terminal, which reaches all of the foreground, or like a plain `kill`, which does not."""
        started = running(self.mark)
        if how == signal.SIGINT:
            os.killpg(self.process.pid, how)
        else:
            self.process.send_signal(how)
        self.process.wait(timeout=30)
        deadline = time.monotonic() + 10
        while left := [process for process in running(self.mark, started) if keeping not in process.command]:
            assert time.monotonic() < deadline, f"still running: {left}"
            time.sleep(0.1)


@contextmanager
def dev(machine: Machine, service: Path) -> Iterator[Dev]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mark = str(uuid4())
    with (service.parent / f"{mark}.log").open("w+") as log:
        process = subprocess.Popen(
            ["make", "dev", f"PORT={port}"], cwd=service, env=machine.environment | {"STARTED_BY": mark},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        server = Dev(process, f"http://127.0.0.1:{port}", mark, token="")
        try:
            wait_until(lambda: server.is_ready() or process.poll() is not None, 120)
            log.seek(0)
            assert process.poll() is None, log.read()
            assert f"http://127.0.0.1:{port}/docs" in log.read()
            server.token = machine.done(service, "make", "--silent", "token").strip()
            yield server
        finally:
            for left in running(mark):
                with suppress(ProcessLookupError):
                    os.kill(left.pid, signal.SIGKILL)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not happen in {seconds} s"
        time.sleep(0.1)


def first_request(service: Path) -> str:
    """The README's own command."""
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", (service / "README.md").read_text(), re.DOTALL)
    (command,) = [block for block in blocks if "curl" in block]
    return command


def test_the_readmes_walk(machine: Machine, service: Path) -> None:
    with dev(machine, service) as server:
        order = json.loads(
            machine.done(service, "sh", "-c", first_request(service).replace("http://127.0.0.1:8000", server.url))
        )
        assert server.request(f"/orders/{order['id']}") == order
        assert any("postgres" in process.command for process in running(server.mark))
        server.stop(signal.SIGINT)

    with dev(machine, service) as server, dev(machine, service) as beside:
        assert server.request(f"/orders/{order['id']}") == order
        assert beside.request(f"/orders/{order['id']}") == order
        server.stop(signal.SIGTERM, keeping="postgres")  # the other still needs the database
        assert beside.request(f"/orders/{order['id']}") == order
        beside.stop(signal.SIGINT)
        assert not running(server.mark)


def test_a_taken_port_gets_a_sentence(machine: Machine, service: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = machine.run(service, "make", "dev", f"PORT={port}")
    assert result.returncode != 0
    assert f"Port {port} is taken" in result.stderr


def test_reload_brings_in_an_edit(machine: Machine, service: Path) -> None:
    identity = service / "src/app/identity.py"
    before = identity.read_text()
    with dev(machine, service) as server:
        assert server.request("/openapi.json")["info"]["description"] != "Edited."
        identity.write_text(re.sub('DESCRIPTION = ".*"', 'DESCRIPTION = "Edited."', before))
        wait_until(
            lambda: server.is_ready() and server.request("/openapi.json")["info"]["description"] == "Edited.", 30
        )
        identity.write_text(before)
        server.stop(signal.SIGINT)


def test_a_revision_is_written_formatted(machine: Machine, service: Path) -> None:
    before = {*service.glob("migrations/versions/*.py")}
    machine.done(service, "make", "migration", "NAME=add a delivery date")
    (revision,) = {*service.glob("migrations/versions/*.py")} - before
    machine.done(service, ".venv/bin/ruff", "format", "--check", str(revision))
    revision.unlink()
