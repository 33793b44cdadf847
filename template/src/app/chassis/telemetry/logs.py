"""Structured logs on stdout: one JSON object a line with UTC time, level, event, request id and release.

Log with `structlog.get_logger().info("order placed", order_id=...)`: a short constant event, facts as keywords.
Libraries that log through the standard library end up in the same stream.
"""

import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.types import EventDict, Processor

from app.chassis.settings import ChassisSettings, LogFormat
from app.identity import NAME


def configure(settings: ChassisSettings) -> None:
    """Set up logging for the whole process. Called once, when the application is built."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    about = {"service": NAME, "release": settings.release, "environment": settings.environment.value}

    def add_about(_: Any, __: str, event: EventDict) -> EventDict:
        event.update(about)
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if settings.log_format == LogFormat.JSON:
        shared += [add_about, structlog.processors.format_exc_info]
        render: Processor = structlog.processors.JSONRenderer(serializer=_dumps)
    else:
        # Where rich happens to be installed, its own prints every local variable, secrets too, and takes seconds.
        traceback = structlog.dev.plain_traceback
        render = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=traceback)

    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # Chatter at info about what our own lines say better.
    for name in ("uvicorn", "httpx2"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _dumps(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
