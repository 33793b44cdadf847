"""What callers can rely on, as numbers, and when somebody has to be told that it is in danger.

`python -m app.chassis.telemetry.objectives` prints the list of `app.objectives` with its alarms as JSON: dashboards and
alarms are made from it. An alarm rings when errors eat the budget (1 - target) faster than they may, in a long window
and in a short one: the long one says that it matters, the short one that it still goes on ("multiwindow,
multi-burn-rate alerts", Google's Site Reliability Workbook, chapter 5).
"""

import json
import sys
from dataclasses import KW_ONLY, dataclass
from typing import Any

from app.chassis.telemetry.metrics import SECONDS

METRIC = "http.server.request.duration"
DAYS = 30

# Severity, the part of the budget that is gone when it rings, hours of the long window, minutes of the short one.
_ALARMS = (("page", 0.02, 1, 5), ("page", 0.05, 6, 30), ("ticket", 0.10, 72, 360))


@dataclass(frozen=True)
class Objective:
    """A share of requests, of all routes or of one, that goes well within 30 days."""

    name: str
    description: str
    _: KW_ONLY
    target: float
    route: str | None = None

    def __post_init__(self) -> None:
        """Refuse what nobody could be held to, or what no alarm could tell."""
        if not 0 < self.target < 1:
            raise ValueError(f"{self.name}: the target is a share between 0 and 1, such as 0.999.")
        if any(alarm["error_rate"] >= 1 for alarm in self.alarms()):
            raise ValueError(f"{self.name}: with a target of {self.target} its first alarm could never ring.")

    def alarms(self) -> list[dict[str, Any]]:
        """Return when somebody has to know: at which burn rate and share of errors, over which windows."""
        found = []
        for severity, spent, hours, minutes in _ALARMS:
            rate = spent * DAYS * 24 / hours
            found.append(
                {
                    "severity": severity,
                    "long_window_minutes": hours * 60,
                    "short_window_minutes": minutes,
                    "burn_rate": round(rate, 6),
                    "error_rate": round(rate * (1 - self.target), 9),
                }
            )
        return found

    def described(self) -> dict[str, Any]:
        """Return it with its alarms, as JSON holds it."""
        return {
            "name": self.name,
            "kind": type(self).__name__.lower(),
            "description": self.description,
            "target": self.target,
            "days": DAYS,
            "metric": METRIC,
            "route": self.route,
            "alarms": self.alarms(),
        }


@dataclass(frozen=True)
class Availability(Objective):
    """Requests that we do not fail: their `http.response.class` is not 5xx."""


@dataclass(frozen=True)
class Latency(Objective):
    """Requests that are answered within so many seconds."""

    seconds: float

    def __post_init__(self) -> None:
        """Refuse what the metric cannot tell."""
        super().__post_init__()
        if self.seconds not in SECONDS:
            raise ValueError(f"{self.name}: durations are counted up to {SECONDS} seconds, and not {self.seconds}.")

    def described(self) -> dict[str, Any]:
        """Return it with its bound."""
        return super().described() | {"seconds": self.seconds}


def main() -> None:
    """Print the service's objectives."""
    from app.objectives import objectives  # noqa: PLC0415 (it imports the types from here)

    json.dump([each.described() for each in objectives], sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
