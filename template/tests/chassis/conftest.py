"""The chassis is tested with routes of its own: the domain is the owner's to change."""

from typing import Annotated

import pytest
from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.chassis.http.pagination import Cursor, CursorParameter

router = APIRouter(prefix="/probe")


class Body(BaseModel):
    """Something to get wrong."""

    name: Annotated[str, Field(pattern=r"^[a-z]+$")]
    count: int


@router.post("")
async def echo(body: Body) -> Body:
    """Return what was sent."""
    return body


@router.get("")
async def leaf(cursor: CursorParameter = None) -> str | None:
    """Return the cursor as it was understood."""
    return Cursor.decode(cursor).encode() if cursor else None


@router.get("/fails")
async def fail() -> None:
    """Fail as nobody foresaw."""
    raise RuntimeError("password=hunter2")


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve these routes instead of the service's own."""
    monkeypatch.setattr("app.main.routers", [router])
