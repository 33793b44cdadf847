"""Every list that the service serves is paged."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.main import build
from app.settings import Settings

pytestmark = pytest.mark.row("data.paging")

Json = dict[str, Any]
LARGEST_LIMIT = 100


def resolve(document: Json, schema: Json) -> Json:
    """Return the schema that is meant."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def lists(document: Json) -> Iterator[tuple[str, Json, Json]]:
    """Yield path, operation and answer of each GET that answers with many: an array, or something that holds one.

    What ends in a parameter is one thing, and may hold its own parts.
    """
    for path, methods in document["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        schema = resolve(document, content.get("application/json", {}).get("schema", {}))
        members = [resolve(document, each) for each in schema.get("properties", {}).values()]
        many = schema.get("type") == "array" or any(each.get("type") == "array" for each in members)
        if many and not path.endswith("}"):
            yield path, methods["get"], schema


def test_lists_are_pages_with_a_bounded_limit_and_a_cursor(settings_without_database: Settings) -> None:
    for path, operation, answer in lists(build(settings_without_database).openapi()):
        assert answer.get("properties", {}).keys() >= {"items", "next_cursor"}, f"{path} answers with no Page"
        parameters = {each["name"]: each["schema"] for each in operation.get("parameters", [])}
        assert parameters.get("limit", {}).get("maximum", LARGEST_LIMIT + 1) <= LARGEST_LIMIT, f"{path} has no Limit"
        assert "cursor" in parameters, f"{path} has no CursorParameter"
