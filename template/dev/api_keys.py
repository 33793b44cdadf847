"""API keys of development and tests: the service's own commands on the development database, and `token`."""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.data.engine import create_engine
from app.chassis.security.api_keys import __main__ as commands
from app.chassis.security.api_keys import keys
from app.chassis.settings import load
from app.settings import Settings
from dev import database, environment
from dev.permissions import everything

KEY = environment.PROJECT / ".dev" / "api-key"


def own_key() -> str:
    """Return the key of this checkout, made on first use. Kept, so that the next `make dev` accepts it too."""
    if not KEY.exists():
        KEY.parent.mkdir(mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=KEY.parent) as file:
            file.write(keys.generate())
            file.flush()
            with contextlib.suppress(FileExistsError):  # somebody else was faster
                Path(KEY).hardlink_to(file.name)
    return KEY.read_text()


@contextlib.contextmanager
def development() -> Iterator[str]:
    """Make the checkout's key good on the development database. Yields what to tell the developer."""
    asyncio.run(_put(load(Settings), own_key(), "developer", everything()))
    yield "`make token` prints a key for it."


@contextlib.contextmanager
def temporary() -> Iterator[None]:
    """Prepare nothing: keys are in the database of each test."""
    yield


async def token(settings: Settings, subject: str, permissions: Collection[str]) -> str:
    """Return a key for this caller."""
    key = keys.generate()
    await _put(settings, key, subject, permissions)
    return key


async def _put(settings: Settings, key: str, subject: str, permissions: Collection[str]) -> None:
    engine = create_engine(settings)
    async with AsyncSession(engine) as session, session.begin():
        await keys.put(session, key, subject, permissions, days=365)
    await engine.dispose()


def main() -> None:
    """Carry out one command."""
    if sys.argv[1:] == ["token"]:
        sys.stdout.write(own_key() + "\n")
        return
    environment.load(".env.example", ".env")
    with database.development():
        commands.main()


if __name__ == "__main__":
    main()
