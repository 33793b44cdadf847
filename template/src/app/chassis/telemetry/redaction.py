"""Takes secrets and personal data out of what leaves the process: by the key they stand under, by shape, by type.

A miss is worse than a blank too many: what follows `password=` goes, whatever it is. Every pattern runs in linear time,
for the text comes from anybody: an attempt begins where a run of characters begins, and gives nothing back.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

REDACTED = "[redacted]"
MAX_DEPTH = 20
"""How deep a value is looked into. What is deeper goes."""

# What stands under a key that has one of these in it, or that is, or ends in, one of the words.
_PARTS = (
    r"passw(?:or)?d|passphrase|passcode|secret|token|authori[sz]ation|cookie|credential|api[_-]?key|private[_-]?key"
    r"|access[_-]?key|signing[_-]?key|card[_-]?number|e[_-]?mail|session[_-]?id|csrf|xsrf|signature"
)
_WORDS = "pass|pwd|auth|jwt|bearer|cvv2?|cvc2?|ssn|iban|pan|otp|pin|dsn|phone"
_KEY = re.compile(rf"{_PARTS}|(?:^|[._-])(?:{_WORDS})s?$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# In text: a name, what joins it to its value, and the value: in quotes, in brackets, or up to the next space.
_NAME = rf"(?<![\w-])(?=[\w-]*?(?:{_PARTS})|(?:[\w-]*?[_-])??(?:{_WORDS})s?(?![\w-]))[\w-]++"
_JOIN = r"(?:\\{0,3}['\"]?\]?\s{0,8}(?:=>|[:=])|\\{0,3}['\"],)\s{0,8}"
_QUOTED = r"b?(?P<quote>\\{0,3}['\"])(?:(?!(?P=quote))(?:\\.|.))*+"
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"  # also where a line's end is written out
_FLAGS = re.IGNORECASE | re.DOTALL
_SHAPES = (
    # A private key in PEM (RFC 7468), whole or cut off.
    (re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\w+/=\s\\,:-]*+"), REDACTED),
    # User and password in a URL.
    (re.compile(r"://[^\s/?#]*@"), f"://{REDACTED}@"),
    # Headers: all that follows on the line.
    (
        re.compile(rf"((?<![a-z])(?:authorization|cookie){_JOIN})(?:{_QUOTED}|[^\r\n]++)", _FLAGS),
        rf"\1{REDACTED}",
    ),
    (re.compile(rf"({_NAME}{_JOIN})(?:{_QUOTED}|\[[^\]]*+|\([^)]*+|\{{[^}}]*+|\S++)", _FLAGS), rf"\1{REDACTED}"),
    # What an Authorization header holds (RFC 9110, 11.4), wherever it stands.
    (re.compile(r"(?<![a-z])(bearer\s{1,8})[\w.~+/=-]{6,}+|(basic\s{1,8})[\w+/=-]{8,}+", _FLAGS), rf"\1\2{REDACTED}"),
    # JSON web tokens (RFC 7519), keys of ours (app.chassis.security), and those of others that are known by a prefix.
    (re.compile(rf"{_START}eyJ[\w-]{{6,}}+(?:\.[\w-]*+)*+"), REDACTED),
    (re.compile(rf"{_START}key_[0-9a-f]{{12}}_[0-9a-f]{{16,}}+"), REDACTED),
    (re.compile(rf"{_START}(?:A[KS]IA[0-9A-Z]{{16}}|(?:gh[oprsu]|[rs]k_live|[rs]k_test)_\w{{8,}}+)"), REDACTED),
    # E-mail addresses, also as they stand in a URL.
    (re.compile(r"(?<![\w.+%-])(?:(?!%40)[\w.+%-])++(?:@|%40)[\w-]++(?:\.[\w-]++)++", re.IGNORECASE), REDACTED),
    # What PostgreSQL and Pydantic quote of values that they refuse.
    (re.compile(r"(DETAIL:|input_value=|invalid input [^:\n]{1,80}:)[^\n]*+"), rf"\1 {REDACTED}"),
)
_CARD = re.compile(
    _START + r"(?:[2-6]\d{12,18}|[2-6]\d{3}([ .-])\d{4}\1\d{4}\1\d{1,7}|3\d{3}([ .-])\d{6}\2\d{4,5})"
    r"(?![0-9A-Za-z])"
)

# A text without any of these, in lower case, and without thirteen digits in a row holds none of the above.
_SIGNS = (
    "pass", "secret", "token", "auth", "cookie", "credential", "key", "mail", "session", "srf", "signature", "pwd",
    "jwt", "bearer", "basic", "cvv", "cvc", "ssn", "iban", "pan", "otp", "pin", "dsn", "phone", "://", "@", "%40",
    "eyj", "kia", "asia", "card", "private", "gh", "_live", "_test", "detail:", "input_value", "invalid input",
)  # fmt: skip
_DIGITS = bytes(ord("0") if chr(byte).isdigit() else byte for byte in range(128)) + bytes(range(128, 256))
_THIRTEEN = b"0" * 13


def line(encoded: bytes) -> bytes:
    """Return a line of JSON, an object, without secrets. Most have none, and cost a microsecond to look at."""
    return orjson.dumps(scrub(orjson.loads(encoded))) if suspicious(encoded.decode()) else encoded


def scrub(value: Any, depth: int = 0) -> Any:
    """Return a copy without secrets of what JSON can hold. Of anything else, its text."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return REDACTED if text(str(value)) == REDACTED else value
    if isinstance(value, tuple) and hasattr(value, "_asdict"):  # a named one, such as SQLAlchemy's URL
        value = value._asdict()
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _inside(value, depth + 1) if depth < MAX_DEPTH else REDACTED
    return text(str(value))


def _inside(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {
            text(str(key)): REDACTED if _secret(str(key)) and each is not None else scrub(each, depth)
            for key, each in value.items()
        }
    return [scrub(each, depth) for each in value]


def text(value: str) -> str:
    """Return the text without secrets."""
    if not suspicious(value):
        return value
    for pattern, replacement in _SHAPES:
        value = pattern.sub(replacement, value)
    return _without_cards(value)


@lru_cache(maxsize=1000)
def _secret(key: str) -> bool:
    """Tell whether a value under this key is a secret, whatever it looks like."""
    return _KEY.search(_CAMEL.sub("_", key).lower()) is not None


def suspicious(value: str) -> bool:
    """Tell whether a look at this text is worth its time."""
    lowered = value.lower()
    for sign in _SIGNS:  # not any(): it takes half as long again, and this is done for every line
        if sign in lowered:
            return True
    return _THIRTEEN in value.encode(errors="replace").translate(_DIGITS, b" .-")


def _without_cards(value: str) -> str:
    kept, position = [], 0
    search_from = 0
    while match := _CARD.search(value, search_from):
        if _luhn(match[0]):
            kept += [value[position : match.start()], REDACTED]
            position = search_from = match.end()
        else:
            search_from = match.start() + 1
    return "".join(kept) + value[position:]


def _luhn(number: str) -> bool:
    """Tell whether the last digit checks the others (ISO/IEC 7812-1, annex B)."""
    digits = [int(each) for each in reversed(number) if each.isdigit()]
    return sum(digits[::2] + [each * 2 // 10 + each * 2 % 10 for each in digits[1::2]]) % 10 == 0
