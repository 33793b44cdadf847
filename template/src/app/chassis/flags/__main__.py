"""Shows and flips the feature flags of a running service, which follows within seconds."""

import argparse
import asyncio
import sys
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.chassis.data.engine import create_engine
from app.chassis.flags import store
from app.chassis.flags.flag import Flag
from app.chassis.settings import load
from app.chassis.telemetry import logs
from app.flags import flags
from app.settings import Settings

log = structlog.get_logger()

VALUES = {"on": True, "off": False, "default": None}


async def show(engine: AsyncEngine, _: argparse.Namespace) -> None:
    """Print each flag, whether it is on, and since when."""
    changes = await store.latest(engine)
    for flag in flags:
        change = changes.get(flag.name)
        if change is None or change.enabled is None:
            _print(f"{flag.name}: {_word(flag.default)} by default")
        else:
            _print(f"{flag.name}: {_word(change.enabled)} since {_minute(change.changed_at)} by {change.changed_by}")
        _print(f"    {flag.description}")


async def history(engine: AsyncEngine, arguments: argparse.Namespace) -> None:
    """Print who flipped a flag, when and why."""
    for change in await store.history(engine, arguments.name.name):
        to = "default" if change.enabled is None else _word(change.enabled)
        _print(f"{_minute(change.changed_at)} {to} by {change.changed_by}: {change.reason}")


async def flip(engine: AsyncEngine, arguments: argparse.Namespace) -> None:
    """Flip a flag."""
    flag: Flag = arguments.name
    await store.flip(engine, flag.name, VALUES[arguments.value], by=arguments.by, reason=arguments.reason)
    log.info("flag flipped", flag=flag.name, value=arguments.value, by=arguments.by, reason=arguments.reason)


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _word(enabled: bool) -> str:
    return "on" if enabled else "off"


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _declared(name: str) -> Flag:
    for flag in flags:
        if flag.name == name:
            return flag
    names = ", ".join(flag.name for flag in flags) or "none"
    raise argparse.ArgumentTypeError(f"there is no flag {name!r} in app.flags, only: {names}")


async def _run(arguments: argparse.Namespace) -> None:
    settings = load(Settings)
    logs.configure(settings)
    engine = create_engine(settings)
    try:
        await arguments.run(engine, arguments)
    finally:
        await engine.dispose()


def main() -> None:
    """Carry out one command."""
    parser = argparse.ArgumentParser(prog="python -m app.chassis.flags", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("show", help="print all flags")
    command.set_defaults(run=show)
    command = commands.add_parser("history", help="print who flipped a flag, when and why")
    command.add_argument("name", type=_declared)
    command.set_defaults(run=history)
    command = commands.add_parser("flip", help="switch a flag on or off, or back to its default")
    command.add_argument("name", type=_declared)
    command.add_argument("value", choices=VALUES)
    command.add_argument("--by", required=True, help="who you are")
    command.add_argument("--reason", required=True, help="why, or the number of the incident")
    command.set_defaults(run=flip)
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
