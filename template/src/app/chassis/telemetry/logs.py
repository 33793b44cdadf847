"""Structured logs on stdout: one JSON object a line with UTC time, level, event, request and trace id, and release.

Log with `structlog.get_logger().info("order placed", order_id=...)`: a short constant event, facts as keywords.
Libraries that log through the standard library end up in the same stream. Secrets are taken out (`redaction`).

Levels: debug is for whoever looks for something, info is what happened (a refused request too: 4xx is the caller's
matter), warning is what somebody should see soon, error is what somebody has to do something about.
"""

import logging
import sys
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, ClassVar

import orjson
import structlog
from structlog.types import EventDict, Processor

from app.chassis.settings import ChassisSettings, LogFormat
from app.chassis.telemetry import redaction, traces
from app.identity import NAME

log = structlog.get_logger()


class _Output:
    """How lines are written. What is the same on each of them is encoded once."""

    about: ClassVar[EventDict] = {}
    tail = b"}"
    level = logging.INFO
    json = False


def configure(settings: ChassisSettings) -> None:
    """Set up logging for the whole process. Called once, when the process is built."""
    _Output.level = level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    _Output.json = settings.log_format == LogFormat.JSON
    _Output.about = {"service": NAME, "release": settings.release, "environment": settings.environment.value}
    _Output.tail = b"," + orjson.dumps(_Output.about)[1:]

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    ours: list[Processor]
    libraries: list[Processor]
    if _Output.json:
        ours, libraries = [_encoded], [_decoded]
    else:
        # Where rich happens to be installed, its own prints every local variable, secrets too, and takes seconds.
        traceback = structlog.dev.plain_traceback
        console = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=traceback)
        ours = libraries = [_scrubbed, console]

    structlog.configure(
        processors=[*shared, *ours],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory() if _Output.json else structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=False,  # would save a microsecond, and whoever logged first could not be set up again
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *libraries],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    sys.excepthook = _crashed
    # Chatter at info about what our own lines say better.
    for name in ("uvicorn", "httpx2", "app.chassis.data.pool"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _crashed(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Write what ends the process like everything else: on one line, without secrets."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        log.critical("crashed", exc_info=(kind, error, traceback))


def info(event: str, **facts: Any) -> None:
    """Write a line whose facts hold no secrets, the shortest way: for what is written with every request."""
    if _Output.level <= logging.INFO:
        _write("info", event, facts)


def debug(event: str, **facts: Any) -> None:
    """Write one that nobody needs to see, usually."""
    if _Output.level <= logging.DEBUG:
        _write("debug", event, facts)


def _write(level: str, event: str, facts: EventDict) -> None:
    if _Output.json:
        now = datetime.now(UTC)
        line = orjson.dumps({"timestamp": now, "level": level, "event": event, **facts}, option=orjson.OPT_UTC_Z)
        out = sys.stdout.buffer
        out.write(line[:-1] + _Output.tail + b"\n")
        out.flush()
    else:
        log.log(getattr(logging, level.upper()), event, **facts)


def _add_trace(_: Any, __: str, event: EventDict) -> EventDict:
    if id_ := traces.trace_id():
        event.setdefault("trace_id", id_)
    return event


def _encoded(_: Any, __: str, event: EventDict) -> bytes:
    """Render as JSON, without secrets. Whatever is logged, it does not raise."""
    if not event.keys().isdisjoint(_Output.about):
        event = {f"{key}_" if key in _Output.about else key: value for key, value in event.items()}
    try:
        line = orjson.dumps(event, default=str)
    except TypeError:  # what JSON cannot hold: half a character, a cycle, a key that is no string
        line = orjson.dumps({ascii(key)[1:-1]: ascii(value) for key, value in event.items()})
    return redaction.line(line)[:-1] + _Output.tail


def _decoded(_: Any, __: str, event: EventDict) -> str:
    return _encoded(None, __, event).decode()


def _scrubbed(_: Any, __: str, event: EventDict) -> EventDict:
    scrubbed: EventDict = redaction.scrub(event)
    return scrubbed
