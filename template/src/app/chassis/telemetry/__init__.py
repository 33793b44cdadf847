"""What a process tells of itself: logs, traces, metrics and errors. Secrets leave it by none of them.

Off means off: of OpenTelemetry's SDK and of Sentry nothing is imported until a setting names where to send to.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.chassis.telemetry import metrics, traces

if TYPE_CHECKING:  # the settings import what is traced
    from app.chassis.settings import ChassisSettings

log = structlog.get_logger()

FLUSH_SECONDS = 2
"""How long the end of a process waits for what has not been sent yet, all of it together."""


@asynccontextmanager
async def opened(settings: "ChassisSettings", process: str, engine: AsyncEngine) -> AsyncIterator[None]:
    """Send traces, metrics and errors where the settings say, for as long as the process ("api", "worker") runs.

    Nothing that listens there, or does not, can harm the process: queues are bounded, and so is the wait at the end.
    """
    closing: list[Callable[[], None]] = []
    if settings.otlp_endpoint:
        from app.chassis.telemetry import otlp  # noqa: PLC0415 (time and memory that a process without it does not pay)

        closing.append(otlp.open_(settings, process))
        metrics.watch(engine)
        traces.watch(engine)
    if settings.sentry_dsn:
        from app.chassis.telemetry import sentry  # noqa: PLC0415

        closing.append(sentry.open_(settings, process))
    try:
        yield
    finally:
        await _all_ended([threading.Thread(target=close, daemon=True) for close in closing])


async def _all_ended(threads: list[threading.Thread]) -> None:
    """Wait for them without holding up the loop, and no longer than is due. Daemons, because exit joins all others."""
    for thread in threads:
        thread.start()
    deadline = asyncio.get_running_loop().time() + FLUSH_SECONDS
    while any(thread.is_alive() for thread in threads):
        if asyncio.get_running_loop().time() > deadline:
            log.warning("telemetry was not sent to the end", seconds=FLUSH_SECONDS)
            return
        await asyncio.sleep(0.01)
