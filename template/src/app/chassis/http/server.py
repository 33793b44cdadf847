"""Serves the application over HTTP/1.1, and stops without breaking a request."""

import asyncio
import logging
import math
import signal
import socket
import time
import uuid
from http import HTTPStatus
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.chassis.http import errors, headers
from app.chassis.http.request_id import HEADER, request_id
from app.chassis.settings import ChassisSettings

log = structlog.get_logger()

MAX_HEADER_BYTES = 32_768
HEADER_SECONDS = 10
MAX_UNWANTED_BYTES = 1_048_576
"""How much of a body is thrown away after its answer, rather than cut off: a client that still sends may not listen."""
KEEP_ALIVE_SECONDS = 75
"""Longer than a load balancer keeps idle connections (AWS: 60): were we the first to close, it would answer 502."""


def serve(app: FastAPI, settings: ChassisSettings) -> None:
    """Serve until SIGTERM or SIGINT.

    One process: the platform adds replicas, and restarts one that died.
    """
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Protocol,
        ws="none",
        log_config=None,  # our own logging: app.chassis.telemetry.logs
        access_log=False,
        server_header=False,
        proxy_headers=False,  # believed only as far as TRUSTED_PROXIES says: app.chassis.http.client_address
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        # Requests have a time limit of their own, so that this one is never met.
        timeout_graceful_shutdown=math.ceil(settings.request_timeout_seconds) + 1,
    )
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # its warnings are about clients' mistakes, which we log
    Server(config, app, settings.shutdown_delay_seconds).run()


class Server(uvicorn.Server):
    """On SIGTERM it says that it is not ready, serves on for `delay` seconds until load balancers have noticed, takes
    no new connections, finishes the requests in flight, and exits with 0. SIGINT skips the delay, a second signal too.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, delay: float) -> None:
        super().__init__(config)
        self.app = app
        self.delay = delay
        self.leave_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal. uvicorn would raise it again at the end, and the process would exit with it."""
        first = self.leave_at is None
        self.leave_at = time.monotonic() + (self.delay if first and sig == signal.SIGTERM else 0)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that requests are taken from now on."""
        await super().startup()
        log.info("started", host=self.config.host, port=self.config.port)

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether it is time to leave."""
        if self.leave_at is not None:
            if not self.app.state.draining:
                self.app.state.draining = True
                # Clients that keep their connection find another replica for the next request.
                self.config.encoded_headers.append((b"connection", b"close"))
                counter = 0  # when uvicorn takes the headers up
                log.info("draining", seconds=self.delay)
            self.should_exit = time.monotonic() >= self.leave_at
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that all is done."""
        await super().shutdown()
        log.info("stopped")


class Protocol(HttpToolsProtocol):
    """uvicorn's, which by itself takes headers of any size, waits for them for ever, and refuses in plain text."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._refusal = HTTPStatus.BAD_REQUEST
        self._header_bytes: int | None = None  # of the request whose headers are arriving
        self._serving = False
        self._deadline: asyncio.TimerHandle | None = None
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bound the size of what has not become a request yet, and the time it may take."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._header_bytes is not None:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if not self._serving:
            self._expect()

    def on_message_begin(self) -> None:
        """Count the headers of this request."""
        super().on_message_begin()
        self._header_bytes = 0
        self._unwanted_bytes = 0

    def on_headers_complete(self) -> None:
        """Start to serve, unless the headers came in one piece that was too large."""
        self._header_bytes = None
        self._arrived()
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEADER_BYTES:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise ValueError("headers too large")  # uvicorn calls send_400_response
        self._serving = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take the body, or throw it away, up to a point, if the answer did not need it."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._unwanted_bytes += len(body)
            if self._unwanted_bytes > MAX_UNWANTED_BYTES:
                self.transport.close()

    def on_response_complete(self) -> None:
        """Expect the next request, or what is left of a body that nobody wanted."""
        self._serving = bool(self.pipeline)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(self._refusal)

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._too_slow)

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if self._header_bytes is None:  # nothing was asked: an idle connection, or the rest of an unwanted body
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        if not (self.cycle and self.cycle.response_started and not self.cycle.response_complete):
            id_ = uuid.uuid4().hex
            token = request_id.set(id_)
            response = errors.refuse(status)
            request_id.reset(token)
            lines = [*self.server_state.default_headers, *response.raw_headers, (HEADER, id_.encode())]
            lines += [*headers.SECURITY, (b"connection", b"close")]
            head = b"".join(b"%b: %b\r\n" % line for line in lines)
            self.transport.write(STATUS_LINE[status] + head + b"\r\n" + bytes(response.body))
            log.info("request refused", status=status.value, request_id=id_)
        self.transport.close()
