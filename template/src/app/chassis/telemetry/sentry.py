"""Sends exceptions to Sentry: the one module that imports its SDK.

Its integrations stay off: they would wrap every request and statement (× 1.6 CPU) and collect what people send. What
waits to be sent is bounded; what does not fit, or does not arrive, is dropped.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog
from opentelemetry.trace import get_current_span
from sentry_sdk import Client
from sentry_sdk.transport import HttpTransport
from sentry_sdk.utils import event_from_exception

from app.chassis.telemetry import errors, redaction
from app.chassis.telemetry.outage import Outage
from app.identity import NAME

if TYPE_CHECKING:
    from app.chassis.settings import ChassisSettings

FLUSH_SECONDS = 2


class Transport(HttpTransport):
    """Sentry's, which by itself drops in silence."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self._outage = Outage("exceptions")

    def on_dropped_event(self, _reason: str) -> None:
        """Say so, once."""
        self._outage.note(sent=False)


def open_(settings: "ChassisSettings", process: str) -> Callable[[], None]:
    """Begin to send. Return what sends the rest and ends it."""
    for name in ("sentry_sdk", "urllib3"):  # every attempt that fails
        logging.getLogger(name).setLevel(logging.CRITICAL)
    client = Client(
        settings.sentry_dsn,
        release=settings.release,
        environment=settings.environment.value,
        server_name=NAME,
        transport=Transport,
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        enable_backpressure_handling=False,
        send_client_reports=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=lambda event, _: redaction.scrub(event),
    )

    def send(error: BaseException, facts: dict[str, str]) -> None:
        event, hint = event_from_exception(
            error, client_options=client.options, mechanism={"type": process, "handled": False}
        )
        event["tags"] = {"process": process} | structlog.contextvars.get_contextvars() | facts
        trace = get_current_span().get_span_context()
        if trace.is_valid:
            event["contexts"] = {"trace": {"trace_id": f"{trace.trace_id:032x}", "span_id": f"{trace.span_id:016x}"}}
        client.capture_event(event, hint)

    def close() -> None:
        errors.send_with(None)
        client.close(timeout=FLUSH_SECONDS)

    errors.send_with(send)
    return close
