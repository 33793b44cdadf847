"""Routes of our own to test the chassis with: the domain is the owner's to change.

`python -m tests.chassis.probe` is `python -m app`, with these routes instead of the service's.
"""

import asyncio
from typing import Annotated

import structlog
from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from app import __main__, main
from app.chassis.data.session import Session
from app.chassis.http import server
from app.chassis.http.fields import Cents, Json, Text
from app.chassis.http.pagination import Cursor, CursorParameter
from app.chassis.security.permissions import public

log = structlog.get_logger()
router = APIRouter(prefix="/probe", dependencies=[public])


class Body(BaseModel):
    """Something to get wrong."""

    name: Annotated[str, Field(pattern=r"^[a-z]+$")]
    count: int


class Anything(BaseModel):
    """One member of each kind that can be sent."""

    text: Text = ""
    cents: Cents = 0
    ratio: float = 0
    things: Json = None


class Strict(Anything):
    """The same, and nothing else."""

    model_config = ConfigDict(extra="forbid")


@router.post("")
async def echo(body: Body) -> Body:
    """Return what was sent."""
    return body


@router.get("")
async def leaf(cursor: CursorParameter = None) -> str | None:
    """Return the cursor as it was understood."""
    return Cursor.decode(cursor).encode() if cursor else None


@router.post("/anything")
async def echo_anything(body: Anything) -> Anything:
    """Return what was sent, whatever it was."""
    return body


@router.post("/strict")
async def echo_strict(body: Strict) -> Strict:
    """Return what was sent, which can have no other members."""
    return body


@router.get("/fails")
async def fail() -> None:
    """Fail as nobody foresaw."""
    raise RuntimeError("password=hunter2")


@router.get("/raises")
async def raise_(status: int) -> None:
    """Fail with this status."""
    raise HTTPException(status, "password=hunter2")


@router.get("/cached")
async def cached(response: Response) -> str:
    """Answer with what may be kept for a minute."""
    response.headers["Cache-Control"] = "max-age=60"
    return "kept"


@router.get("/statement")
async def statement(session: Session) -> int | None:
    """Ask the database."""
    found: int | None = await session.scalar(text("SELECT 1"))
    return found


@router.get("/somebody/{name}")
async def somebody(name: str) -> int:
    """Have a parameter in the path."""
    return len(name)


@router.get("/slow")
async def wait(seconds: float) -> str:
    """Take that long, and tell when it begins."""
    log.info("waiting")
    await asyncio.sleep(seconds)
    return "done"


if __name__ == "__main__":
    vars(main)["routers"] = [router]
    server.HEADER_SECONDS = 1  # tests need not wait for ten
    __main__.main()
