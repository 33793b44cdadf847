"""Walks as a user does, from outside: is it ready, does it refuse a stranger, does it serve who it knows?

This one file, which needs the standard library alone, is also the external check that runs every minute (`handler`).
The walk reads and never writes: a probe's orders would hide that no others arrive.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

TIMEOUT_SECONDS = 10
LARGEST_ANSWER = 1_000_000
LOCAL = {"127.0.0.1", "localhost"}


@dataclass(frozen=True)
class Step:
    """One step of the walk."""

    name: str
    good: bool
    found: str
    milliseconds: int

    def __str__(self) -> str:
        return f"{'good' if self.good else 'BAD '}  {self.name}: {self.found} ({self.milliseconds} ms)"


class WalkError(Exception):
    """A step of the walk went wrong."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer, and credentials go to nobody else."""

    def redirect_request(self, *_: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def walk(url: str, path: str, secret: dict[str, str] | None) -> list[Step]:
    """Return the steps up to the first that is bad.

    `secret` is `{"authorization": "Bearer …"}`; or `token_url`, `client_id`, `client_secret` and maybe `scope` and
    `audience` of an issuer that gives tokens for client credentials (RFC 6749, 4.4); or empty, where the probe has
    none; or None, where nobody is asked who they are.
    """
    steps: list[Step] = []
    for name, check in _steps(url.rstrip("/"), path, secret):
        began = time.perf_counter()
        try:
            found, good = check(), True
        except (WalkError, OSError, ValueError, LookupError, TypeError, http.client.HTTPException) as error:
            found, good = str(error) if isinstance(error, WalkError) else repr(error), False
        steps.append(Step(name, good, found, round((time.perf_counter() - began) * 1000)))
        if not good:
            break
    return steps


def is_good(steps: list[Step]) -> bool:
    """Was it walked to its end?"""
    return bool(steps) and all(step.good for step in steps)


def _steps(url: str, path: str, secret: dict[str, str] | None) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "is ready", lambda: _ready(url)
    if secret is not None:
        yield "refuses a stranger", lambda: _expect(url + path, HTTPStatus.UNAUTHORIZED)[0]
    if secret is None or secret:
        yield "serves", lambda: _expect(url + path, HTTPStatus.OK, _authorization(secret))[0]


def _ready(url: str) -> str:
    found, answer = _expect(f"{url}/health/ready", HTTPStatus.OK)
    if answer != {"status": "ready"}:
        raise WalkError(f"it answers {str(answer)[:100]}")
    return found


def _expect(url: str, wanted: HTTPStatus, headers: dict[str, str] | None = None) -> tuple[str, Any]:
    status, body = _ask(url, headers or {})
    if status != wanted:
        raise WalkError(f"{status} instead of {wanted.value}")
    try:
        return str(status), json.loads(body)
    except ValueError:
        raise WalkError(f"{status} with something that is not JSON") from None


def _ask(url: str, headers: dict[str, str], data: bytes | None = None) -> tuple[int, bytes]:
    address = urllib.parse.urlsplit(url)
    if address.scheme != "https" and address.hostname not in LOCAL:
        raise WalkError(f"{address.scheme}://{address.hostname} is not https")
    request = urllib.request.Request(url, data, {"User-Agent": "probe", **headers})  # noqa: S310 (checked above)
    try:
        with _opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return answer.status, answer.read(LARGEST_ANSWER)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(LARGEST_ANSWER)


def _authorization(secret: dict[str, str] | None) -> dict[str, str]:
    if not secret:
        return {}
    if "authorization" in secret:
        return {"Authorization": secret["authorization"]}
    form = {name: secret[name] for name in ("client_id", "client_secret", "scope", "audience") if secret.get(name)}
    data = urllib.parse.urlencode({"grant_type": "client_credentials", **form}).encode()
    status, body = _ask(secret["token_url"], {"Content-Type": "application/x-www-form-urlencoded"}, data)
    if status != HTTPStatus.OK:
        raise WalkError(f"the issuer of tokens answers {status}")
    return {"Authorization": f"Bearer {json.loads(body)['access_token']}"}


def handler(_: object, __: object) -> None:
    """Walk once: the entry of AWS Lambda. Raises WalkError, which its alarm counts."""
    secret = None
    if name := os.environ.get("PROBE_SECRET"):
        import boto3  # noqa: PLC0415 (only there, and part of that runtime)

        region = (
            name.split(":")[3] if name.startswith("arn:") else None
        )  # the service's, which is not that of the check
        value = boto3.client("secretsmanager", region_name=region).get_secret_value(SecretId=name)
        secret = json.loads(value["SecretString"])
    steps = walk(os.environ["PROBE_URL"], os.environ["PROBE_PATH"], secret)
    for step in steps:
        print(step)
    if not is_good(steps):
        raise WalkError(str(steps[-1]))


def main() -> int:
    """Walk once through an environment: `python -m ops.probe staging`."""
    from ops import command, smoke  # noqa: PLC0415 (not there in the external check)

    return command.run(command.parser("ops.probe", __doc__).parse_args(), smoke.command)


if __name__ == "__main__":
    sys.exit(main())
