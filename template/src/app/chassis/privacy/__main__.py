"""Exports and erases the data of a person, holds them, and says what is processed: for operators."""

import argparse
import asyncio
import sys

from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.data.engine import create_engine
from app.chassis.privacy import erasure, guard, holds, inventory, records, submission
from app.chassis.privacy.export import export
from app.chassis.privacy.requests import Kind, Status
from app.chassis.security.audit import trail
from app.chassis.settings import load
from app.chassis.telemetry import logs
from app.settings import Settings


async def print_export(session: AsyncSession, arguments: argparse.Namespace) -> None:
    """Print the archive."""
    archive = await export(session, inventory.read().require(), arguments.subject)
    trail.record(session, arguments.by, "personal data: exported", "privacy-request/by-command")
    sys.stdout.write(archive.decode() + "\n")


async def erase(session: AsyncSession, arguments: argparse.Namespace) -> None:
    """Begin an erasure."""
    request = await submission.submit(session, Kind.ERASURE, arguments.subject, by=arguments.by)
    await session.refresh(request)
    if request.outcome == Status.HELD:
        _tell("Held: nothing was erased. `holds` says why.")
    else:
        _tell(f"Erasure {request.id} has begun. The running service ends it when nothing is under way any more.")


async def status(session: AsyncSession, arguments: argparse.Namespace) -> None:
    """Print what is left of a person, by table."""
    for name, count in (await erasure.left(session, inventory.read().require(), arguments.subject)).items():
        _tell(f"{name}: {count}")


async def hold(session: AsyncSession, arguments: argparse.Namespace) -> None:
    """Hold a person's data."""
    await holds.place(session, arguments.subject, by=arguments.by, reason=arguments.reason)
    _tell("Held. No erasure and no retention touches these data until `lift`.")


async def lift(session: AsyncSession, arguments: argparse.Namespace) -> None:
    """Lift a hold."""
    _tell("Lifted." if await holds.lift(session, arguments.subject, by=arguments.by) else "There is no such hold.")


async def list_holds(session: AsyncSession, _: argparse.Namespace) -> None:
    """Print the holds there are."""
    for each in await holds.active(session):
        _tell(f"{each.subject} since {each.placed_at:%Y-%m-%d} by {each.placed_by}: {each.reason}")


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")


async def _run(arguments: argparse.Namespace) -> None:
    settings = load(Settings)
    logs.configure(settings)
    guard.begin()
    engine = create_engine(settings)
    try:
        if arguments.run is erasure.retain:
            await erasure.retain(engine, inventory.read())
            return
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            await arguments.run(session, arguments)
    except inventory.UnclassifiedError as error:
        sys.exit(str(error))
    finally:
        await engine.dispose()


def main() -> None:
    """Carry out one command."""
    parser = argparse.ArgumentParser(prog="python -m app.chassis.privacy", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, run, meaning, options in (
        ("export", print_export, "print all data of a person", ["by"]),
        ("erase", erase, "erase the data of a person", ["by"]),
        ("status", status, "print how many rows of a person there are", []),
        ("hold", hold, "keep the data of a person, whoever wants them gone", ["by", "reason"]),
        ("lift", lift, "lift the hold", ["by"]),
    ):
        command = commands.add_parser(name, help=meaning)
        command.add_argument("subject", help="who: what the service knows the person by")
        for option in options:
            command.add_argument(f"--{option}", required=True, help="who you are" if option == "by" else "why")
        command.set_defaults(run=run)
    commands.add_parser("holds", help="print who is held, and why").set_defaults(run=list_holds)
    commands.add_parser("retain", help="remove what was kept for long enough").set_defaults(run=erasure.retain)
    commands.add_parser("records", help="print the records of processing").set_defaults(run=None)
    arguments = parser.parse_args()
    if arguments.run is None:
        sys.stdout.write(records.text(inventory.read()))
    else:
        asyncio.run(_run(arguments))


if __name__ == "__main__":
    main()
