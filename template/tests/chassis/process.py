"""A service with other settings than usual: in this process, or in one of its own, with real sockets and signals."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from httpx2 import ASGITransport, AsyncClient

from app.main import build
from app.settings import Settings
from dev.environment import PROJECT

START_SECONDS = 30
NOWHERE = "postgresql://nobody:nothing@127.0.0.1:1/none"
"""An address where no database is."""


class Service(NamedTuple):
    """The running process, and where it listens."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[AsyncClient]:
    """Yield a client of an application with these settings, within this process."""
    application = build(settings)
    async with (
        application.router.lifespan_context(application),
        AsyncClient(transport=ASGITransport(application), base_url="http://localhost") as client,
    ):
        yield client


@contextlib.contextmanager
def running(module: str, **settings: object) -> Iterator[Service]:
    """Run `python -m module` with these settings on top of development's until the context ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {name.upper(): str(value) for name, value in settings.items()} | {"PORT": str(port)}
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module], cwd=PROJECT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        service = Service(process, port, Path(log.name))
        try:
            _wait(service)
            yield service
        finally:
            process.kill()
            process.wait()


def exchange(service: Service, parts: Iterable[bytes]) -> bytes:
    """Send these parts as far as the service takes them, and return all that it says until it closes."""
    with service.connect() as connection:
        with contextlib.suppress(ConnectionError):  # it may have heard enough
            for part in parts:
                connection.sendall(part)
        said = b""
        with contextlib.suppress(ConnectionError):
            while received := connection.recv(65536):
                said += received
        return said


def _wait(service: Service) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and service.process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), service.connect():
            return
        time.sleep(0.05)
    raise RuntimeError(f"The service did not start:\n{service.log.read_text()}")
