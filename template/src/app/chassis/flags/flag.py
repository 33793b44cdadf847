"""What a feature flag is, and how a route depends on one."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Depends
from openfeature import api

from app.chassis.http.errors import Problem

RETRY_AFTER_SECONDS = 60

_client = api.get_client()


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that can be switched off and on. The default counts until somebody flips it, or nobody can be asked."""

    name: str
    default: bool
    description: str

    def is_on(self) -> bool:
        """Tell whether it is on. From memory: ask whenever it matters."""
        return _client.get_boolean_value(self.name, self.default)


def while_on(flag: Flag) -> Any:
    """Declare that a route answers only while the flag is on, and 503 otherwise.

    @router.post("", dependencies=[while_on(TAKE_ORDERS)])
    """

    async def check() -> None:
        if not flag.is_on():
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "switched_off",
                "This is switched off for the moment.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )

    return Depends(check)
