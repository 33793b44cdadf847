"""Issues, lists and revokes API keys: `python -m app.chassis.security.api_keys --help`.

Runs in the image too, with the settings of the service.
"""

import argparse
import asyncio
import sys

from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.data.engine import create_engine
from app.chassis.security.api_keys import keys
from app.chassis.settings import load
from app.settings import Settings


def main() -> None:
    """Carry out one command. Only a new key goes to stdout."""
    parser = argparse.ArgumentParser(prog="python -m app.chassis.security.api_keys", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    issue = commands.add_parser("issue", help="print a new key: it is shown this once")
    issue.add_argument("client", help="who gets it. A second key for the same client replaces the first in time")
    issue.add_argument("permissions", nargs="+", help="what it may do: orders:read orders:write")
    issue.add_argument("--days", type=int, default=365, help="how long it is good (365)")
    commands.add_parser("list", help="show the keys, without what makes them useful")
    commands.add_parser("revoke", help="make a key useless at once").add_argument("prefix", help="key_<this>_…")
    sys.exit(asyncio.run(_run(parser.parse_args())))


async def _run(arguments: argparse.Namespace) -> str | None:
    engine = create_engine(load(Settings))
    try:
        async with AsyncSession(engine) as session, session.begin():
            return await _carry_out(session, arguments)
    finally:
        await engine.dispose()


async def _carry_out(session: AsyncSession, arguments: argparse.Namespace) -> str | None:
    """Return what went wrong, or None."""
    if arguments.command == "issue":
        sys.stdout.write(await keys.issue(session, arguments.client, arguments.permissions, arguments.days) + "\n")
    elif arguments.command == "revoke":
        if not await keys.revoke(session, arguments.prefix):
            return f"There is no key with the prefix {arguments.prefix}."
    else:
        for key in await keys.everyone(session):
            used = f"last used {key.last_used_at:%Y-%m-%d}" if key.last_used_at else "never used"
            state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else f"until {key.expires_at:%Y-%m-%d}"
            sys.stdout.write(f"{key.prefix}  {key.subject}  {' '.join(key.permissions)}  {state}  {used}\n")
    return None


if __name__ == "__main__":
    main()
