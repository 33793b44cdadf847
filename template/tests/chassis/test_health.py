"""Liveness touches nothing; readiness says what is missing; a process that cannot work does not start."""

from http import HTTPStatus

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import event

from app.settings import Settings
from tests.chassis.gateway import gateway_of
from tests.chassis.process import serving

pytestmark = pytest.mark.row("run.health")


async def test_ready_with_a_database(client: AsyncClient) -> None:
    assert (await client.get("/health/live")).status_code == HTTPStatus.OK
    assert (await client.get("/health/ready")).json() == {"status": "ready"}


async def test_liveness_touches_nothing(client: AsyncClient, app: FastAPI) -> None:
    touched: list[object] = []
    event.listen(app.state.engine.sync_engine, "checkout", lambda *about: touched.append(about))
    await client.get("/health/live")
    assert not touched
    await client.get("/health/ready")
    assert touched


async def test_alive_but_not_ready_without(settings_without_database: Settings) -> None:
    async with serving(settings_without_database) as client:
        assert (await client.get("/health/live")).status_code == HTTPStatus.OK
        answer = await client.get("/health/ready")
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.json()["code"] == "not_ready"
        assert "database" in answer.json()["detail"]


async def test_alive_but_not_ready_when_the_database_keeps_its_connections_and_says_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.chassis.data.engine.TRUSTED_SECONDS", 60)  # the pool does not ask for us
    async with gateway_of(settings) as (gateway, behind), serving(behind) as client:
        assert (await client.get("/health/ready")).status_code == HTTPStatus.OK
        monkeypatch.setattr("app.chassis.http.health.TIMEOUT_SECONDS", 0.3)
        with gateway.silent():
            assert (await client.get("/health/live")).status_code == HTTPStatus.OK
            answer = await client.get("/health/ready")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["code"] == "not_ready"


async def test_alive_but_not_ready_when_told_to_stop(client: AsyncClient, app: FastAPI) -> None:
    app.state.draining = True
    assert (await client.get("/health/live")).status_code == HTTPStatus.OK
    answer = await client.get("/health/ready")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["code"] == "draining"
