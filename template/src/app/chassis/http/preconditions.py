"""ETag and If-Match (RFC 9110, 13.1.1): a client changes what it has read, not what has become of it since."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Header

from app.chassis.http.errors import Problem

IfMatch = Annotated[
    str | None, Header(max_length=200, description="`ETag` of what was read: refused with 412 if it has changed since")
]


def etag(version: int) -> str:
    """Return the entity tag of this version of something."""
    return f'"{version}"'


def require_match(if_match: str | None, version: int) -> None:
    """Raise a 412 problem unless the header is absent, `*`, or lists this version's tag.

    Compare with a row that is locked, or has a `version_id_col`: else it may change between here and there.
    """
    if if_match is None or if_match.strip() == "*":
        return
    if etag(version) not in [tag.strip() for tag in if_match.split(",")]:
        raise Problem(HTTPStatus.PRECONDITION_FAILED, "changed_since", "It has changed since you read it.")
