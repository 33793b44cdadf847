"""`make dev`: the database, its migrations and the API with reload, until ctrl-C."""

import errno
import multiprocessing
import os
import signal
import socket
import sys
from types import FrameType

import uvicorn

from dev import database, environment, postgres


def main() -> None:
    """Run everything in the foreground, and leave nothing behind."""
    environment.load(".env.example", ".env")
    host, port = os.environ["HOST"], int(os.environ["PORT"])
    _refuse_taken(host, port)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with database.development():
            print(f"\nhttp://{host}:{port}/docs shows the API. Edit src/ and it reloads; ctrl-C stops everything.\n")
            uvicorn.run(
                "app.main:development",
                factory=True,
                host=host,
                port=port,
                reload=True,
                reload_dirs=[str(environment.PROJECT / "src")],
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
            )
    except postgres.PostgresError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
    finally:
        for server in multiprocessing.active_children():  # where watching the files failed
            server.terminate()
    print("Stopped. The data stay for the next time.")


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            sys.exit(f"Port {port} is taken by another process. Choose another: make dev PORT={port + 1}")


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
