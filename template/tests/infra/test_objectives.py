"""Dashboards and burn-rate alarms are made from what the code promises."""

import json
from pathlib import Path

import pytest

from app.objectives import objectives

FILE = Path("infra/objectives.json")


@pytest.mark.row("monitor.slo")
def test_alarms_are_made_from_the_objectives_of_the_code() -> None:
    told = json.loads(FILE.read_text(encoding="utf-8"))
    assert told == [each.described() for each in objectives], f"{FILE} is not src/app/objectives.py: make objectives"
