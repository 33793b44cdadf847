"""The payment provider of development and tests. What it does depends on the card's token:

    tok_declined     the card is declined                tok_slow      the answer takes half a minute
    tok_nonsense     200, with a page of HTML            tok_fails     500
    tok_lost         the card is charged, and the connection breaks before the answer
    anything else    the card is charged

`GET /charges` lists what was charged: a key never twice. It is not in the image, as all of `dev/`.
"""

import contextlib
import functools
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SLOW_SECONDS = 30
MISBEHAVING = {"tok_slow", "tok_nonsense", "tok_fails", "tok_lost"}
"""Tests take tokens away, to have a provider that is well again."""


class Provider:
    """A provider that charges every idempotency key once, and remembers what it has answered."""

    def __init__(self) -> None:
        self.url = "http://127.0.0.1:0"
        self.asked: list[str] = []
        """The idempotency key of each request."""
        self.charges: dict[str, dict[str, Any]] = {}
        """What was charged, by idempotency key."""
        self.lock = threading.Lock()
        self._declined: set[str] = set()

    def charge(self, key: str | None, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Charge the card, or say again what was done. Returns status and answer."""
        with self.lock:
            key = key or f"without a key: {len(self.asked)}"
            if key in self._declined or (key not in self.charges and asked["card_token"] == "tok_declined"):  # noqa: S105
                self._declined.add(key)
                return 402, {"code": "card_declined"}
            facts = {"amount_cents": asked["amount_cents"], "currency": asked["currency"]}
            charge = {"id": f"ch_{len(self.charges) + 1}", "status": "succeeded", **facts}
            return 200, self.charges.setdefault(key, charge)

    @contextlib.contextmanager
    def serve(self) -> Iterator[None]:
        """Serve on a free port for as long as the context lasts."""
        server = _Server(("127.0.0.1", 0), functools.partial(_Handler, self))
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """Be quiet: whoever asked has died."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, provider: Provider, *arguments: Any) -> None:
        self.provider = provider
        super().__init__(*arguments)

    def do_GET(self) -> None:
        with self.provider.lock:
            charges = [{"key": key, **charge} for key, charge in self.provider.charges.items()]
        self._answer(200, charges)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        self.provider.asked.append(key)
        if not self.headers.get("Authorization", "").startswith("Bearer "):
            self._answer(401, {})
            return
        match asked["card_token"] if asked["card_token"] in MISBEHAVING else None:
            case "tok_fails":
                self._answer(500, {})
            case "tok_nonsense":
                self._answer(200, "<html>Welcome</html>")
            case "tok_lost":
                self.provider.charge(key, asked)
                self.close_connection = True
            case slow:
                time.sleep(SLOW_SECONDS if slow else 0)
                self._answer(*self.provider.charge(key, asked))

    def _answer(self, status: int, content: Any) -> None:
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@contextlib.contextmanager
def development() -> Iterator[Provider]:
    """Serve a provider, and set PAYMENTS_URL to it unless that names one."""
    provider, before = Provider(), os.environ["PAYMENTS_URL"]
    with provider.serve():
        if urlsplit(before).port == 0:
            os.environ["PAYMENTS_URL"] = provider.url
        try:
            yield provider
        finally:
            os.environ["PAYMENTS_URL"] = before
