"""Declares jobs and schedules, and enqueues them.

class SettlePayment(Payload):
    order_id: UUID

@job("orders.settle_payment", timeout_seconds=20)
async def settle_payment(payload: SettlePayment, work: Work) -> None: ...

await settle_payment.enqueue(session, SettlePayment(order_id=order.id), after=timedelta(seconds=30))

@schedule("orders.report", "0 3 * * *", timeout_seconds=60)
async def report(tick: Tick, work: Work) -> None: ...
"""

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Self

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import app
from app.chassis.jobs.context import capture
from app.chassis.jobs.work import Work

MAX_BYTES = 65_536
"""What a job carries is written, logged as an event and read again: let it carry ids, and look up the rest."""
RETRIES = 10
"""With the waits of `app.chassis.jobs.outcome`: twenty minutes on average, which most outages are shorter than."""

_ENQUEUE = text(
    """
    SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[ROW(
        :queue, :name, :priority, :lock, NULL, CAST(:args AS jsonb), now() + CAST(:after AS interval)
    )::procrastinate_job_to_defer_v1]))
    """
)


class PermanentError(Exception):
    """Raised by a job that will never succeed, however often it is tried: it becomes a dead letter at once."""


class PayloadTooLargeError(ValueError):
    """Somebody wanted a job to carry more than MAX_BYTES."""


class Payload(BaseModel):
    """What a job is about. Whoever changes its members adds one to its version, and reads the older ones in `read`:
    both may be waiting in the queue, and while a deploy rolls both releases are at work.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: ClassVar[int] = 1

    @classmethod
    def read(cls, version: int, members: Mapping[str, Any]) -> Self:
        """Return the payload of a job. Raises ValueError, which makes it a dead letter."""
        if version != cls.version:
            raise ValueError(f"version {version} of the payload is not one that {cls.__name__} reads")
        return cls.model_validate_json(orjson.dumps(members))


class Tick(Payload):
    """What a scheduled job is about: a moment that its schedule names."""

    due_at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Job[P: Payload]:
    """Something to be done later, and how. `job` makes one from a function."""

    name: str
    payload: type[P]
    run: Callable[[P, Work], Awaitable[None]]
    timeout_seconds: float
    retries: int
    concurrency: int | None
    priority: int
    cron: str | None = None

    @property
    def queue(self) -> str:
        """A job with a limit of its own waits in a queue of its own, where it is in nobody's way."""
        return self.name if self.concurrency else "default"

    async def enqueue(
        self, session: AsyncSession, payload: P, *, after: timedelta = timedelta(), lock: str | None = None
    ) -> int:
        """Have it done once the session's transaction has committed, not before `after`. Returns the job's id.

        Jobs with the same `lock` run one after the other, in this order: one that waits to be tried again holds up
        those behind it. Raises PayloadTooLargeError.
        """
        envelope = {"version": self.payload.version, "payload": payload.model_dump(mode="json"), "context": capture()}
        args = orjson.dumps(envelope)
        if len(args) > MAX_BYTES:
            raise PayloadTooLargeError(f"{self.name}: {len(args)} bytes, and a job carries {MAX_BYTES} at most")
        values = {
            "queue": self.queue,
            "name": self.name,
            "priority": self.priority,
            "lock": lock,
            "args": args.decode(),
            "after": after,
        }
        return int(await session.scalar(_ENQUEUE, values))


_declared: dict[str, Job[Any]] = {}


def declared() -> dict[str, Job[Any]]:
    """Return all jobs and schedules by name: those of every module named `jobs` below `app`, without a list to keep."""
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if module.name.endswith(".jobs"):
            importlib.import_module(module.name)
    return _declared


def job[P: Payload](
    name: str, *, timeout_seconds: float, retries: int = RETRIES, concurrency: int | None = None, priority: int = 0
) -> Callable[[Callable[[P, Work], Awaitable[None]]], Job[P]]:
    """Declare a job: asynchronous to its ends, since one that holds up the worker for long makes it look dead.

    It is cancelled after `timeout_seconds`, and what fails is tried `retries` times more. At most `concurrency` of it
    run at the same time in each worker (None: as many as the worker has places for). The higher its priority, the
    earlier it runs.
    """

    def declare(function: Callable[[P, Work], Awaitable[None]]) -> Job[P]:
        payload = next(iter(inspect.signature(function).parameters.values())).annotation
        return _declare(Job(name, payload, function, timeout_seconds, retries, concurrency, priority))

    return declare


def schedule(
    name: str, cron: str, *, timeout_seconds: float, retries: int = RETRIES, priority: int = 0
) -> Callable[[Callable[[Tick, Work], Awaitable[None]]], Job[Tick]]:
    """Declare a job that runs whenever the clock of the database, in UTC, is where `cron` says: `*/10 * * * *`.

    Once, however many workers there are, and never two of it at the same time. What was missed while no worker ran is
    done once when one is back, for the last of the missed moments.
    """

    def declare(function: Callable[[Tick, Work], Awaitable[None]]) -> Job[Tick]:
        return _declare(Job(name, Tick, function, timeout_seconds, retries, None, priority, cron))

    return declare


def _declare[P: Payload](new: Job[P]) -> Job[P]:
    if not (isinstance(new.payload, type) and issubclass(new.payload, Payload)):
        raise TypeError(f"The function of {new.name} takes a Payload first, and says which.")
    if new.name in _declared:
        raise ValueError(f"There are two jobs named {new.name}.")
    _declared[new.name] = new
    return new
