"""Every failure is problem+json with a code and the request's id, and tells nothing internal."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from http import HTTPStatus
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from app.chassis.http import errors
from app.chassis.http.pagination import Cursor
from app.settings import Settings
from tests.chassis.process import serving

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


@pytest.mark.row("error.shape")
async def test_what_the_framework_refuses(client: AsyncClient) -> None:
    assert_problem(await client.get("/nowhere"), HTTPStatus.NOT_FOUND, "not_found")
    assert_problem(await client.get("/probe/"), HTTPStatus.NOT_FOUND, "not_found")
    refused = await client.delete("/probe")
    assert_problem(refused, HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD, POST"
    for content in (b"{", b"", b'{"name": "\xff"}', b"[" * 100_000, b'{"count": ' + b"9" * 5000 + b"}"):
        refused = await client.post("/probe", content=content or b" ", headers=JSON)
        assert_problem(refused, HTTPStatus.BAD_REQUEST, "malformed_json")


@pytest.mark.row("error.shape")
@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/xml", "application/x-www-form-urlencoded", "x"]
)
async def test_a_body_that_does_not_call_itself_json(client: AsyncClient, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    refused = await client.post("/probe", content=b'{"name": "a", "count": 1}', headers=headers)
    assert_problem(refused, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
    assert refused.headers["accept"] == "application/json"


@pytest.mark.row("error.shape")
async def test_what_the_edge_refuses(settings: Settings) -> None:
    limited = settings.model_copy(update={"max_body_bytes": 10, "request_timeout_seconds": 0.05})
    async with serving(limited) as client:
        for content in (b"x" * 11, pieces()):
            refused = await client.post("/probe", content=content, headers=JSON)
            assert_problem(refused, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "content_too_large")
        refused = await client.get("/probe", headers={"Host": "unknown.example"})
        assert_problem(refused, HTTPStatus.BAD_REQUEST, "unknown_host")
        refused = await client.get("/probe/slow", params={"seconds": 5})
        assert_problem(refused, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable")
        refused = await client.post("/probe", content=b"{}")
        assert_problem(refused, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")


async def pieces() -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for _ in range(3):
        yield b"xxxxx"


@pytest.mark.row("error.shape")
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "bad_request"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (408, "request_timeout"),
        (409, "conflict"),
        (413, "content_too_large"),
        (415, "unsupported_media_type"),
        (422, "invalid_request"),
        (429, "too_many_requests"),
        (431, "headers_too_large"),
        (500, "internal_error"),
        (503, "unavailable"),
        (418, "http_418"),
    ],
)
async def test_whatever_a_route_or_a_library_raises(client: AsyncClient, status: int, code: str) -> None:
    answer = await client.get("/probe/raises", params={"status": status})
    assert_problem(answer, HTTPStatus(status), code)
    assert "hunter2" not in answer.text


@pytest.mark.row("error.shape")
@pytest.mark.row("error.secret")
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


@pytest.mark.row("error.secret")
async def test_an_unforeseen_failure_is_logged_and_not_told(
    client: AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await client.get("/probe/fails")

    assert_problem(answer, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error")
    for internal in ("hunter2", "RuntimeError", "Traceback", ".py"):
        assert internal not in answer.text
    log = capsys.readouterr().out
    for internal in ("password=[redacted]", "RuntimeError", "Traceback", "probe.py", answer.headers["x-request-id"]):
        assert internal in log


@pytest.mark.row("error.shape")
async def test_the_document_tells_the_truth_about_failures(app: FastAPI) -> None:
    document = app.openapi()
    schemas = document["components"]["schemas"]

    assert not {"HTTPValidationError", "ValidationError"} & schemas.keys()
    assert {"title", "status", "code", "detail", "request_id"} <= {*schemas["Problem"]["required"]}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            failures = {status: said for status, said in operation["responses"].items() if int(status) >= 400}
            assert {"400", "500", "503"} <= failures.keys()
            assert ("422" in failures) == ("parameters" in operation or "requestBody" in operation), path
            assert ("415" in failures) == ("requestBody" in operation), path
            for said in failures.values():
                assert said["content"] == {errors.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
