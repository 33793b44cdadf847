"""Names the route that a request is for."""

from starlette.types import Scope


def route_path(scope: Scope) -> str:
    """Return the template of its path, with the prefixes of its routers: "/orders/{order_id}". Of no route, nothing."""
    # FastAPI's `route` alone lacks the prefixes that `include_router` gives.
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    path: str = getattr(route, "path", "")
    return path
