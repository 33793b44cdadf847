"""Liveness touches nothing; readiness asks the database."""

from http import HTTPStatus

from httpx2 import ASGITransport, AsyncClient

from app.main import build
from app.settings import Settings


async def test_ready_with_a_database(client: AsyncClient) -> None:
    assert (await client.get("/health/live")).status_code == HTTPStatus.OK
    assert (await client.get("/health/ready")).json() == {"status": "ready"}


async def test_alive_but_not_ready_without(settings_without_database: Settings) -> None:
    application = build(settings_without_database)
    async with (
        application.router.lifespan_context(application),
        AsyncClient(transport=ASGITransport(application), base_url="http://localhost") as client,
    ):
        assert (await client.get("/health/live")).status_code == HTTPStatus.OK
        answer = await client.get("/health/ready")
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.json()["code"] == "not_ready"
