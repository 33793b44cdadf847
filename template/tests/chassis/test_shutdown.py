"""A process that is told to stop says so, finishes what it does, and exits with 0 before it is killed."""

import asyncio
import signal
import threading
import time
from http import HTTPStatus

import httpx2
import pytest

from app.chassis.settings import STOP_SECONDS
from tests.chassis.process import NOWHERE, Service, running

pytestmark = pytest.mark.row("run.shutdown")


def ask(service: Service, path: str, answers: list[httpx2.Response]) -> threading.Thread:
    """Ask, in a thread whose request has arrived."""
    thread = threading.Thread(target=lambda: answers.append(httpx2.get(service.url + path, timeout=20)))
    thread.start()
    until_it_says(service, "waiting")
    return thread


def until_it_says(service: Service, event: str) -> None:
    """Wait for a line in the log: a busy machine takes its time."""
    deadline = time.monotonic() + STOP_SECONDS
    while event not in service.log.read_text():
        assert time.monotonic() < deadline, f"{event}: it never said so\n{service.log.read_text()}"
        time.sleep(0.02)


async def test_it_turns_unready_serves_on_finishes_and_exits_with_0(database_url: str) -> None:
    await asyncio.to_thread(stop, database_url)


def stop(database_url: str) -> None:
    """Stop a service with a request in flight."""
    with running("tests.chassis.probe", database_url=database_url, shutdown_delay_seconds=2) as service:
        assert httpx2.get(f"{service.url}/health/ready").status_code == HTTPStatus.OK
        answers: list[httpx2.Response] = []
        in_flight = ask(service, "/probe/slow?seconds=4", answers)

        told = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        until_it_says(service, "draining")
        ready = httpx2.get(f"{service.url}/health/ready")
        assert ready.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert ready.json()["code"] == "draining"
        assert ready.headers["connection"] == "close"
        assert httpx2.get(f"{service.url}/health/live").status_code == HTTPStatus.OK
        assert httpx2.get(f"{service.url}/probe").status_code == HTTPStatus.OK, "it serves what arrives"

        time.sleep(max(0, told + 3 - time.monotonic()))
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{service.url}/health/live")
        in_flight.join()
        assert answers[0].json() == "done"
        assert service.process.wait(STOP_SECONDS) == 0
        assert time.monotonic() - told < 20
        log = service.log.read_text()
        assert [event for event in ("started", "draining", "stopped") if event in log] == [
            "started",
            "draining",
            "stopped",
        ]


def test_a_request_at_its_limit_and_an_idle_connection_do_not_keep_it() -> None:
    with (
        running(
            "tests.chassis.probe", database_url=NOWHERE, request_timeout_seconds=1, shutdown_delay_seconds=20
        ) as it,
        httpx2.Client(base_url=it.url) as idle,
    ):
        assert idle.get("/health/live").status_code == HTTPStatus.OK
        answers: list[httpx2.Response] = []
        in_flight = ask(it, "/probe/slow?seconds=20", answers)
        told = time.monotonic()
        it.process.send_signal(signal.SIGINT)  # a person's ctrl-C, who has no load balancer to wait for
        assert it.process.wait(STOP_SECONDS) == 0
        assert time.monotonic() - told < 15
        in_flight.join()
        assert answers[0].json()["code"] == "unavailable"


def test_a_second_signal_ends_the_wait() -> None:
    with running("tests.chassis.probe", database_url=NOWHERE, shutdown_delay_seconds=10) as service:
        for _ in range(2):
            service.process.send_signal(signal.SIGTERM)
            until_it_says(service, "draining")
        assert service.process.wait(5) == 0
