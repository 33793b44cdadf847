"""How long a process takes until it serves, and how much memory it has: API and worker, against the bare one.

Runs in a service's folder and environment, on an embedded PostgreSQL. Prints JSON: name → seconds and MiB of each round.
Memory is the resident set, once after the start and once after some requests.
"""

import argparse
import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path[:0] = [str(Path.cwd()), str(Path.cwd() / "src")]

from alembic import command
from measure import ENVIRONMENT, HERE, free_port

from dev import credentials, database, environment, postgres

ASKED = 500


def resident(process: subprocess.Popen[bytes]) -> float:
    """MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextlib.contextmanager
def started(*program: str, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """The process, and when it began."""
    env = os.environ | {"PYTHONPATH": f"{Path.cwd()}:{Path.cwd() / 'src'}"} | settings
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *program], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process, began
    finally:
        process.kill()
        process.wait()


def until(began: float, is_there: Callable[[], bool]) -> float:
    while not is_there():
        if time.perf_counter() - began > 60:
            sys.exit("It did not start")
        time.sleep(0.005)
    return time.perf_counter() - began


def api(path: str, *program: str) -> dict[str, float]:
    port = free_port()

    def ask() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path, headers={"Host": "localhost"})
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    with started(*program, PORT=str(port)) as (process, began):
        seconds = until(began, lambda: ask() == 200)
        fresh = resident(process)
        for _ in range(ASKED):
            ask()
        return {"seconds": seconds, "MiB": fresh, "MiB after requests": resident(process)}


def worker() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, started("-m", "app.worker", TMPDIR=folder) as (process, began):
        seconds = until(began, (Path(folder) / "worker-alive").exists)
        time.sleep(1)
        return {"seconds": seconds, "MiB": resident(process)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    os.environ.update(ENVIRONMENT)
    environment.load(".env.example")
    found: dict[str, list[dict[str, float]]] = {"bare API": [], "API": [], "worker": []}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres.temporary([]))
        stack.enter_context(database.address(database.create(server, "bench")))
        command.upgrade(database.alembic(), "heads")
        stack.enter_context(credentials.temporary())
        for round_ in range(-1, rounds):  # the first one only warms up
            took = {"bare API": api("/bench", str(HERE / "bare.py")), "API": api("/health/ready", "-m", "app")}
            if Path("src/app/worker.py").exists():
                took["worker"] = worker()
            for name, each in took.items() if round_ >= 0 else ():
                found[name].append(each)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
