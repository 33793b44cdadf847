"""The queue as one worker sees it: all that procrastinate's worker asks of the database, on our driver and our terms.

procrastinate's own loses sight of a job whose outcome it could not write, never ends one whose arguments are no
object, stops its heartbeat while it waits for the last jobs, which others then do as well, and logs what jobs carry.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
import structlog
from procrastinate.connector import BaseConnector
from procrastinate.jobs import Job as Task
from procrastinate.jobs import JobInserted
from procrastinate.jobs import Status as TaskStatus
from procrastinate.manager import JobManager, NotificationCallback
from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.chassis.jobs.job import RETRIES, Job
from app.chassis.jobs.models import DeadLetter, QueuedJob, Status, Worker
from app.chassis.jobs.numbers import ATTEMPTS, RESCUED
from app.chassis.jobs.outcome import Again, Done, GivenUp, Outcome

log = structlog.get_logger()

TASK = "job"
"""To procrastinate every job is the same task."""
BEAT_SECONDS = 3
STALLED_SECONDS = 20
"""A worker that was not heard of for so long is dead, and others do its jobs."""
PATIENCE_SECONDS = 60
"""How long an outcome waits for a database that does not answer. Then the job is done again."""
RECONNECT_SECONDS = 1

CHANNEL = "procrastinate_any_queue_v1"
# Arguments as text: those that cannot be decoded are the job's problem, and not the queue's.
_FETCH = text(
    """
    SELECT id, task_name, attempts, args::text AS args
    FROM procrastinate_fetch_job_v2(CAST(:queues AS varchar[]), :worker_id) WHERE id IS NOT NULL
    """
)


@dataclass(slots=True)
class Fetched:
    """A job that this worker has taken. What it carries is in no `repr`, and so in no log."""

    id: int
    name: str
    attempt: int
    args: str = field(repr=False)
    worker_id: int
    outcome: Outcome = field(default_factory=Again)


class Queue(JobManager):
    """Fetches jobs, writes what became of them, and frees those that nobody does any more."""

    def __init__(self, engine: AsyncEngine, jobs: Mapping[str, Job[Any]]) -> None:
        super().__init__(BaseConnector())
        self.stopping = False
        self._engine = engine
        # For what is one statement: without BEGIN and COMMIT it is a third of the work.
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._jobs = jobs
        self._worker_id = 0
        self._running: dict[int, Fetched] = {}
        self._fetching = asyncio.Lock()
        self._woken = asyncio.Event()
        self._ended = False
        self._failing = False
        self._beating_since: float | None = None

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Task | None:
        """Take a job, unless none is due or the database does not answer."""
        async with self._fetching:
            try:
                async with self._single.connect() as connection:
                    values = {"queues": self._open_queues(), "worker_id": self._worker_id}
                    row = (await connection.execute(_FETCH, values)).one_or_none()
            except SQLAlchemyError as error:
                self._failed(error)
                return None
            self._works()
            if row is None:
                return None
            fetched = Fetched(row.id, row.task_name, row.attempts + 1, row.args, self._worker_id)
            self._running[row.id] = fetched
        carried: Any = fetched  # procrastinate takes it for JSON, and only hands it on
        return Task(
            id=row.id, task_name=TASK, task_kwargs={"fetched": carried}, lock=None, queueing_lock=None, queue=""
        )

    async def finish_job(self, job: Task, status: TaskStatus, delete_job: bool) -> None:
        """Write what became of a job, however long that takes, within reason."""
        fetched: Fetched = job.task_kwargs["fetched"]  # type: ignore[assignment]
        until = time.monotonic() + PATIENCE_SECONDS
        try:
            while True:
                try:
                    await self._write(fetched)
                except SQLAlchemyError as error:
                    if self.stopping or time.monotonic() > until:
                        log.warning("outcome not written", job=fetched.name, job_id=fetched.id)
                        return
                    self._failed(error)
                    await asyncio.sleep(RECONNECT_SECONDS)
                else:
                    return
        finally:
            if self._running.get(fetched.id) is fetched:  # it may have been fetched again by now
                del self._running[fetched.id]
            self._woken.set()

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Tell the worker when it is worth looking for a job."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            await on_notification(channel="", notification=JobInserted(type="job_inserted", job_id=0))

    async def register_worker(self) -> int:
        """Enter this worker, as soon as there is a database."""
        while not self._worker_id:
            try:
                await self.beat()
            except SQLAlchemyError as error:
                self._failed(error)
                await asyncio.sleep(RECONNECT_SECONDS)
        return self._worker_id

    async def unregister_worker(self, worker_id: int) -> None:
        """Say that this worker is no more, so that what it could not finish is somebody else's at once."""
        async with self._fetching:
            self._ended = True
            with contextlib.suppress(SQLAlchemyError):
                async with self._engine.begin() as connection:
                    await connection.execute(delete(Worker).where(Worker.id == self._worker_id))

    async def update_heartbeat(self, worker_id: int) -> None:
        """Leave it to `beat`."""

    async def prune_stalled_workers(self, seconds_since_heartbeat: float) -> list[int]:
        """Leave it to `beat`."""
        return []

    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:
        """Abort none."""
        return []

    # What we do besides.

    async def beat(self) -> None:
        """Say that this worker lives, and free the jobs that no worker does any more."""
        async with self._fetching:
            if self._ended:
                return
            try:
                async with self._engine.begin() as connection:
                    await self._enter(connection)
                    mine = QueuedJob.worker_id == self._worker_id
                    await self._free(connection, and_(mine, QueuedJob.id.not_in(self._running)))
                    # After an outage all look dead for a moment.
                    if self._beating_since and time.monotonic() > self._beating_since + STALLED_SECONDS:
                        silent = Worker.last_heartbeat < func.now() - timedelta(seconds=STALLED_SECONDS)
                        dead = select(Worker.id).where(silent)
                        await self._free(connection, or_(QueuedJob.worker_id.is_(None), QueuedJob.worker_id.in_(dead)))
                        await connection.execute(delete(Worker).where(silent))
            except SQLAlchemyError:
                self._beating_since = None
                raise
        self._beating_since = self._beating_since or time.monotonic()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Be woken by PostgreSQL when jobs come in, until the context ends. Without it they are found by looking."""
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _listen(self) -> None:
        while True:
            closed = asyncio.Event()
            with contextlib.suppress(SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                async with self._engine.connect() as connection:
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    driver.add_termination_listener(partial(_set, closed))
                    await driver.add_listener(CHANNEL, partial(_set, self._woken))
                    try:
                        await closed.wait()
                    finally:
                        await connection.invalidate()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _enter(self, connection: AsyncConnection) -> None:
        alive = update(Worker).where(Worker.id == self._worker_id).values(last_heartbeat=func.now())
        if not (await connection.execute(alive)).rowcount:  # new, or taken for dead
            self._worker_id = (await connection.execute(insert(Worker).values().returning(Worker.id))).scalar_one()

    async def _free(self, connection: AsyncConnection, whose: ColumnElement[bool]) -> None:
        """Put back the jobs that are said to be done and are not: that was an attempt."""
        stranded = select(QueuedJob.id, QueuedJob.task_name, QueuedJob.attempts).where(
            QueuedJob.status == Status.DOING, whose
        )
        for id_, name, attempts in (await connection.execute(stranded.with_for_update(skip_locked=True))).all():
            retries = self._jobs[name].retries if name in self._jobs else RETRIES
            outcome = Again() if attempts < retries else GivenUp("worker died", "Each time, in the middle of it.")
            log.warning("job rescued", job=name, job_id=id_, attempt=attempts + 1, again=attempts < retries)
            await _end(connection, id_, outcome)
            RESCUED.add()

    async def _write(self, fetched: Fetched) -> None:
        several = isinstance(fetched.outcome, GivenUp)
        async with self._engine.begin() if several else self._single.connect() as connection:
            mine = QueuedJob.status == Status.DOING, QueuedJob.worker_id == fetched.worker_id
            if not await _end(connection, fetched.id, fetched.outcome, *mine):
                log.warning("job was somebody else's by then", job=fetched.name, job_id=fetched.id)
        ATTEMPTS.add(job=fetched.name, outcome=fetched.outcome.name)

    def _open_queues(self) -> list[str] | None:
        """Return the queues to look into, or None for all: not those of jobs that run as often as they may."""
        running = Counter(each.name for each in self._running.values())
        full = {
            each.queue for each in self._jobs.values() if each.concurrency and running[each.name] >= each.concurrency
        }
        return sorted({each.queue for each in self._jobs.values()} - full) if full else None

    def _failed(self, error: SQLAlchemyError) -> None:
        if not self._failing:
            log.warning("queue unavailable", reason=type(error).__name__)
        self._failing = True

    def _works(self) -> None:
        if self._failing:
            log.info("queue is back")
        self._failing = False


def _set(event: asyncio.Event, *_: object) -> None:
    event.set()


async def _end(connection: AsyncConnection, id_: int, outcome: Outcome, *conditions: ColumnElement[bool]) -> bool:
    """Write the end of an attempt. False if the job does not fulfil the conditions."""
    values: dict[str, Any] = {"attempts": QueuedJob.attempts + 1, "worker_id": None}
    match outcome:
        case Done():
            values |= {"status": Status.SUCCEEDED}
        case Again(after):
            values |= {"status": Status.TODO, "scheduled_at": func.now() + after}
        case GivenUp():
            values |= {"status": Status.FAILED}
    ended = await connection.execute(update(QueuedJob).where(QueuedJob.id == id_, *conditions).values(values))
    if not ended.rowcount:
        return False
    if isinstance(outcome, GivenUp):
        reason, detail = outcome.reason[:200], outcome.detail
        await connection.execute(insert(DeadLetter).values(job_id=id_, reason=reason, detail=detail))
    return True
