"""The routes by which everybody can read them."""

from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response

from app.chassis.http.errors import NotFoundProblem
from app.chassis.legal import texts
from app.chassis.security.permissions import public


def router() -> APIRouter:
    """Return the routes, with the texts as they are at the start. Raises texts.MissingTextError."""
    found = texts.read(Path.cwd())
    routes = APIRouter(prefix="/legal", tags=["legal"], include_in_schema=False, dependencies=[public])

    @routes.get("")
    async def overview() -> dict[str, Any]:
        """Say which texts there are, in which version."""
        return {
            name: {"path": f"/legal/{name}", "version": text.version, "draft": text.is_draft}
            for name, text in found.items()
        }

    @routes.get("/{name}", response_model=None)
    async def text(name: str) -> Response:
        """Show one, as Markdown."""
        if name not in found:
            raise NotFoundProblem("text")
        headers = {"ETag": f'"{found[name].version}"', "Cache-Control": "public, max-age=300"}
        return Response(found[name].markdown(), HTTPStatus.OK, headers, "text/markdown; charset=utf-8")

    return routes
