"""Objectives are numbers that can be kept, measured and rung for."""

import json
import subprocess
import sys
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.chassis.http.access_log import DURATION
from app.chassis.telemetry.objectives import METRIC, Availability, Latency
from app.objectives import objectives
from app.routes import routers
from dev.environment import PROJECT

pytestmark = pytest.mark.row("monitor.slo")


def test_alarms_are_those_of_the_workbook() -> None:
    """The numbers of its table 5-8, for 99.9 %."""
    alarms = Availability("x", "x", target=0.999).alarms()
    assert [tuple(each.values()) for each in alarms] == [
        ("page", 60, 5, 14.4, 0.0144),
        ("page", 360, 30, 6, 0.006),
        ("ticket", 4320, 360, 1, 0.001),
    ]


@pytest.mark.parametrize("target", [0, 1, 99.9, 0.9])
def test_a_target_that_makes_no_sense_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match="target"):
        Availability("x", "x", target=target)


def test_a_bound_that_is_not_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="durations"):
        Latency("x", "x", target=0.99, seconds=0.3)


def test_the_services_own_can_be_measured() -> None:
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    routes = {each.path for each in iter_route_contexts(app.routes)}
    assert objectives
    assert len({each.name for each in objectives}) == len(objectives)
    assert {each.route for each in objectives if each.route} <= routes
    assert DURATION.name == METRIC


def test_they_are_printed_for_what_makes_alarms_of_them() -> None:
    command = [sys.executable, "-m", "app.chassis.telemetry.objectives"]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True)
    printed: list[dict[str, Any]] = json.loads(ran.stdout)
    assert [each["name"] for each in printed] == [each.name for each in objectives]
    for each in printed:
        assert each.keys() >= {"kind", "description", "target", "days", "metric", "route", "alarms"}
        assert all(0 < alarm["error_rate"] < 1 for alarm in each["alarms"])
