"""The running service keeps what its OpenAPI document promises, whatever schemathesis thinks of sending."""

import asyncio
import subprocess
import sys
from pathlib import Path

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
        for each in [headers, {}] if headers else [{}]:
            explored = subprocess.run(
                [
                    *(Path(sys.executable).with_name("schemathesis"), "--config-file", "/dev/null", "run"),
                    f"{service.url}/openapi.json",
                    *("--phases", "examples,coverage,fuzzing,stateful", "--exclude-checks", LENIENT),
                    *("--max-examples", "10", "--generation-deterministic", "--no-color"),
                    *(part for name, value in each.items() for part in ("--header", f"{name}: {value}")),
                ],
                cwd=directory,
                capture_output=True,
                text=True,
                check=False,
            )
            assert explored.returncode == 0, explored.stdout + explored.stderr + service.log.read_text()
