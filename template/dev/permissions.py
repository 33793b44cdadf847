"""What a developer may do: everything that some route requires."""

from fastapi import FastAPI

from app.chassis.security import permissions
from app.routes import routers


def everything() -> frozenset[str]:
    """Return the permissions of all routes."""
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    return permissions.declared(app)
