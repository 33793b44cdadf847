"""Every failure is problem+json with a code and the request's id, and tells nothing internal."""

from datetime import UTC, datetime
from http import HTTPStatus
from uuid import uuid4

import pytest
from httpx2 import AsyncClient, Response

from app.chassis.http.pagination import Cursor

JSON = {"Content-Type": "application/json"}


def assert_problem(answer: Response, status: HTTPStatus, code: str) -> None:
    """The answer has the shape of RFC 9457, and ours."""
    document = answer.json()
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert document["status"] == status
    assert document["title"] == status.phrase
    assert document["code"] == code
    assert document["detail"]
    assert document["request_id"] == answer.headers["x-request-id"]


async def test_what_the_framework_refuses(client: AsyncClient) -> None:
    assert_problem(await client.get("/nowhere"), HTTPStatus.NOT_FOUND, "not_found")
    assert_problem(await client.delete("/probe"), HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed")
    assert_problem(await client.post("/probe", content=b"{", headers=JSON), HTTPStatus.BAD_REQUEST, "malformed_json")
    assert_problem(
        await client.post("/probe", content=b'{"name": "\xff"}', headers=JSON), HTTPStatus.BAD_REQUEST, "bad_request"
    )


async def test_wrong_values_are_named_and_not_repeated(client: AsyncClient) -> None:
    answer = await client.post("/probe", json={"name": "S3cret"})

    assert_problem(answer, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request")
    assert [(error["location"], error["pointer"]) for error in answer.json()["errors"]] == [
        ("body", "/name"),
        ("body", "/count"),
    ]
    assert "S3cret" not in answer.text


async def test_a_cursor_is_understood(client: AsyncClient) -> None:
    cursor = Cursor(datetime.now(UTC), uuid4()).encode()
    assert (await client.get("/probe", params={"cursor": cursor})).json() == cursor


@pytest.mark.parametrize("cursor", ["x", "bnVsbA==", "WzEsMl0=", "WyIyMDI2LTAxLTAxIiwieCJd"])
async def test_a_cursor_that_we_did_not_make(client: AsyncClient, cursor: str) -> None:
    answer = await client.get("/probe", params={"cursor": cursor})
    assert_problem(answer, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_cursor")


async def test_an_unforeseen_failure_is_logged_and_not_told(
    client: AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await client.get("/probe/fails")

    assert_problem(answer, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error")
    assert "hunter2" not in answer.text
    assert "hunter2" in capsys.readouterr().out
