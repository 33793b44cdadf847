"""A job of our own that goes on writing about somebody, whatever happens to their data meanwhile.

`python -m tests.chassis.erasing` is `python -m app.worker` with this job too, and an erasure that takes seconds.
"""

import asyncio
from datetime import timedelta

from app import worker as entry
from app.chassis.flags.models import FlagChange
from app.chassis.jobs import job as declarations
from app.chassis.jobs import outcome, worker
from app.chassis.jobs.job import Payload, job
from app.chassis.jobs.work import Work
from app.chassis.privacy import jobs

QUIET = timedelta(seconds=5)
SECONDS = 1
"""How long the job takes: all its attempts together not longer than `QUIET`, on a busy machine too."""


class Watched(Payload):
    """Who is watched."""

    subject: str


@job("watch", timeout_seconds=1.4, retries=2)
async def watch(payload: Watched, work: Work) -> None:
    """Note at the beginning, and some time later."""
    for step in ("begun", "done"):
        async with work.session() as session:
            session.add(FlagChange(name=step, enabled=True, changed_by=payload.subject, reason="-"))
        await asyncio.sleep(SECONDS if step == "begun" else 0)


JOBS = {"watch": declarations._declared.pop("watch")}  # noqa: SLF001 (the service's worker has nothing to do with it)

if __name__ == "__main__":
    declarations._declared |= JOBS  # noqa: SLF001
    vars(jobs)["_quiet"] = lambda: QUIET
    vars(worker)["POLL_SECONDS"] = 0.1
    vars(outcome)["FIRST_WAIT_SECONDS"] = 0.02
    entry.main()
