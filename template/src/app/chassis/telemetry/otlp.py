"""Sends spans and metrics over OTLP/HTTP: the one module that imports OpenTelemetry's SDK.

Both are sent by threads of their own. Spans that cannot be sent are kept up to a number and then dropped; a collector
that refuses, stalls or is gone is logged when that begins and when it is over. What it asks for by way of headers is
given as OpenTelemetry has it, in OTEL_EXPORTER_OTLP_HEADERS.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import export as points
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Status

from app.chassis.telemetry import metrics, redaction, traces
from app.chassis.telemetry.outage import Outage
from app.identity import NAME

if TYPE_CHECKING:
    from app.chassis.settings import ChassisSettings

MAX_SPANS = 2048
"""How many wait to be sent. Those that come while so many wait push out the oldest."""
DELAY_SECONDS = 5
METRICS_SECONDS = 60
TIMEOUT_SECONDS = 5
"""The longest that one sending takes, its retries included."""


def open_(settings: "ChassisSettings", process: str) -> Callable[[], None]:
    """Begin to send. Return what sends the rest and ends it."""
    # What it has to say of a collector that does not answer, it says again and again.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    resource = Resource.create(
        {
            "service.name": NAME,
            "service.version": settings.release,
            "service.instance.id": uuid.uuid4().hex,
            "deployment.environment.name": settings.environment.value,
            "app.process": process,
        }
    )
    endpoint = settings.otlp_endpoint.rstrip("/")
    spans = Spans(endpoint)
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(spans, max_queue_size=MAX_SPANS, schedule_delay_millis=DELAY_SECONDS * 1000)
    )
    numbers = Metrics(endpoint, resource)
    traces.send_to(provider.get_tracer("app"), settings.trace_sample_ratio)

    def close() -> None:
        traces.send_to(None, 0)
        numbers.close()
        if spans.outage.lasts:
            spans.shutdown()  # what waits is given up at once
        provider.shutdown()

    return close


class Spans(SpanExporter):
    """OpenTelemetry's exporter, of spans without secrets."""

    def __init__(self, endpoint: str) -> None:
        self._exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=TIMEOUT_SECONDS)
        self.outage = Outage("traces")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them."""
        result = self._exporter.export([_scrubbed(each) for each in spans])
        self.outage.note(sent=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """Send no more."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


def _scrubbed(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=redaction.text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=redaction.scrub(span.attributes or {}),
        events=[Event(each.name, redaction.scrub(each.attributes or {}), each.timestamp) for each in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code, span.status.description and redaction.text(span.status.description)),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class Metrics:
    """Sends all metrics every minute, each as the sum since the process began."""

    def __init__(self, endpoint: str, resource: Resource) -> None:
        self._exporter = OTLPMetricExporter(f"{endpoint}/v1/metrics", timeout=TIMEOUT_SECONDS)
        self._resource = resource
        self._outage = Outage("metrics")
        self._started = time.time_ns()
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Send them a last time."""
        self._ended.set()
        if not self._outage.lasts:
            self._send()

    def _run(self) -> None:
        while not self._ended.wait(METRICS_SECONDS):
            self._send()

    def _send(self) -> None:
        try:
            sent = self._exporter.export(self._read()) is points.MetricExportResult.SUCCESS
        except Exception:  # noqa: BLE001 (a gauge that cannot be read: the thread goes on)
            sent = False
        self._outage.note(sent=sent)

    def _read(self) -> points.MetricsData:
        metrics.read_gauges()
        now = time.time_ns()
        found = [self._point(each, now) for each in metrics.Metric.declared.values() if each.series]
        scope = points.ScopeMetrics(InstrumentationScope("app"), found, "")
        return points.MetricsData([points.ResourceMetrics(self._resource, [scope], "")])

    def _point(self, metric: Any, now: int) -> points.Metric:
        series = [(dict(attributes), value) for attributes, value in list(metric.series.items())]
        cumulative = points.AggregationTemporality.CUMULATIVE
        data: points.Sum | points.Gauge | points.Histogram
        if isinstance(metric, metrics.Histogram):
            data = points.Histogram([self._spread(each, now, metric.bounds) for each in series], cumulative)
        else:
            numbers = [points.NumberDataPoint(each, self._started, now, value) for each, value in series]
            counts = isinstance(metric, metrics.Counter)
            data = points.Sum(numbers, cumulative, is_monotonic=True) if counts else points.Gauge(numbers)
        return points.Metric(metric.name, metric.description, metric.unit, data)

    def _spread(
        self, series: tuple[dict[str, str], list[float]], now: int, bounds: Sequence[float]
    ) -> points.HistogramDataPoint:
        attributes, [*counts, total] = series
        whole = [int(each) for each in counts]
        return points.HistogramDataPoint(
            attributes, self._started, now, sum(whole), total, whole, bounds, min=float("nan"), max=float("nan")
        )
