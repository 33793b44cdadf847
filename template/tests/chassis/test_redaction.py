"""Secrets leave by no channel: not by the log, by whoever writes to it, nor with spans and exceptions."""

import base64
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import HealthCheck, example, given
from hypothesis import settings as tried
from hypothesis import strategies as st
from pydantic import BaseModel, PostgresDsn, SecretStr, TypeAdapter, ValidationError
from sqlalchemy import make_url

from app.chassis.settings import LogFormat
from app.chassis.telemetry import logs, redaction
from app.settings import Settings

pytestmark = pytest.mark.row("log.redaction")

patiently = tried(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""However slow the machine is at the moment."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SAFE = LETTERS + "0123456789"
URL_SAFE = SAFE + "-_"

# What an attacker or an accident could put into a password: anything that is printed as one word.
# "7Q" makes it unlike any word that stands in what is looked through anyway.
password = st.text(SAFE + "!#$%&*+-./:;<=>?@^_`|~()[]{}äß漢", min_size=6, max_size=30).map("7Q{}".format)
word = st.text(SAFE, min_size=6, max_size=38).map("7Q{}".format)


def _luhn(digits: str) -> str:
    """Return the digits with the one that checks them."""
    doubled = [int(each) * 2 if place % 2 == 0 else int(each) for place, each in enumerate(reversed(digits))]
    return digits + str(-sum(each // 10 + each % 10 for each in doubled) % 10)


@st.composite
def cards(draw: st.DrawFn) -> str:
    """A card's number, as people and programs write it."""
    first = draw(st.sampled_from("23456"))
    number = _luhn(first + draw(st.text("0123456789", min_size=14, max_size=14)))
    mark = draw(st.sampled_from(["", " ", "-", "."]))
    return mark.join(number[place : place + 4] for place in range(0, 16, 4))


@st.composite
def tokens(draw: st.DrawFn) -> str:
    """A JSON web token."""
    header = base64.urlsafe_b64encode(orjson.dumps({"alg": draw(st.sampled_from(["RS256", "ES256"])), "kid": "1"}))
    body = base64.urlsafe_b64encode(orjson.dumps({"sub": draw(word)}))
    return (
        f"{header.decode().rstrip('=')}.{body.decode().rstrip('=')}.{draw(st.text(URL_SAFE, min_size=20, max_size=80))}"
    )


keys_of_ours = st.builds(
    "key_{}_{}".format,
    st.text("0123456789abcdef", min_size=12, max_size=12),
    st.text("0123456789abcdef", min_size=64, max_size=64),
)
mail = st.builds(
    "{}{}@{}.{}".format,
    st.sampled_from(SAFE),
    st.text(SAFE + ".+_-", min_size=2, max_size=30),
    st.text(SAFE, min_size=1, max_size=20),
    st.sampled_from(["com", "example", "co.uk", "de"]),
)
foreign_keys = st.one_of(
    st.builds("AKIA{}".format, st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=16)),
    st.builds("ghp_{}".format, st.text(SAFE, min_size=36, max_size=36)),
    st.builds("sk_live_{}".format, st.text(SAFE, min_size=24, max_size=24)),
)

# What is a secret wherever it stands.
shaped = st.one_of(cards(), tokens(), keys_of_ours, mail, foreign_keys)

NAMES = (
    "password", "Password", "new_password", "userPassword", "passwd", "secret", "client_secret", "clientSecret",
    "token", "access_token", "refreshToken", "authorization", "Authorization", "proxy-authorization", "cookie",
    "Set-Cookie", "api_key", "apiKey", "x-api-key", "X-API-Key", "private_key", "credentials", "card_number",
    "cardNumber", "cvv", "cvc", "iban", "ssn", "email", "e_mail", "csrf_token", "jwt", "pin", "otp", "session_id",
    "sentry.dsn", "http.request.header.authorization",
)  # fmt: skip
name = st.sampled_from(NAMES)


@st.composite
def told(draw: st.DrawFn) -> tuple[str, str]:
    """A secret, and a text in which it stands."""
    if draw(st.booleans()):
        secret = draw(shaped)
        around = draw(
            st.sampled_from(
                [
                    "{}", "got {} instead", "[{}]", "('{}',)", '{{"a": "{}"}}', "x={}", "value: {}, next", "<{}>",
                    "https://host/path?next={}", "line one\n{}\nline three", "\\\"{}\\\"",
                ]
            )
        )  # fmt: skip
        return secret, around.format(secret)
    if draw(st.booleans()):
        secret = draw(st.text(URL_SAFE + "%!$&*+,;=:", min_size=4, max_size=30).map("7Q{}".format))
        return secret, f"cannot connect to postgresql://service:{secret}@host.example:5432/orders?sslmode=disable"
    if draw(st.booleans()):
        secret = draw(st.text(URL_SAFE + "+/", min_size=12, max_size=60))
        return secret, draw(st.sampled_from(["Bearer {}", "bearer  {} is not good", "Basic {}=="])).format(secret)
    secret = draw(password.filter(lambda each: "'" not in each and '"' not in each))
    join = draw(
        st.sampled_from(['{}={}', "{} = {} for nothing", "{}: {}", '{{"{}": "{}"}}', "{{'{}': '{}', 'a': 1}}",
                         "[('{}', '{}')]", "[(b'{}', b'{}')]", "f({}='{}')", '{{\\"{}\\": \\"{}\\"}}'])
    )  # fmt: skip
    return secret, "before " + join.format(draw(name), secret)


@patiently
@given(told())
@example(("4111 1111 1111 1111", "1234 4111 1111 1111 1111"))
@example(("correct horse battery", '{"password": "correct horse battery"}'))
@example(("sid=abc; other=def", "Cookie: sid=abc; other=def"))
@example(("hunter2", "password='hun\\'hunter2'"))
@example(("ada@example.com", "duplicate key\nDETAIL:  Key (address)=(ada@example.com) already exists."))
@example(("Lovelace", "invalid input for query argument $1: 'Lovelace' (an integer is required)"))
@example(("Lovelace", 'invalid input syntax for type integer: "Lovelace"'))
@example(("Lovelace", "duplicate key\nDETAIL:  Key (name)=(Lovelace) already exists."))
def test_text(case: tuple[str, str]) -> None:
    secret, text = case
    assert secret not in redaction.text(text)


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", NAMES)
@tried(patiently, max_examples=5)
@given(secret=st.text(SAFE, min_size=6, max_size=30) | st.integers(10**6, 10**12), beside=json_like)
def test_under_its_name(name: str, secret: str | int, beside: Any) -> None:
    event = {"event": "x", "deep": [{"deeper": {name: secret, "more": {name: [secret]}}}, beside]}
    found = redaction.scrub(event)
    assert found["deep"][0]["deeper"] == {name: redaction.REDACTED, "more": {name: redaction.REDACTED}}
    assert orjson.loads(redaction.line(orjson.dumps(event, default=str))) == found


@patiently
@given(json_like.filter(lambda each: isinstance(each, dict)))
def test_a_line_stays_json(event: dict[str, Any]) -> None:
    line = logs._encoded(None, "", event | {"event": "x"})  # noqa: SLF001 (nothing that is logged may break the line, or raise)
    assert line.count(b"\n") == 0
    assert isinstance(json.loads(line), dict)


@pytest.mark.parametrize(
    "harmless",
    [
        "order placed",
        "/orders/{order_id}",
        "019a3d5e-27b1-7a60-9c0c-5a25b1a4e2d1",
        "12345678-1234-4123-8123-123456789012",
        "a3a7ca15c6989b6330094587a4056544",
        "2026-11-21T05:51:38.722814Z",
        "1763704298722814123",
        "5105105105105106",
        "10.0.0.1",
        "https://login.example.com/a",
        "tokens cannot be verified",
        "SELECT orders.id FROM orders WHERE orders.owner = $1",
        "cannot connect: ConnectionRefusedError",
        "the author passes on monkeys",
    ],
)
def test_what_is_no_secret_stays(harmless: str) -> None:
    assert redaction.text(harmless) == harmless
    assert redaction.scrub({"fact": harmless}) == {"fact": harmless}


@pytest.mark.parametrize("number", [4111111111111111, 5500005555555559, 378282246310005])
def test_a_cards_number_as_a_number(number: int) -> None:
    assert redaction.scrub({"fact": number}) == {"fact": redaction.REDACTED}


PIECES = (
    *(
        "a",
        "-",
        "_",
        " ",
        "\n",
        "@",
        "%40",
        "://",
        "= ",
        "[",
        "(",
        "'",
        '"',
        "\\",
        "\\'",
        "\\\\\\'",
        "a@",
        "a.",
        "4111",
    ),
    *("password", "password=", "aws_secret", "pin", "cookie: ", "cookie='", "bearer ", "basic ", "eyJ", "eyJaaaaaaaa."),
    *("key_", "ghp_", "4111 1111 1111 1111 ", "-----BEGIN PRIVATE KEY-----", "DETAIL:", "input_value="),
)


@patiently
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3))
def test_time_is_linear(pieces: list[str]) -> None:
    """Thirty milliseconds are usual. A pattern that goes back over what it has read would take seconds or minutes."""
    text = "".join(pieces)
    text *= 30_000 // len(text)
    started = time.process_time()
    redaction.text(text)
    assert time.process_time() - started < 1


