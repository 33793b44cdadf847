"""Shows the jobs that were given up, and has them done again or deletes them."""

import argparse
import asyncio
import json
import sys
from collections.abc import Collection
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.data.engine import create_engine
from app.chassis.jobs import dead_letters
from app.chassis.settings import load
from app.chassis.telemetry import logs
from app.settings import Settings

log = structlog.get_logger()


async def list_(session: AsyncSession, _: argparse.Namespace) -> None:
    """Print the dead letters, and nothing of what they carry."""
    letters = await dead_letters.oldest(session)
    for letter in letters:
        attempts = f"{letter.attempts} attempt" + "s" * (letter.attempts != 1)
        _print(f"{letter.job_id} {letter.task_name}: {letter.reason} after {attempts}, {_minute(letter.given_up_at)}")
    if not letters:
        _print("There are none.")
    if len(letters) == dead_letters.LISTED:
        _print(f"These are the oldest {len(letters)}.")


async def show(session: AsyncSession, arguments: argparse.Namespace) -> None:
    """Print one with all that it carries."""
    found = await dead_letters.find(session, arguments.id)
    if found is None:
        sys.exit(f"{arguments.id} is not a dead letter. `list` shows them.")
    job, letter = found
    _print(f"{job.id} {job.task_name}: {letter.reason} after {job.attempts} attempts, {_minute(letter.given_up_at)}")
    _print(letter.detail)
    _print(json.dumps(job.args, indent=2, ensure_ascii=False)[:10_000])


async def replay(session: AsyncSession, arguments: argparse.Namespace) -> None:
    """Have some done again."""
    ids = await _chosen(session, arguments)
    count = await dead_letters.replay(session, ids, by=arguments.by, reason=arguments.reason)
    log.info("dead letters replayed", count=count, by=arguments.by, reason=arguments.reason)


async def discard(session: AsyncSession, arguments: argparse.Namespace) -> None:
    """Delete some."""
    ids = await _chosen(session, arguments)
    count = await dead_letters.discard(session, ids, by=arguments.by, reason=arguments.reason)
    log.info("dead letters discarded", count=count, by=arguments.by, reason=arguments.reason)


async def history(session: AsyncSession, _: argparse.Namespace) -> None:
    """Print who did what, and why."""
    for each in await dead_letters.actions(session):
        what = f"{each.job_id} {each.job_name} {each.action}"
        _print(f"{_minute(each.taken_at)} {what} by {each.taken_by}: {each.reason}")


async def _chosen(session: AsyncSession, arguments: argparse.Namespace) -> Collection[int]:
    if arguments.which.isdecimal():
        return [int(arguments.which)]
    return await dead_letters.ids_of(session, arguments.which)


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


async def _run(arguments: argparse.Namespace) -> None:
    settings = load(Settings)
    logs.configure(settings)
    engine = create_engine(settings)
    try:
        async with AsyncSession(engine) as session, session.begin():
            await arguments.run(session, arguments)
    finally:
        await engine.dispose()


def main() -> None:
    """Carry out one command."""
    parser = argparse.ArgumentParser(prog="python -m app.chassis.jobs", description=__doc__)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("list", help="print the dead letters, without what they carry").set_defaults(run=list_)
    command = commands.add_parser("show", help="print one and what it carries, which may be personal data")
    command.add_argument("id", type=int)
    command.set_defaults(run=show)
    for run in (replay, discard):
        command = commands.add_parser(run.__name__, help="have it done again" if run is replay else "delete it")
        command.add_argument("which", help="its id, or the name of a job for all of that name")
        command.add_argument("--by", required=True, help="who you are")
        command.add_argument("--reason", required=True, help="why, or the number of the incident")
        command.set_defaults(run=run)
    commands.add_parser("history", help="print who did what, and why").set_defaults(run=history)
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
