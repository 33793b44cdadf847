"""The running service keeps what its OpenAPI document promises, whatever schemathesis thinks of sending."""

import asyncio
import json
import re
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.chassis.process import running

# A schema cannot say all that makes a request good (a cursor must be one of ours), and Pydantic reads "1" as a number.
LENIENT = "positive_data_acceptance,negative_data_rejection"


@pytest.mark.row("error.shape")
@pytest.mark.row("error.input")
async def test_every_answer_is_one_that_the_document_knows(
    database_url: str, authorization_headers: dict[str, str], tmp_path: Path
) -> None:
    await asyncio.to_thread(explore, database_url, authorization_headers, tmp_path)


def explore(database_url: str, headers: dict[str, str], directory: Path) -> None:
    """Let schemathesis try all it knows on the running service: as somebody, and as nobody if that is a difference."""
    plenty = {"rate_limit_reads": 1_000_000, "rate_limit_writes": 1_000_000}
    with running("app", database_url=database_url, log_level="warning", **plenty) as service:
        document = httpx2.get(f"{service.url}/openapi.json").json()
        if not document["paths"]:
            pytest.skip("there is no route yet: src/app/routes.py")
        for each in [headers, {}] if headers else [{}]:
            explored = subprocess.run(
                [
                    *(Path(sys.executable).with_name("schemathesis"), "--config-file", "/dev/null", "run"),
                    f"{service.url}/openapi.json",
                    *("--phases", "examples,coverage,fuzzing,stateful", "--exclude-checks", LENIENT),
                    *("--max-examples", "10", "--generation-deterministic", "--no-color"),
                    *("--report-har-path", "answers.har"),
                    *(part for name, value in each.items() for part in ("--header", f"{name}: {value}")),
                ],
                cwd=directory,
                capture_output=True,
                text=True,
                check=False,
            )
            assert explored.returncode == 0, explored.stdout + explored.stderr + service.log.read_text()
            if each or not headers:
                for operation, statuses in answers(document, directory / "answers.har").items():
                    assert_of_use(operation, statuses)


def answers(document: dict[str, Any], recorded: Path) -> dict[str, set[int]]:
    """Return with which statuses each operation of the document has answered."""
    statuses: dict[str, set[int]] = {
        f"{method.upper()} {path}": set() for path, methods in document["paths"].items() for method in methods
    }
    # A path that is written out comes before one that it also fits: /orders/mine, /orders/{order_id}.
    paths = [
        (path, re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)))
        for path in sorted(document["paths"], key=lambda path: path.count("{"))
    ]
    for entry in json.loads(recorded.read_text())["log"]["entries"]:
        asked = urlsplit(entry["request"]["url"]).path
        found = next((path for path, pattern in paths if pattern.fullmatch(asked)), "")
        statuses.get(f"{entry['request']['method']} {found}", set()).add(entry["response"]["status"])
    return statuses


def assert_of_use(operation: str, statuses: set[int]) -> None:
    """The run got behind the doors. Who is refused everywhere, or never understood, finds no fault either."""
    refusals = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
    assert statuses - refusals, f"{operation} let nobody in: {statuses}"
    if "{" not in operation:  # ids would have to exist
        assert any(status < HTTPStatus.MULTIPLE_CHOICES for status in statuses), f"{operation} never worked: {statuses}"
