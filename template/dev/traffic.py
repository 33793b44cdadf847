"""What a locustfile begins with: callers that the service knows, and thresholds. Imported by locust alone."""

import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from locust import FastHttpUser, events, stats
from locust.env import Environment

from dev import progress
from dev.load import Measured, Threshold, judge

stats.HISTORY_STATS_INTERVAL_SEC = 1  # points of the report's plots

_thresholds: dict[str, Threshold] = {}


class Caller(FastHttpUser):
    """Somebody who may do everything. Derive from it, and write tasks: https://docs.locust.io."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        token = os.environ["LOAD_TOKEN"]  # empty where nobody has to prove anything
        self.default_headers = {"Authorization": f"Bearer {token}"} if token else {}
        super().__init__(environment)


def expect(thresholds: Mapping[str, Threshold]) -> None:
    """Fail the run where requests pass these: by method and name, for example `GET /orders/{id}`."""
    _thresholds.update(thresholds)


def _show_progress(environment: Environment, **_: Any) -> None:
    begun, seconds = time.monotonic(), float(os.environ["LOAD_SECONDS"])

    def show() -> None:
        while True:
            total = environment.stats.total
            progress.show(
                f"{min(time.monotonic() - begun, seconds):.0f} of {seconds:.0f} s, {total.num_requests} requests, "
                f"{total.num_failures} failed, p95 {total.get_response_time_percentile(0.95):.0f} ms"
            )
            time.sleep(1)

    threading.Thread(target=show, daemon=True).start()  # a greenlet, under locust


def _conclude(environment: Environment, **_: Any) -> None:
    """Print what was measured, and decide."""
    measured = {
        f"{entry.method} {entry.name}": Measured(
            entry.num_requests,
            entry.get_response_time_percentile(0.95),
            entry.get_response_time_percentile(0.99),
            100 * entry.fail_ratio,
        )
        for entry in environment.stats.entries.values()
    }
    progress.clear()
    print(f"{'':32} {'requests':>9} {'p95 ms':>8} {'p99 ms':>8} {'failed %':>9}")
    for name, each in sorted(measured.items()):
        print(f"{name:32} {each.requests:>9} {each.p95_ms:>8.0f} {each.p99_ms:>8.0f} {each.error_percent:>9.2f}")
    for error in environment.stats.errors.values():
        print(f"{error.occurrences} x {error.method} {error.name}: {error.error}")
    problems = judge(measured, _thresholds)
    print("\n".join(problems) if problems else "All thresholds hold.")
    sys.stdout.flush()
    environment.process_exit_code = 1 if problems else 0


events.init.add_listener(_show_progress)  # type: ignore[no-untyped-call]
events.quitting.add_listener(_conclude)  # type: ignore[no-untyped-call]
