"""Routes that do something which must not be done twice: each request writes one row.

`python -m tests.chassis.ledger` is `python -m app`, with these routes instead of the service's.
"""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy import text

from app import __main__, main
from app.chassis.data.session import Session
from app.chassis.http.errors import Problem
from app.chassis.http.idempotency.route import IdempotentRoute, key_required
from app.chassis.security.permissions import public

router = APIRouter(prefix="/ledger", route_class=IdempotentRoute, dependencies=[public])

TABLE = "CREATE TABLE ledger (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text NOT NULL)"


class Entry(BaseModel):
    """What is written, and how it goes."""

    note: str
    seconds: float = 0
    """How long it takes."""
    raises: HTTPStatus | None = None
    returns: HTTPStatus | None = None


class Written(BaseModel):
    """What was written."""

    id: int
    note: str


@router.post("", status_code=HTTPStatus.CREATED)
async def write(entry: Entry, request: Request, session: Session, response: Response) -> Written:
    """Write an entry."""
    id_ = await session.scalar(text("INSERT INTO ledger (note) VALUES (:note) RETURNING id"), {"note": entry.note})
    await asyncio.sleep(entry.seconds)
    if entry.raises:
        raise Problem(entry.raises, "as_you_wish", "You wanted it.")
    if entry.returns:
        response.status_code = entry.returns
    response.headers["Location"] = f"/ledger/{id_}"
    response.set_cookie("session", "secret")
    return Written(id=id_, note=request.headers.get("x-note", entry.note))


@router.post("/{page}/sync")
def write_nothing(page: int) -> int:
    """Take the key in a function that is not asynchronous."""
    return page


@router.post("/insists", dependencies=[key_required])
async def insist(request: Request) -> str:
    """Refuse requests without a key."""
    return request.method


if __name__ == "__main__":
    vars(main)["routers"] = [router]
    __main__.main()
