"""Types for what arrives from outside, bounded to what PostgreSQL can store.

Without bounds a NUL byte or a number beyond the column's range passes validation and fails in the database, as a 500.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""One line of text without control characters, 1 to 200 characters."""

Text = Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*$")]
"""Text of several lines, up to 10,000 characters."""

Count = Annotated[int, Field(ge=1, le=1_000_000)]
"""How many of something, from one."""

Cents = Annotated[int, Field(ge=0, le=2_147_483_647)]
"""An amount of money in the smallest unit of its currency: fits PostgreSQL's integer."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217 code."""
