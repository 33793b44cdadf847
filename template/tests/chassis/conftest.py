"""The chassis is tested with routes of its own: the domain is the owner's to change."""

import pytest

from tests.chassis.probe import router


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve these routes instead of the service's own."""
    monkeypatch.setattr("app.main.routers", [router])
