"""One trace from the request through its job to the service that the job calls."""

import asyncio

import httpx2
import pytest
from fastapi import APIRouter
from pydantic import BaseModel

from app import worker as entry
from app.chassis.data.session import Session
from app.chassis.jobs import worker
from app.chassis.jobs.job import Payload, job
from app.chassis.jobs.work import Work
from app.chassis.security.permissions import public
from app.chassis.upstream.client import Policy, Upstream
from app.settings import Settings
from tests.chassis.process import serving
from tests.chassis.receivers import Receiver, Span, receiving
from tests.chassis.test_traces import sending

SECONDS = 20
"""How long a job may take to be taken."""

router = APIRouter(prefix="/errands", dependencies=[public])


class Forward(Payload):
    """To whom."""

    address: str


class Nothing(BaseModel):
    """What is answered."""


@job("forward", timeout_seconds=20)
async def forward(payload: Forward, _: Work) -> None:
    """Call another service."""
    async with httpx2.AsyncClient(base_url=payload.address) as client:
        other = Upstream("other", client, Policy(attempts=1))
        await other.call("POST", "/forwarded", answers={200: Nothing}, fallback=lambda _: None)


@router.post("")
async def enqueue(payload: Forward, session: Session) -> None:
    """Have it done."""
    await forward.enqueue(session, payload)


@pytest.mark.row("monitor.traces")
async def test_one_trace(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.main.routers", [router])
    monkeypatch.setattr(worker, "declared", lambda: {forward.name: forward})
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.1)
    with receiving() as collector, receiving() as other:
        traced = sending(settings, collector)
        async with serving(traced) as client:
            answer = await client.post("/errands", json={"address": other.url})
            assert answer.status_code == 200
        await _until_forwarded(traced, other)

        request, job_, call = (_named(collector, name) for name in ("POST /errands", "forward", "POST other"))
    assert (request.parent_id, job_.parent_id, call.parent_id) == ("", request.span_id, job_.span_id)
    assert request.trace_id == job_.trace_id == call.trace_id
    assert [each.resource["app.process"] for each in (request, job_, call)] == ["api", "worker", "worker"]
    assert other.traceparents == [f"00-{call.trace_id}-{call.span_id}-01"]
    statements = [
        each for each in collector.spans() if each.trace_id == request.trace_id and "db.query.text" in each.attributes
    ]
    assert request.span_id in {each.parent_id for each in statements}


async def _until_forwarded(settings: Settings, other: Receiver) -> None:
    stop = asyncio.Event()
    working = asyncio.create_task(entry.run(settings, stop))
    await asyncio.to_thread(other.asked.wait, SECONDS)
    stop.set()
    await working


def _named(collector: Receiver, name: str) -> Span:
    [found] = [each for each in collector.spans() if each.name == name]
    return found
