"""A cursor comes back as it went out, and whatever else is sent as one is refused."""

import contextlib
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone
from http import HTTPStatus
from uuid import UUID

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.chassis.http.errors import Problem
from app.chassis.http.pagination import Cursor

pytestmark = pytest.mark.row("data.paging")

OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS)  # noqa: DTZ001 (as it takes them)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(TIMES, st.uuids())
def test_a_cursor_comes_back_as_it_went_out(time: datetime, id_: UUID) -> None:
    encoded = Cursor(time, id_).encode()
    assert Cursor.decode(encoded) == (time, id_)
    assert len(encoded) <= 200, "longer than the parameter may be"


def refused_or_understood(encoded: str) -> None:
    """Accept either, but no other failure."""
    with contextlib.suppress(Problem):
        assert Cursor.decode(encoded).created_at.tzinfo is UTC


@given(st.text())
@example("é")
@example("\x00")
def test_any_other_text_is_refused(text: str) -> None:
    refused_or_understood(text)


@given(JSON)
@example(["0001-01-01T00:00:00+23:00", "00000000-0000-0000-0000-000000000000"])
@example(["9999-12-31T23:59:59-23:00", "00000000-0000-0000-0000-000000000000"])
@example(["2026-11-21T00:00:00", "00000000-0000-0000-0000-000000000000"])
@example([0, 0])
def test_any_other_json_is_refused(value: object) -> None:
    with contextlib.suppress(TypeError):  # lone surrogates and the like cannot even be sent
        refused_or_understood(urlsafe_b64encode(orjson.dumps(value)).decode())


def test_a_time_without_zone_is_refused() -> None:
    sent = ["2026-11-21T00:00:00", "00000000-0000-0000-0000-000000000000"]
    with pytest.raises(Problem) as refused:
        Cursor.decode(urlsafe_b64encode(orjson.dumps(sent)).decode())
    assert refused.value.status == HTTPStatus.UNPROCESSABLE_ENTITY
