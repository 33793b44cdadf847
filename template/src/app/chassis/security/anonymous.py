"""This service asks nobody who they are: everybody is the same caller and may do everything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from pydantic_settings import BaseSettings
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import Scope

from app.chassis.http.errors import Problem
from app.chassis.security.caller import Caller


class NoSettings(BaseSettings):
    """Nothing to know."""


class Anybody(Caller):
    """May do everything."""

    def may(self, permission: str) -> bool:
        """Say yes."""
        return True


ANYBODY = Anybody(subject="anybody", permissions=frozenset())


class Forbidden(Problem):
    """Not allowed: 403."""

    def __init__(self, permission: str) -> None:
        detail = f"This needs the permission {permission}."
        super().__init__(HTTPStatus.FORBIDDEN, "permission_missing", detail)


class Identified:
    """A dependency that knows who is calling."""

    def identify(self, _: Scope) -> Caller:
        """Return the one caller there is."""
        return ANYBODY


@asynccontextmanager
async def verifier(_: NoSettings, __: AsyncEngine) -> AsyncIterator[None]:
    """Nothing is verified."""
    yield
