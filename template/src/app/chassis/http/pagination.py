"""Lists in pages with a stable cursor: a row that arrives while somebody leafs through moves nothing."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, NamedTuple, Self
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import BaseModel

from app.chassis.http.errors import Problem

Limit = Annotated[int, Query(ge=1, le=100, description="How many at most")]
CursorParameter = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")]


class Page[Item: BaseModel](BaseModel):
    """Some of the items, and where the next ones begin: `null` on the last page."""

    items: list[Item]
    next_cursor: str | None


class Cursor(NamedTuple):
    """The last row of a page. Rows are ordered newest first; the id decides between equal times."""

    created_at: datetime
    id: UUID

    def encode(self) -> str:
        """Return it as clients see it: opaque, so that its content may change."""
        return urlsafe_b64encode(orjson.dumps([self.created_at.isoformat(), str(self.id)])).decode()

    @classmethod
    def decode(cls, encoded: str) -> Self:
        """Read what `encode` wrote. Raises a 422 problem for anything else."""
        try:
            created_at, id_ = orjson.loads(urlsafe_b64decode(encoded))
            time = datetime.fromisoformat(created_at)
            if time.tzinfo is None:
                raise _invalid()
            # To UTC here: at the ends of the calendar it fails, and would do so in the database otherwise.
            return cls(time.astimezone(UTC), UUID(id_))
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise _invalid() from error


def _invalid() -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_cursor", "Use next_cursor of an earlier page, unchanged.")
