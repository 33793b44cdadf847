"""Does jobs until the process is told to stop."""

import asyncio
import contextlib
import logging
from functools import partial

import structlog
from procrastinate import App
from procrastinate.connector import BaseConnector

from app.chassis.background import repeated
from app.chassis.data.engine import create_engine
from app.chassis.jobs import cleaning, healthy, numbers
from app.chassis.jobs.attempt import attempt
from app.chassis.jobs.job import declared
from app.chassis.jobs.queue import BEAT_SECONDS, TASK, Fetched, Queue
from app.chassis.jobs.schedules import LOOK_SECONDS, Scheduler
from app.chassis.jobs.work import Work
from app.chassis.settings import QUEUE_CONNECTIONS, STOP_SECONDS

log = structlog.get_logger()

FINISH_SECONDS = STOP_SECONDS - 5
"""What jobs have left when the process is told to stop. Those that take longer are interrupted, and done again."""
POLL_SECONDS = 1
NEVER = 86_400 * 365


async def serve(work: Work, stop: asyncio.Event) -> None:
    """Do jobs until told to stop: then take no more, let those that run finish, and return."""
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL + 1)  # it writes what jobs carry; we say it ourselves
    engine = create_engine(work.settings.model_copy(update={"database_pool_size": QUEUE_CONNECTIONS}))
    jobs = declared()
    queue = Queue(engine, jobs)
    scheduler = Scheduler(engine, jobs.values())

    async def run(fetched: Fetched) -> None:
        fetched.outcome = await attempt(fetched, jobs.get(fetched.name), work)

    app = App(connector=BaseConnector())
    app.job_manager = queue
    app.task(name=TASK)(run)
    await healthy.touch()
    async with (
        repeated(healthy.touch, name="say that the worker is alive", seconds=healthy.TOUCH_SECONDS),
        repeated(queue.beat, name="beat", seconds=BEAT_SECONDS),
        repeated(scheduler.look, name="look at the schedules", seconds=LOOK_SECONDS),
        repeated(partial(cleaning.clean, engine), name="clean jobs", seconds=cleaning.CLEAN_SECONDS),
        repeated(partial(numbers.send, engine, jobs.values()), name="measure jobs", seconds=numbers.MEASURE_SECONDS),
        repeated(partial(numbers.tell, engine, jobs.values()), name="tell of jobs", seconds=numbers.TELL_SECONDS),
        queue.listening(),
    ):
        worker = asyncio.create_task(
            app.run_worker_async(
                concurrency=work.settings.worker_concurrency,
                install_signal_handlers=False,
                fetch_job_polling_interval=POLL_SECONDS,
                abort_job_polling_interval=NEVER,
                update_heartbeat_interval=NEVER,
                shutdown_graceful_timeout=FINISH_SECONDS,
            )
        )
        log.info("started", concurrency=work.settings.worker_concurrency)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([worker, stopped], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            log.info("draining", seconds=FINISH_SECONDS)
            queue.stopping = True
            worker.cancel()
        stopped.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await worker
    await engine.dispose()
    log.info("stopped")
