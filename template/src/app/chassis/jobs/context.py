"""What travels with a job, from where it was enqueued to where it runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog

from app.chassis.http.request_id import request_id
from app.chassis.telemetry import traces


def capture() -> dict[str, str]:
    """Return what the job's log lines and spans are to be found by later."""
    return {"request_id": request_id.get()} | traces.inject()


@contextmanager
def restored(context: Mapping[str, str], **facts: object) -> Iterator[None]:
    """Bind what was captured, and these facts about the job, to every log line until the context ends."""
    token = request_id.set(context.get("request_id", "-"))
    try:
        with traces.attach(context), structlog.contextvars.bound_contextvars(request_id=request_id.get(), **facts):
            yield
    finally:
        request_id.reset(token)
