"""Which trace this work belongs to (W3C Trace Context), and spans of the part that is sampled.

The trace has an id from its first process to its last, in every log line, sampled or not. What is not sampled costs
an id and nothing else. OpenTelemetry's API holds the context; its SDK is there only if spans are sent (`otlp`).
"""

import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import context
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class _Sending:
    """How spans are made, if they are."""

    tracer: Tracer | None = None
    ratio: float = 0.0


def send_to(tracer: Tracer | None, ratio: float) -> None:
    """Make spans with this tracer, for this share of the traces that begin here. None: make none."""
    _Sending.tracer, _Sending.ratio = tracer, ratio


def trace_id() -> str | None:
    """Return the id of the trace that this work belongs to, as it is written in headers."""
    current = get_current_span().get_span_context()
    return f"{current.trace_id:032x}" if current.trace_id else None


def inject() -> dict[str, str]:
    """Return the headers that carry on this trace: for an outgoing request, or beside a job's payload."""
    current = get_current_span().get_span_context()
    if not current.trace_id:
        return {}
    return {"traceparent": f"00-{current.trace_id:032x}-{current.span_id:016x}-{current.trace_flags:02x}"}


def extract(headers: Mapping[str, str]) -> SpanContext:
    """Return the span that these headers name as the parent, an invalid one if they name none.

    `tracestate`, which vendors may add, ends here: anybody could write what we would tell others.
    """
    if "traceparent" not in headers:
        return INVALID_SPAN_CONTEXT
    parent = _TRACEPARENT.fullmatch(headers["traceparent"])
    if parent is None:
        return INVALID_SPAN_CONTEXT
    flags = TraceFlags(int(parent[3], 16) & TraceFlags.SAMPLED)
    return SpanContext(int(parent[1], 16), int(parent[2], 16), is_remote=True, trace_flags=flags)


def start(
    name: str, parent: SpanContext, kind: SpanKind = SpanKind.INTERNAL, attributes: Mapping[str, Any] | None = None
) -> Span:
    """Return a span below the parent, or at the root of a new trace. Whoever starts it makes it current and ends it."""
    known = parent.is_valid
    if _Sending.tracer and (parent.trace_flags.sampled if known else random.random() < _Sending.ratio):  # noqa: S311
        below = set_span_in_context(NonRecordingSpan(parent), context.Context()) if known else context.Context()
        return _Sending.tracer.start_span(name, below, kind, attributes)
    if known:
        return NonRecordingSpan(parent)
    trace, span = random.getrandbits(128) or 1, random.getrandbits(64) or 1
    return NonRecordingSpan(SpanContext(trace, span, is_remote=False))


@contextmanager
def attach(headers: Mapping[str, str]) -> Iterator[None]:
    """Work within the trace that these headers carry (`inject` wrote them), or within none if they carry none."""
    token = context.attach(set_span_in_context(NonRecordingSpan(extract(headers)), context.Context()))
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def span(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | float) -> Iterator[Span]:
    """Work within a span of this name: one of few, such as a route or a job, never with ids in it.

    It begins a trace where there is none. An exception that leaves it marks it as failed.
    """
    each = start(name, get_current_span().get_span_context(), kind, attributes)
    token = context.attach(set_span_in_context(each))
    try:
        yield each
    except Exception as error:
        failed(each, error)
        raise
    finally:
        context.detach(token)
        each.end()


def failed(each: Span, error: BaseException) -> None:
    """Say in the span what went wrong."""
    if each.is_recording():
        each.set_attribute("error.type", type(error).__qualname__)
        each.record_exception(error)
        each.set_status(StatusCode.ERROR)


def watch(engine: AsyncEngine) -> None:
    """Make a span of every statement within a sampled trace. The text is what SQLAlchemy sends: without the values."""

    def begin(*arguments: Any) -> None:
        _, _, statement, _, execution, _ = arguments
        current = get_current_span()
        if current.is_recording():
            verb = statement.split(None, 1)[0].upper() if statement else "SQL"
            attributes = {"db.system.name": "postgresql", "db.operation.name": verb, "db.query.text": statement}
            execution.span = start(verb, current.get_span_context(), SpanKind.CLIENT, attributes)

    def end(*arguments: Any) -> None:
        if each := getattr(arguments[4], "span", None):
            each.end()

    def fail(failure: Any) -> None:
        if each := getattr(failure.execution_context, "span", None):
            failed(each, failure.original_exception)
            each.end()

    event.listen(engine.sync_engine, "before_cursor_execute", begin)
    event.listen(engine.sync_engine, "after_cursor_execute", end)
    event.listen(engine.sync_engine, "handle_error", fail)
