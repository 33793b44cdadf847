"""Processes that are killed under load come back, lose nothing that was accepted, and do nothing twice."""

from pathlib import Path

import asyncpg
import pytest

from app.settings import Settings
from dev import rehearse
from dev.rehearse import Client
from tests.chassis import ledger

pytestmark = pytest.mark.row("run.restart")


class Entries:
    """Writes into the ledger."""

    @staticmethod
    async def visit(client: Client, mark: str) -> None:
        """Write an entry."""
        await client.post("/ledger", {"note": mark})

    @staticmethod
    async def account(database: asyncpg.Connection) -> dict[str, dict[str, int]]:
        """Count the entries."""
        return {"entries": dict(await database.fetch("SELECT note, count(*) FROM ledger GROUP BY note"))}


@pytest.fixture
async def service(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment for processes, whose database has the ledger."""
    monkeypatch.setenv("DATABASE_URL", str(settings.database_url))
    connection = await asyncpg.connect(str(settings.database_url))
    await connection.execute(ledger.TABLE)
    await connection.close()


async def test_killed_under_load_it_loses_nothing_and_does_nothing_twice(
    service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearse, "CLIENTS", 2)
    modules = ["tests.chassis.ledger"]
    report = await rehearse.rehearse([Entries], 2, seed=1, modules=modules, log=tmp_path / "log")
    assert report.problems == []
    assert report.kills == 2
    assert report.recovery_seconds
    assert report.counted["entries"] >= report.accepted > 0
    assert report.sent > report.accepted, "nobody had to ask again"


def test_what_is_lost_or_doubled_is_told() -> None:
    account = {"entries": {"a": 1, "b": 2, "c": 0, "unanswered": 2}}
    assert rehearse.lost({"a", "b", "c", "d"}, account) == ["entries: 2 lost: c, d"]
    assert rehearse.doubled(account) == ["entries: 2 doubled: b, unanswered"]
