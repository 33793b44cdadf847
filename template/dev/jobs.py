"""The worker of `make dev`, and the service's own commands about jobs on the development database."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator

from watchfiles import PythonFilter, watch

from app.chassis.jobs import __main__ as commands
from dev import database, environment

STOP_SECONDS = 5
"""How long a job may still take when the worker has to go."""


@contextlib.contextmanager
def development() -> Iterator[None]:
    """Run the worker, anew whenever src/ changes, as long as the context lasts."""
    ended = threading.Event()
    thread = threading.Thread(target=_run, args=(ended,))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _run(ended: threading.Event) -> None:
    worker = _start()
    for _ in watch(environment.PROJECT / "src", watch_filter=PythonFilter(), stop_event=ended, rust_timeout=200):
        _stop(worker)
        worker = _start()
    _stop(worker)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "app.worker"], cwd=environment.PROJECT)


def _stop(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def main() -> None:
    """Carry out one command."""
    environment.load(".env.example", ".env")
    with database.development():
        commands.main()


if __name__ == "__main__":
    main()
