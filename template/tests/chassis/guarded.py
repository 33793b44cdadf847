"""Routes that say who may call them."""

from typing import Annotated

from fastapi import APIRouter

from app.chassis.http.rate_limit.middleware import expensive
from app.chassis.security.caller import Caller
from app.chassis.security.permissions import public, requires

router = APIRouter(prefix="/guarded")


@router.get("")
async def read(caller: Annotated[Caller, requires("guarded:read")]) -> str:
    """Say who is calling."""
    return caller.subject


@router.post("")
async def write(caller: Annotated[Caller, requires("guarded:read", "guarded:write")]) -> str:
    """Say who is calling."""
    return caller.subject


@router.get("/known")
async def known(caller: Annotated[Caller, requires()]) -> list[str]:
    """Say what the caller may do."""
    return sorted(caller.permissions)


@router.get("/open", dependencies=[public])
async def open_to_all() -> str:
    """Greet anybody."""
    return "hello"


@router.get("/report", dependencies=[public, expensive])
async def report() -> str:
    """Do much work."""
    return "done"
