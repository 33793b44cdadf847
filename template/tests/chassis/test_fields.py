"""What a field of each type takes, and what it refuses: PostgreSQL could not store it."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.chassis.http.fields import Cents, Count, Currency, Json, Line, Text

pytestmark = pytest.mark.row("error.input")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Line, "é"),
        (Line, "x" * 200),
        (Text, ""),
        (Text, "x\n" * 5_000),
        (Count, 1),
        (Count, 1_000_000),
        (Cents, 0),
        (Cents, 2**31 - 1),
        (Currency, "EUR"),
        (Json, {"things": [None, 0.5, "x"]}),
    ],
)
def test_it_takes(field: Any, value: Any) -> None:
    assert TypeAdapter(field).validate_python(value) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(Line, value) for value in ("", "x" * 201, "a\nb", "a\x00b", "\x7f")],
        *[(Text, value) for value in ("x" * 10_001, "a\x00b")],
        *[(Count, value) for value in (0, 1_000_001, True, "1")],
        *[(Cents, value) for value in (-1, 2**31, True, 0.5)],
        *[(Currency, value) for value in ("eur", "EURO", "EUR\n")],
        *[(Json, value) for value in ("a\x00b", {"a\x00b": 1}, "\ud800", 10**400)],
    ],
)
def test_it_refuses(field: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(field).validate_python(value)
