"""What telemetry is sent to: an OTLP collector and a Sentry, as far as a test has to see what arrives there."""

import contextlib
import gzip
import importlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Attributes = dict[str, Any]
SERVER, CLIENT = 2, 3
"""Kinds of spans, as OTLP numbers them."""


class Span(NamedTuple):
    """A span, as it arrived."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    attributes: Attributes
    events: list[Attributes]
    failed: bool
    resource: Attributes


class Point(NamedTuple):
    """A metric's value for one combination of attributes. Of a histogram, how many."""

    attributes: Attributes
    value: float


class Receiver:
    """Takes what is posted to it, or answers as it is told."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []
        self.traceparents: list[str] = []
        self.asked = threading.Event()
        self.status = 200
        self.released = threading.Event()  # until then nothing is answered
        self.released.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.traceparents += self.headers.get_all("traceparent", [])
                decode = {"gzip": gzip.decompress, "br": _unbrotli}.get(self.headers.get("Content-Encoding", ""), bytes)
                receiver.posts.append((self.path, decode(body)))
                receiver.asked.set()
                receiver.released.wait(30)
                with contextlib.suppress(OSError):
                    self.send_response(receiver.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def dsn(self) -> str:
        """Where it is, for Sentry."""
        return f"http://public@127.0.0.1:{self.server.server_port}/1"

    @property
    def everything(self) -> str:
        """All that has arrived, as text."""
        return "\n".join(body.decode(errors="replace") for _, body in self.posts)

    def spans(self) -> list[Span]:
        """The spans that have arrived."""
        found = []
        for path, body in self.posts:
            if path != "/v1/traces":
                continue
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                for each in (span for scope in group.scope_spans for span in scope.spans):
                    events = [_attributes(event.attributes) | {"event": event.name} for event in each.events]
                    found.append(
                        Span(
                            each.name,
                            each.kind,
                            each.trace_id.hex(),
                            each.span_id.hex(),
                            each.parent_span_id.hex(),
                            _attributes(each.attributes),
                            events,
                            each.status.code == each.status.STATUS_CODE_ERROR,
                            _attributes(group.resource.attributes),
                        )
                    )
        return found

    def metrics(self) -> dict[str, list[Point]]:
        """The newest values of each metric that has arrived."""
        found: dict[str, list[Point]] = {}
        for path, body in self.posts:
            if path != "/v1/metrics":
                continue
            for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for each in (metric for scope in group.scope_metrics for metric in scope.metrics):
                    if each.HasField("histogram"):
                        points = [(point, point.count) for point in each.histogram.data_points]
                    else:
                        numbers = each.sum if each.HasField("sum") else each.gauge
                        points = [(point, point.as_double or point.as_int) for point in numbers.data_points]
                    found[each.name] = [Point(_attributes(point.attributes), value) for point, value in points]
        return found

    def exceptions(self) -> list[dict[str, Any]]:
        """The events that have arrived at Sentry."""
        found = []
        for path, body in self.posts:
            if path == "/api/1/envelope/":
                _, header, payload = body.split(b"\n", 2)
                assert json.loads(header)["type"] == "event"
                found.append(json.loads(payload.splitlines()[0]))
        return found


def _unbrotli(body: bytes) -> bytes:
    """Decode what Sentry sends where a development tool happens to have brought Brotli."""
    decoded: bytes = importlib.import_module("brotli").decompress(body)
    return decoded


def _attributes(pairs: Any) -> Attributes:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Run one until the context ends."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()
