"""One PostgreSQL for the whole run; for each test that asks, a database of its own, copied from a migrated one.

TEST_DATABASE_URL (without a database, `postgresql://user:password@host:port`) names another server.
"""

import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from alembic import command
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from app.chassis.settings import load
from app.main import build
from app.settings import Settings
from dev import database, environment, postgres

TEMPLATE = "template_migrated"
SERVER = pytest.StashKey[str]()
RESOURCES = pytest.StashKey[contextlib.ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the server once: in the process that hands out the tests, not in its workers."""
    environment.load(".env.example")
    if hasattr(config, "workerinput"):
        config.stash[SERVER] = config.workerinput["server"]
        return
    resources = config.stash[RESOURCES] = contextlib.ExitStack()
    server = os.environ.get("TEST_DATABASE_URL") or resources.enter_context(postgres.temporary())
    config.stash[SERVER] = server
    with database.address(database.create(server, TEMPLATE)):
        command.upgrade(database.alembic(), "heads")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server."""
    if RESOURCES in config.stash:
        config.stash[RESOURCES].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where the server is."""
    node.workerinput["server"] = node.config.stash[SERVER]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests as the service runs."""
    return "asyncio"


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> str:
    """Address of the server, without a database."""
    return pytestconfig.stash[SERVER]


@pytest.fixture
async def database_url(server: str) -> AsyncIterator[str]:
    """Address of a migrated, empty database that belongs to this test."""
    async with _database(server, f"TEMPLATE {TEMPLATE} STRATEGY FILE_COPY") as url:
        yield url


@pytest.fixture
async def empty_database_url(server: str) -> AsyncIterator[str]:
    """Address of a database without tables that belongs to this test."""
    async with _database(server, "") as url:
        yield url


@contextlib.asynccontextmanager
async def _database(server: str, options: str) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(f"{server}/postgres")
    try:
        await connection.execute(f"CREATE DATABASE {name} {options}")
        yield f"{server}/{name}"
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest.fixture
def settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of development, on this test's database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return load(Settings)


@pytest.fixture
def settings_without_database(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of development, with an address where no database is."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:nothing@127.0.0.1:1/none")
    return load(Settings)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application, started."""
    application = build(settings)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """A client of the application, within this process."""
    async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost") as each:
        yield each


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any setting of the service."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch
