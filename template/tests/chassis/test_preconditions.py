"""If-Match is read as RFC 9110 writes it, and nobody overwrites what he has not seen."""

import asyncio
from http import HTTPStatus

import pytest
from fastapi import APIRouter
from httpx2 import AsyncClient
from sqlalchemy.orm.exc import StaleDataError

from app.chassis.http.errors import Problem
from app.chassis.http.preconditions import etag, require_match
from app.chassis.security.permissions import public

router = APIRouter(dependencies=[public])


@router.get("/stale")
async def stale() -> None:
    """Fail as SQLAlchemy does when a row's version is not the one that was read."""
    await asyncio.sleep(0)
    raise StaleDataError("UPDATE statement on table 'things' expected to update 1 row(s); 0 were matched.")


@pytest.mark.parametrize("header", [None, "*", '"7"', '"1", "7"', ' "7" '])
def test_what_was_read_may_be_changed(header: str | None) -> None:
    assert etag(7) == '"7"'
    require_match(header, 7)


@pytest.mark.parametrize("header", ['"6"', 'W/"7"', "7", '"77"', "", '"1", "2"'])
def test_what_has_changed_since_is_refused(header: str) -> None:
    with pytest.raises(Problem) as refused:
        require_match(header, 7)
    assert refused.value.status == HTTPStatus.PRECONDITION_FAILED


async def test_a_row_that_changed_meanwhile_is_a_conflict(client: AsyncClient) -> None:
    answer = await client.get("/stale")
    assert answer.status_code == HTTPStatus.CONFLICT
    assert answer.json()["code"] == "changed_meanwhile"


@pytest.fixture(autouse=True)
def stale_route(probe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the route above."""
    monkeypatch.setattr("app.main.routers", [router])
