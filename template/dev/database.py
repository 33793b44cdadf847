"""The development database, and the commands around it: `python -m dev.database migrate` and `… revision MESSAGE`."""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from dev import environment, postgres

NAME = "app"


def alembic() -> Config:
    """Return Alembic's configuration, which is in pyproject.toml."""
    return Config(toml_file=environment.PROJECT / "pyproject.toml")


def create(server: str, name: str, *, template: str | None = None) -> str:
    """Create a database unless it exists, as a copy of `template` if given. Returns its address."""

    async def run() -> None:
        connection = await asyncpg.connect(f"{server}/postgres")
        try:
            # FILE_COPY: many times faster than the default for small databases.
            copy = f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""
            with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                await connection.execute(f"CREATE DATABASE {name}{copy}")
        finally:
            await connection.close()

    asyncio.run(run())
    return f"{server}/{name}"


@contextlib.contextmanager
def address(url: str) -> Iterator[None]:
    """Point DATABASE_URL at `url` for as long as the context lasts."""
    before = os.environ.get("DATABASE_URL")
    os.environ["DATABASE_URL"] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ["DATABASE_URL"]
        else:
            os.environ["DATABASE_URL"] = before


@contextlib.contextmanager
def development() -> Iterator[None]:
    """Set DATABASE_URL to the development database, migrated: the embedded one unless the environment names one."""
    with contextlib.ExitStack() as stack:
        if not os.environ.get("DATABASE_URL"):
            server = stack.enter_context(postgres.shared(environment.PROJECT))
            stack.enter_context(address(create(server, NAME)))
        command.upgrade(alembic(), "heads")
        yield


def revise(message: str) -> list[Path]:
    """Write what is different between the models and the revisions so far, found on an empty server.

    That is one revision, or two where tables that exist get indexes as well.
    """
    config = alembic()
    owned = environment.PROJECT / "migrations" / "versions"
    heads = [each for each in ScriptDirectory.from_config(config).get_revisions("heads") if each]
    ours = [each.revision for each in heads if Path(each.path).parent == owned]
    if len(ours) > 1:
        raise CommandError(f"Two revisions follow the same one. Join them first: alembic merge {' '.join(ours)}")
    with postgres.temporary() as server, address(create(server, NAME)):
        command.upgrade(config, "heads")
        # The chassis's tables have branches of their own, in migrations/chassis: this one follows the service's.
        head = ours[0] if ours else "base"
        written = command.revision(config, message, autogenerate=True, head=head, version_path=owned)
    scripts = written if isinstance(written, list) else [written]
    return [Path(script.path).relative_to(environment.PROJECT) for script in scripts if script]


def main() -> None:
    """Carry out one command."""
    parser = argparse.ArgumentParser(prog="python -m dev.database", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the database to the newest revision")
    commands.add_parser("revision", help="write a revision from the models").add_argument("message")
    arguments = parser.parse_args()
    environment.load(".env.example", ".env")
    try:
        if arguments.command == "migrate":
            with development():
                print("The database is at the newest revision.")
        else:
            paths = " and ".join(str(path) for path in revise(arguments.message))
            print(f"Wrote {paths}. Read it, complete both directions, and run make check: docs/migrations.md.")
    except (postgres.PostgresError, CommandError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
