"""Whatever is sent, the answer says what is wrong with it: never a 5xx, and never a value of the sender's."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest
from httpx2 import AsyncClient, Response
from hypothesis import HealthCheck, example, given
from hypothesis import settings as tries
from hypothesis import strategies as st

from app.chassis.http.errors import MAX_ERRORS
from app.settings import Settings
from tests.chassis.process import serving

pytestmark = pytest.mark.row("error.input")

EXAMPLES = 150
JSON = {"Content-Type": "application/json"}

# `characters` leaves lone surrogates out unless asked.
characters = st.characters() | st.characters(categories=["Cs"])
texts = st.text(characters, max_size=30) | st.sampled_from(["\x00", "\ud800", "\U0010ffff", "'; DROP TABLE x; --"])
numbers = st.integers() | st.floats() | st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**400, 1e400, -0.0])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)
bodies = values | st.fixed_dictionaries(
    {}, optional={"text": values, "cents": values, "ratio": values, "things": values, "name": values, "count": values}
)
# For all that Hypothesis tries, there is one application: it keeps nothing between two requests.
often = tries(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[AsyncClient]:
    """A client that may ask as often as it likes."""
    plenty = {"rate_limit_reads": 1_000_000, "rate_limit_writes": 1_000_000}
    async with serving(settings.model_copy(update=plenty)) as client:
        yield client


def assert_understood_or_refused(answer: Response) -> None:
    """It is an answer in JSON, or a refusal in our shape."""
    assert answer.status_code < 500, answer.text
    document = orjson.loads(answer.content)  # stricter than Python's: no NaN, no lone surrogates
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert document["code"] in {"malformed_json", "invalid_request", "unsupported_media_type", "invalid_cursor"}
        assert len(answer.content) < 20_000, "a refusal is short, whatever was sent"


@pytest.mark.parametrize("path", ["/probe", "/probe/anything"])
@often
@given(body=bodies)
async def test_any_json(client: AsyncClient, path: str, body: Any) -> None:
    assert_understood_or_refused(await client.post(path, content=json.dumps(body), headers=JSON))


@often
@given(
    body=st.binary(max_size=100), media=st.sampled_from(["application/json", "text/plain", "multipart/form-data", ""])
)
async def test_any_bytes(client: AsyncClient, body: bytes, media: str) -> None:
    assert_understood_or_refused(await client.post("/probe/anything", content=body, headers={"Content-Type": media}))


@often
@given(cursor=st.text(max_size=300))
@example(cursor="\x00")
async def test_any_parameter(client: AsyncClient, cursor: str) -> None:
    assert_understood_or_refused(await client.get("/probe", params={"cursor": cursor}))


def absurd() -> Iterator[tuple[str, bytes]]:
    """What is sent by mistake, or by somebody who knows what breaks."""
    yield "nothing", b""
    yield "null", b"null"
    yield "a list", b"[]"
    yield "empty object", b"{}"
    yield "twice the same name", b'{"text": "a", "text": 1}'
    yield "NaN", b'{"ratio": NaN, "cents": NaN, "things": NaN}'
    yield "infinity", b'{"ratio": -Infinity, "cents": Infinity, "things": [Infinity]}'
    yield "a number beyond floats", b'{"ratio": 1e999, "things": 1e999}'
    yield "an integer beyond int64", b'{"cents": 9223372036854775808, "things": 9223372036854775808}'
    yield "an integer of a million digits", b'{"cents": ' + b"9" * 1_000_000 + b"}"
    yield "NUL", b'{"text": "a\\u0000b", "things": "\\u0000"}'
    yield "a lone surrogate", b'{"text": "\\ud800", "things": "\\udfff"}'
    yield "a lone surrogate as a name", b'{"\\ud800": 1, "things": {"\\ud800": 1}}'
    yield "half a UTF-8 character", b'{"text": "\xc3"}'
    yield "UTF-16", '{"text": "ä"}'.encode("utf-16")
    yield "Latin-1", '{"text": "ä"}'.encode("latin-1")
    yield "deep lists", b'{"things": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    yield "deep objects", b'{"things": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}"
    yield "nested less deeply than Python refuses", b'{"things": ' + b"[" * 900 + b"]" * 900 + b"}"
    yield "a long text", b'{"text": "' + b"x" * 1_000_000 + b'"}'
    yield "a long name", b'{"' + b"x" * 1_000_000 + b'": 1}'
    yield "many names", orjson.dumps({f"name{number}": number for number in range(50_000)})


@pytest.mark.parametrize("path", ["/probe", "/probe/anything", "/probe/strict"])
@pytest.mark.parametrize("body", [pytest.param(body, id=what) for what, body in absurd()])
async def test_the_absurd(client: AsyncClient, path: str, body: bytes) -> None:
    assert_understood_or_refused(await client.post(path, content=body, headers=JSON))


@pytest.mark.parametrize("cents", [True, False, "1", 1.5, None, [], -1, 2**31])
async def test_an_amount_is_a_whole_number(client: AsyncClient, cents: Any) -> None:
    answer = await client.post("/probe/anything", json={"cents": cents})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/cents"]


async def test_a_thousand_mistakes_are_not_all_listed(client: AsyncClient) -> None:
    answer = await client.post("/probe/strict", json={"x" * 1000 + str(number): 1 for number in range(1000)})
    assert len(answer.json()["errors"]) == MAX_ERRORS
    assert all(len(error["pointer"]) < 200 for error in answer.json()["errors"])
