"""What is done about personal data behind the requests."""

from datetime import timedelta
from uuid import UUID

from app.chassis.jobs.job import Payload, Tick, declared, job, schedule
from app.chassis.jobs.work import Work
from app.chassis.privacy import erasure, inventory, requests


class CarryOut(Payload):
    """Which request it is: never whose."""

    request_id: UUID


@job("privacy.carry_out", timeout_seconds=300)
async def carry_out(payload: CarryOut, work: Work) -> None:
    """Do what is due for a request, and come back for the rest."""
    quiet = _quiet()
    async with work.session() as session:
        if not await requests.carry_out(session, payload.request_id, quiet):
            await carry_out.enqueue(session, payload, after=quiet + timedelta(seconds=1))


@schedule("privacy.retain", "41 2 * * *", timeout_seconds=1800)
async def retain(_: Tick, work: Work) -> None:
    """Remove what has been kept for long enough."""
    await erasure.retain(work.engine, inventory.read())


def _quiet() -> timedelta:
    """Return how long what is under way may take: as long as the slowest of the jobs that are not ours."""
    longest = max((each.timeout_seconds for each in declared().values() if each not in {carry_out, retain}), default=0)
    return max(requests.QUIET, timedelta(seconds=longest + 1))
