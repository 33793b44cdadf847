"""The OpenAPI document tells the truth about failures: which ones a route can have, and that they are problem+json."""

from typing import Any

from fastapi import FastAPI

from app.chassis.http import errors

# A host we do not know, too slow, too often, too large a header, a defect, too busy.
_ALWAYS = (400, 408, 429, 431, 500, 503)


class Application(FastAPI):
    """FastAPI with a document that is true: FastAPI's own promises a 422 of a shape that we never send."""

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        if self.openapi_schema:
            return self.openapi_schema
        document = super().openapi()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for theirs in ("HTTPValidationError", "ValidationError"):
            schemas.pop(theirs, None)
        problem = errors.ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= problem.pop("$defs") | {"Problem": problem}
        for path, methods in document["paths"].items():
            for operation in methods.values():
                possible = errors.responses(*_possible(path, operation))
                given = operation["responses"]
                given.pop("422", None)
                operation["responses"] = {str(status): said for status, said in possible.items()} | given
        return document


def _possible(path: str, operation: dict[str, Any]) -> list[int]:
    statuses = [*_ALWAYS]
    if operation.get("security"):
        statuses += [401, 403]
    if "{" in path:
        statuses += [404]
    if "requestBody" in operation:
        statuses += [413, 415]
    if "requestBody" in operation or "parameters" in operation:
        statuses += [422]
    return statuses
