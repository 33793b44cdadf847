"""Types for what arrives from outside, bounded to what PostgreSQL can store.

Without bounds a NUL byte or a number beyond the column's range passes validation and fails in the database, as a 500.
"""

from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, Field, StringConstraints

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""One line of text without control characters, 1 to 200 characters."""

Text = Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*$")]
"""Text of several lines, up to 10,000 characters."""

Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
"""How many of something, from one. Strict: Pydantic would read `true` as 1."""

Cents = Annotated[int, Field(strict=True, ge=0, le=2_147_483_647)]
"""An amount of money in the smallest unit of its currency: fits PostgreSQL's integer."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217 code."""


def _storable(value: Any) -> Any:
    try:
        written = orjson.dumps(value)
    except TypeError as error:
        raise ValueError("is nested too deeply, or holds a number or a character that cannot be stored") from error
    if b"\\u0000" in written:
        raise ValueError("holds a NUL character, which cannot be stored")
    return orjson.loads(written)


Json = Annotated[Any, AfterValidator(_storable)]
"""Any JSON that PostgreSQL's jsonb can hold. A bare `Any` would take lone surrogates and a thousand levels as well."""
