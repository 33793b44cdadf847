"""Builds the application: the one place where everything is joined."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from app.chassis.data.engine import create_engine
from app.chassis.http import errors, health
from app.chassis.http.access_log import AccessLog
from app.chassis.http.request_id import RequestId
from app.chassis.settings import load
from app.chassis.telemetry import logs
from app.identity import DESCRIPTION, NAME
from app.routes import routers
from app.settings import Settings


def build(settings: Settings) -> FastAPI:
    """Return the application for these settings, connected to nothing until it starts."""
    logs.configure(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = create_engine(settings)
        app.state.engine = engine
        yield
        await engine.dispose()

    app = FastAPI(
        title=NAME,
        description=DESCRIPTION,
        version=settings.release,
        lifespan=lifespan,
        # The outermost first.
        middleware=[Middleware(RequestId), Middleware(AccessLog), Middleware(errors.Boundary)],
        exception_handlers=errors.handlers,
        responses=errors.responses,
    )
    app.include_router(health.router)
    for router in routers:
        app.include_router(router)
    return app


def development() -> FastAPI:
    """Return the application for the environment's settings: the factory that reloads under `make dev`."""
    return build(load(Settings))
