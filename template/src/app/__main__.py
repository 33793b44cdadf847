"""Runs the API as production does: `python -m app`."""

import uvicorn

from app.chassis.settings import load
from app.main import build
from app.settings import Settings


def main() -> None:
    """Serve until SIGTERM or SIGINT, then let requests in flight finish.

    One process: the platform adds replicas, and restarts one that died.
    """
    settings = load(Settings)
    uvicorn.run(
        build(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,  # our own logging: app.chassis.telemetry.logs
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=20,
    )


if __name__ == "__main__":
    main()
