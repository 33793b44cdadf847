"""What is counted, and what of it a collector gets."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from app.chassis import telemetry
from app.chassis.http.access_log import DURATION
from app.chassis.telemetry import metrics
from app.chassis.telemetry.metrics import Counter, Metric, counter, gauge, histogram
from app.settings import Settings
from tests.chassis.process import serving
from tests.chassis.receivers import Receiver, receiving

pytestmark = pytest.mark.row("monitor.business")


@pytest.fixture
def collector() -> Iterator[Receiver]:
    """What takes traces and metrics."""
    with receiving() as each:
        yield each


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget after the test what it declares and counts."""
    monkeypatch.setattr(Metric, "declared", dict(Metric.declared))
    monkeypatch.setattr(DURATION, "series", {})


@pytest.fixture
def placed() -> Counter:
    """Something that happens."""
    return counter("things.placed", "Things placed.")


async def test_what_is_counted_is_sent(settings: Settings, collector: Receiver, placed: Counter) -> None:
    never = counter("things.lost", "Things lost.")
    size = gauge("things.size", "How large.", "By")
    spread = histogram("things.duration", "How long.", bounds=(1, 2))
    engine = create_async_engine("postgresql+asyncpg://")
    async with telemetry.opened(settings.model_copy(update={"otlp_endpoint": collector.url}), "worker", engine):
        placed.add()
        placed.add(2, currency="EUR")
        placed.add(3, currency="EUR")
        size.set(7)
        size.set(5)
        for value in (0.5, 1, 1.5, 100):
            spread.record(value)
    sent = collector.metrics()
    assert {(*point.attributes.values(), point.value) for point in sent[placed.name]} == {(1,), ("EUR", 5)}
    assert sent[never.name] == [({}, 0)], "silence is sent too: an alarm hears it"
    assert sent[size.name] == [({}, 5)]
    assert sent[spread.name] == [({}, 4)]
    assert list(spread.series.values()) == [[2, 1, 1, 103]]


async def test_requests_and_the_pool(settings: Settings, collector: Receiver) -> None:
    async with serving(settings.model_copy(update={"otlp_endpoint": collector.url})) as client:
        for path in ("/probe", "/probe", "/probe/raises?status=404", "/probe/somebody/hunter2", "/nowhere/hunter2"):
            await client.get(path)
        await client.get("/health/ready")
    sent = collector.metrics()
    assert {(*point.attributes.values(), point.value) for point in sent["http.server.request.duration"]} == {
        ("GET", "/probe", "2xx", 2),
        ("GET", "/probe/raises", "4xx", 1),
        ("GET", "/probe/somebody/{name}", "2xx", 1),
        ("GET", "", "4xx", 1),
    }
    connections = {point.attributes["db.client.connection.state"]: point.value for point in sent[metrics.POOL.name]}
    assert connections.keys() == {"used", "idle"}
    assert sent[metrics.POOL_MAX.name] == [({}, settings.database_pool_size)]


async def test_only_what_is_committed_is_counted(app: FastAPI, placed: Counter) -> None:
    for commits in (True, False):
        async with AsyncSession(app.state.engine) as session:
            await session.execute(text("SELECT 1"))
            placed.add_when_committed(session, currency="EUR")
            assert sum(placed.series.values()) == (0 if commits else 1)
            await (session.commit() if commits else session.rollback())
    assert placed.series == {(): 0, (("currency", "EUR"),): 1}


def test_too_many_combinations_are_counted_together(placed: Counter) -> None:
    for each in range(metrics.MAX_SERIES + 50):
        placed.add(customer=str(each))
    assert len(placed.series) == metrics.MAX_SERIES + 1
    assert sum(placed.series.values()) == metrics.MAX_SERIES + 50


def test_a_name_is_taken_once(placed: Counter) -> None:
    with pytest.raises(ValueError, match=placed.name):
        counter(placed.name, "Something else.")
