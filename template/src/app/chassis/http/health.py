"""Is the process alive, and is it of use? Two questions for two readers: who restarts it, and who sends it traffic.

A start-up probe asks `/health/live` as well: the port opens only when the settings were good and all is built.
"""

import asyncio
from http import HTTPStatus

import asyncpg
import structlog
from fastapi import APIRouter, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.chassis.http.errors import render
from app.chassis.security.permissions import public

log = structlog.get_logger()
router = APIRouter(prefix="/health", tags=["health"], include_in_schema=False, dependencies=[public])

TIMEOUT_SECONDS = 2


@router.get("/live")
async def live() -> dict[str, str]:
    """Answer from memory alone: a database that is down must not get every replica killed."""
    return {"status": "alive"}


@router.get("/ready", response_model=None)
async def ready(request: Request) -> Response | dict[str, str]:
    """Ask the database a question. 503 takes this replica out of traffic until it answers again.

    A process that was told to stop is not ready either, while it still serves what arrives.
    """
    if request.app.state.draining:
        return render(HTTPStatus.SERVICE_UNAVAILABLE, "draining", "The process is about to stop.")
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), request.app.state.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, asyncpg.PostgresError, OSError, TimeoutError) as error:
        log.warning("not ready", reason=type(error).__name__)
        return render(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", "The database does not answer.")
    return {"status": "ready"}
