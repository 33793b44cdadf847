"""Is this container's worker alive? `python -m app.chassis.jobs.healthy` exits with 0 if it is, and with 1 if not.

Alive means that its event loop turns. A database that is down must not get every worker killed.
"""

import sys
import tempfile
import time
from pathlib import Path


def _folder() -> Path:
    """Return one that can be written to, also in a container whose file system cannot: its shared memory."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return Path("/dev/shm")  # noqa: S108 (nobody else is in the container)


FILE = _folder() / "worker-alive"
TOUCH_SECONDS = 5
SILENT_SECONDS = 60


async def touch() -> None:
    """Say that the worker is alive."""
    FILE.touch()


def is_alive() -> bool:
    """Tell whether the worker has said so lately."""
    return FILE.exists() and time.time() - FILE.stat().st_mtime < SILENT_SECONDS


if __name__ == "__main__":
    sys.exit(0 if is_alive() else 1)