class Person(BaseModel):
    """Something that refuses values and quotes them."""

    age: int


def _refused() -> str:
    try:
        Person.model_validate({"age": "Lovelace-1815"})
    except ValidationError as error:
        return str(error)
    raise AssertionError


@pytest.mark.parametrize(
    "value",
    [
        SecretStr("hunter2hunter2"),
        {"value": SecretStr("hunter2hunter2")},
        make_url("postgresql://ada:hunter2hunter2@host/orders"),
        TypeAdapter(PostgresDsn).validate_python("postgresql://ada:hunter2hunter2@host/orders"),
        b"password=hunter2hunter2",
        ValueError("password=hunter2hunter2"),
        _refused().replace("Lovelace-1815", "hunter2hunter2"),
        ("token", "Bearer hunter2hunter2"),
        {"password": {"value": "hunter2hunter2"}},
        {1: {"password": "hunter2hunter2"}},
        {"password": "hunter2hunter2", "half": "\ud800"},
    ],
)
@pytest.mark.parametrize("format_", list(LogFormat))
def test_by_type(
    value: Any, format_: LogFormat, settings_without_database: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(settings_without_database.model_copy(update={"log_format": format_}))
    structlog.get_logger().info("got", value=value)
    logging.getLogger("library").warning("got %s", value)
    written = capsys.readouterr().out
    assert written.count("got") == 2
    assert "hunter2" not in written


def _as_a_fact(text: str) -> None:
    structlog.get_logger().info("got", fact=text)


def _as_an_event(text: str) -> None:
    structlog.get_logger().info(text)


def _in_an_exception(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        structlog.get_logger().exception("failed")


def _in_a_cause(text: str) -> None:
    try:
        try:
            raise KeyError(text)
        except KeyError as error:
            error.add_note(text)
            raise RuntimeError("failed") from error
    except RuntimeError:
        logging.getLogger("library").exception("failed")


def _by_a_library(text: str) -> None:
    logging.getLogger("library").warning("got %s", text, extra={"fact": text})


def _in_the_context(text: str) -> None:
    with structlog.contextvars.bound_contextvars(fact=text):
        structlog.get_logger().info("got")


@pytest.mark.parametrize("format_", list(LogFormat))
@pytest.mark.parametrize(
    "write", [_as_a_fact, _as_an_event, _in_an_exception, _in_a_cause, _by_a_library, _in_the_context]
)
def test_every_way_into_the_log(
    write: Callable[[str], None],
    format_: LogFormat,
    settings_without_database: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(settings_without_database.model_copy(update={"log_format": format_}))

    @patiently
    @given(told())
    def pushed(case: tuple[str, str]) -> None:
        secret, text = case
        write(text)
        written = capsys.readouterr().out
        assert written
        assert secret not in written
        assert json.dumps(secret)[1:-1] not in written

    pushed()
