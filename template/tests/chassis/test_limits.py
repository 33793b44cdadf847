"""What is too large or too slow is refused early: on real sockets, since the server decides as much as we do."""

import json
import time
from collections.abc import Iterator
from http import HTTPStatus

import httpx2
import pytest

from app.chassis.http import server
from tests.chassis.process import NOWHERE, Service, exchange, running

MEGABYTE = b" " * 1_000_000
POST = b"POST /probe HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

pytestmark = pytest.mark.row("security.size")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service with small limits and without a database."""
    with running("tests.chassis.probe", database_url=NOWHERE, request_timeout_seconds=1) as service:
        yield service


def assert_refused(said: bytes, status: HTTPStatus, code: str) -> None:
    """It is one answer, a problem with all its headers, and the connection was closed behind it."""
    head, _, body = said.partition(b"\r\n\r\n")
    first, *lines = head.decode().lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    problem = json.loads(body)
    assert f" {status.value} " in first
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == headers["x-request-id"]


@pytest.mark.row("security.headers")
def test_the_server_does_not_say_what_it_is(service: Service) -> None:
    said = exchange(service, [b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"])
    assert b" 200 " in said
    assert b"\r\nserver:" not in said.lower(), "server_header in app/chassis/http/server.py"


@pytest.mark.row("error.shape")
@pytest.mark.parametrize("path", [b"/probe", b"/probe/nowhere", b"/probe/fails", b"/probe/raises?status=409"])
def test_head_is_answered_as_get_is_without_its_body(service: Service, path: bytes) -> None:
    got, head = (
        exchange(service, [method + b" " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"])
        for method in (b"GET", b"HEAD")
    )
    headers, _, body = got.partition(b"\r\n\r\n")
    assert body
    same, _, nothing = head.partition(b"\r\n\r\n")
    assert not nothing
    assert same.split()[1] == headers.split()[1]
    assert [line.split(b":")[0] for line in same.splitlines()] == [line.split(b":")[0] for line in headers.splitlines()]


def test_fifty_megabytes_are_refused_by_their_declared_length(service: Service) -> None:
    # Not a byte of the body is sent: the answer does not wait for it.
    said = exchange(service, [POST + b"Content-Length: 50000000\r\n\r\n"])
    assert_refused(said, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "content_too_large")


@pytest.mark.parametrize(("path", "status"), [(b"/probe", b"413"), (b"/probe/nowhere", b"404")])
def test_fifty_megabytes_in_chunks_are_cut_off(service: Service, path: bytes, status: bytes) -> None:
    taken = 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        yield POST.replace(b"/probe", path) + b"Transfer-Encoding: chunked\r\n\r\n"
        for _ in range(50):
            yield b"%x\r\n%b\r\n" % (len(MEGABYTE), MEGABYTE)
            taken += 1

    said = exchange(service, chunks())
    assert said.split()[1] == status
    assert taken < 20, "the sockets' buffers hold a few"


def test_a_body_within_the_limit_is_taken(service: Service) -> None:
    body = b'{"name": "a", "count": 1}'.ljust(1_000_000)
    said = exchange(service, [POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body), body])
    assert said.startswith(b"HTTP/1.1 200 ")


def test_large_headers_are_refused(service: Service) -> None:
    request = b"GET /probe HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"x" * 40_000 + b"\r\n\r\n"
    assert_refused(exchange(service, [request]), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large")


def test_endless_headers_are_cut_off(service: Service) -> None:
    taken = 0

    def header() -> Iterator[bytes]:
        nonlocal taken
        yield b"GET /probe HTTP/1.1\r\nHost: localhost\r\nX-Large: "
        for _ in range(50):
            yield b"x" * 1_000_000
            taken += 1

    assert_refused(exchange(service, header()), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large")
    assert taken < 20, "the sockets' buffers hold a few"


def test_what_is_not_http_is_refused(service: Service) -> None:
    assert_refused(exchange(service, [b"\x16\x03\x01 hello\r\n\r\n"]), HTTPStatus.BAD_REQUEST, "bad_request")
    said = exchange(service, [POST + b"Transfer-Encoding: chunked\r\n\r\nnot a length\r\n"])
    assert_refused(said, HTTPStatus.BAD_REQUEST, "bad_request")


def test_slow_headers_are_not_waited_for(service: Service) -> None:
    def drops() -> Iterator[bytes]:
        yield b"GET /probe HTTP/1.1\r\nHost: localhost\r\n"
        for number in range(60):
            time.sleep(0.2)
            yield b"X-%d: slowloris\r\n" % number

    started = time.monotonic()
    assert_refused(exchange(service, drops()), HTTPStatus.REQUEST_TIMEOUT, "request_timeout")
    assert time.monotonic() - started < 2, "probe.py makes it one second"
    assert server.HEADER_SECONDS <= 10


def test_a_connection_that_says_nothing_is_closed(service: Service) -> None:
    assert exchange(service, []) == b""


def test_a_slow_body_is_not_waited_for(service: Service) -> None:
    said = exchange(service, [POST + b"Content-Length: 100\r\n\r\n", b"{"])
    assert_refused(said, HTTPStatus.REQUEST_TIMEOUT, "request_timeout")


def test_a_slow_answer_is_cancelled(service: Service) -> None:
    answer = httpx2.get(f"{service.url}/probe/slow?seconds=5")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["code"] == "unavailable"
    assert answer.elapsed.total_seconds() < 2
    assert "CancelledError" in service.log.read_text()
