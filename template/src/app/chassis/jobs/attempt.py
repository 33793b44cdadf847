"""One attempt at a job: reads what it carries, runs it within its limits, and says how that ended."""

import asyncio
import time
import traceback
from typing import Any

import structlog
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import func, update

from app.chassis.jobs.context import restored
from app.chassis.jobs.job import MAX_BYTES, RETRIES, Job, Payload, PermanentError, Tick
from app.chassis.jobs.models import Schedule
from app.chassis.jobs.outcome import Again, Done, GivenUp, Outcome, wait
from app.chassis.jobs.queue import Fetched
from app.chassis.jobs.work import Work
from app.chassis.telemetry import errors, redaction, traces

log = structlog.get_logger()

DETAIL_CHARACTERS = 4000


class Envelope(BaseModel):
    """What is stored of a job, around its payload."""

    version: int
    payload: dict[str, Any]
    context: dict[str, str] = Field(default_factory=dict)


class UnknownError(Exception):
    """Nothing here can do this job. A newer release may have enqueued it, and be on its way to this worker too."""


async def attempt(fetched: Fetched, job: Job[Any] | None, work: Work) -> Outcome:
    """Do the job, once. Whatever happens is an outcome, and nothing is raised."""
    facts = {"job": fetched.name, "job_id": fetched.id, "attempt": fetched.attempt}
    try:
        envelope = _open(fetched.args)
    except ValueError as error:
        with restored({}, **facts):
            return _malformed(error)
    with restored(envelope.context, **facts):
        if job is None:
            return _failed(UnknownError(f"no job here has this name: {fetched.name}"), fetched.attempt, RETRIES)
        try:
            payload = _read(job, envelope)
        except UnknownError as error:
            return _failed(error, fetched.attempt, job.retries)
        except ValueError as error:
            return _malformed(error)
        return await _run(job, payload, fetched.attempt, work)


async def _run(job: Job[Any], payload: Payload, number: int, work: Work) -> Outcome:
    began = time.monotonic()
    try:
        with traces.span(job.name, SpanKind.CONSUMER):
            await _do(job, payload, work)
    except asyncio.CancelledError:  # this worker is told to stop, and cannot wait any longer
        log.info("job interrupted")
        return Again()
    except PermanentError as error:
        return _given_up(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever it is, the other jobs go on)
        return _failed(error, number, job.retries)
    log.info("job done", seconds=round(time.monotonic() - began, 3))
    return Done()


async def _do(job: Job[Any], payload: Payload, work: Work) -> None:
    async with asyncio.timeout(job.timeout_seconds):
        await job.run(payload, work)
        if isinstance(payload, Tick):  # the schedule's heartbeat
            done = update(Schedule).where(Schedule.name == job.name)
            async with work.session() as session:
                await session.execute(done.values(done_at=func.greatest(Schedule.done_at, payload.due_at)))


def _open(args: str) -> Envelope:
    if len(args) > MAX_BYTES:
        raise ValueError(f"{len(args)} characters, and a job carries {MAX_BYTES} at most")
    return Envelope.model_validate_json(args)


def _read(job: Job[Any], envelope: Envelope) -> Payload:
    if envelope.version > job.payload.version:
        raise UnknownError(f"version {envelope.version} of {job.payload.__name__} is newer than the one here")
    payload: Payload = job.payload.read(envelope.version, envelope.payload)
    return payload


def _malformed(error: ValueError) -> GivenUp:
    if isinstance(error, ValidationError):  # its own words quote what was sent
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_input=False)]
        log.error("job given up", reason="malformed", wrong=wrong[:10])
        return GivenUp("malformed", "\n".join(wrong))
    log.error("job given up", reason="malformed", wrong=str(error))
    return GivenUp("malformed", str(error))


def _failed(error: BaseException, number: int, retries: int) -> Again | GivenUp:
    if number > retries:
        return _given_up(error)
    after = wait(number)
    log.warning("job failed", reason=type(error).__name__, again_in=round(after.total_seconds(), 1), exc_info=error)
    return Again(after)


def _given_up(error: BaseException) -> GivenUp:
    log.error("job given up", reason=type(error).__name__, exc_info=error)
    errors.capture(error)
    detail = redaction.text("".join(traceback.format_exception(error)))[-DETAIL_CHARACTERS:]
    # PostgreSQL stores no NUL, and no half of a character.
    return GivenUp(type(error).__name__, detail.replace("\0", "").encode(errors="replace").decode())
