"""What goes wrong with a database that is nobody's mistake, and what a client reads of it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm.exc import StaleDataError
from starlette.requests import Request
from starlette.responses import Response

from app.chassis.http.errors import render

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 2

STATEMENT_TIMEOUT = "57014"
# https://www.postgresql.org/docs/current/errcodes-appendix.html: whole classes by their first two characters.
_TRANSIENT = (
    "08",  # connection lost
    "53",  # out of connections, memory, disk
    "57",  # shut down, starting, timed out
    "25006",  # not the primary any more
    "40",  # deadlock, serialisation
    "55P03",  # lock timeout
)


class DatabaseUnavailableError(SQLAlchemyError):
    """The database cannot do this now: it is down, busy, or gave up. The same request may work later."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def classify(context: ExceptionContext) -> DatabaseUnavailableError | None:
    """Tell what may work later from what is a defect. An engine calls it for each error (event `handle_error`)."""
    error = context.original_exception
    state = getattr(error, "sqlstate", None) or ""
    if context.is_disconnect or state.startswith(_TRANSIENT):
        return DatabaseUnavailableError(state or type(error).__name__)
    return None


async def _on_unavailable(_: Request, error: DatabaseUnavailableError) -> Response:
    if error.reason == STATEMENT_TIMEOUT:  # somebody has to look at that statement
        log.error("statement timed out", exc_info=error)
    else:
        log.warning("database unavailable", reason=error.reason)
    return render(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "database_unavailable",
        "The database cannot do this at the moment. Try again.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


async def _on_stale(_: Request, __: StaleDataError) -> Response:
    """Answer for a row with a version that somebody else changed between our reading and our writing."""
    return render(HTTPStatus.CONFLICT, "changed_meanwhile", "Somebody changed it at the same time. Read it again.")


handlers: dict[int | type[Exception], Callable[[Request, Any], Any]] = {
    DatabaseUnavailableError: _on_unavailable,
    StaleDataError: _on_stale,
}
