"""Times are UTC, whatever zone the container inherits."""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import structlog
from sqlalchemy import text

from app.chassis.data.engine import create_engine
from app.chassis.http.pagination import Cursor
from app.chassis.settings import LogFormat
from app.chassis.telemetry import logs
from app.settings import Settings

pytestmark = pytest.mark.row("data.time")


@pytest.fixture(params=["UTC", "America/Los_Angeles", "Asia/Kathmandu"], autouse=True)
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """Put this process into another time zone."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


def test_this_process_is_in_that_zone(zone: str) -> None:
    offsets = {"UTC": 0, "America/Los_Angeles": -8 * 60, "Asia/Kathmandu": 5 * 60 + 45}
    assert os.environ["TZ"] == zone
    assert time.timezone == -60 * offsets[zone]


ELSEWHERE = """
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET timezone TO %L', current_database(), 'Asia/Kathmandu');
END $$;
"""


async def test_the_database_reads_and_writes_utc(settings: Settings) -> None:
    engine = create_engine(settings)
    async with engine.begin() as connection:
        await connection.execute(text(ELSEWHERE))
    await engine.dispose()  # a connection keeps the zone that it began with
    async with engine.connect() as connection:
        now: datetime = (await connection.execute(text("SELECT now()"))).scalar_one()
        midnight: datetime = (await connection.execute(text("SELECT timestamptz '2026-11-21 00:00'"))).scalar_one()
        day = (await connection.execute(text("SELECT (timestamptz '2026-11-21 23:30Z')::date"))).scalar_one()
    await engine.dispose()
    assert now.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)
    assert midnight == datetime(2026, 11, 21, tzinfo=UTC)
    assert day.isoformat() == "2026-11-21"


def test_logs_are_in_utc(settings_without_database: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings_without_database.model_copy(update={"log_format": LogFormat.JSON}))
    structlog.get_logger().warning("now")
    written = json.loads(capsys.readouterr().out)["timestamp"]
    assert written.endswith("Z")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(written)) < timedelta(minutes=1)


def test_a_cursor_means_the_same_moment() -> None:
    moment = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # an hour that some clocks skip
    assert Cursor.decode(Cursor(moment, UUID(int=0)).encode()).created_at == moment
