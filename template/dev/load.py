"""`make load`: many callers at once against the service as production runs it, and what it promises them.

Every `locustfile.py` below `tests/` says what callers do, and the thresholds of it. The command fails where one is
passed, and `reports/load.html` has the plots. It calls nothing but the service that it starts itself, on this machine.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from app.chassis.settings import load as load_settings
from app.settings import Settings
from dev import credentials, environment, production
from dev.permissions import everything

MOST_USERS, MOST_SECONDS = 1000, 3600
REPORT = production.REPORTS / "load.html"


class Threshold(NamedTuple):
    """What one kind of request must hold: 95 and 99 of 100 answers come within so many milliseconds, and no more than
    so many of 100 fail.
    """

    p95_ms: float
    p99_ms: float
    error_percent: float = 0


class Measured(NamedTuple):
    """How one kind of request went."""

    requests: int
    p95_ms: float
    p99_ms: float
    error_percent: float


def judge(measured: Mapping[str, Measured], thresholds: Mapping[str, Threshold]) -> list[str]:
    """Return where a threshold is passed. What has no threshold, or was not called, proves nothing: that counts too."""
    problems = [f"{name}: has no threshold" for name in sorted(measured.keys() - thresholds.keys())]
    for name, threshold in thresholds.items():
        found = measured.get(name)
        if found is None:
            problems.append(f"{name}: was never called")
            continue
        for what, value, most in [
            ("p95 in ms", found.p95_ms, threshold.p95_ms),
            ("p99 in ms", found.p99_ms, threshold.p99_ms),
            ("failed, in percent", found.error_percent, threshold.error_percent),
        ]:
            if value > most:
                problems.append(f"{name}: {what}: {value:.4g}, more than {most:.4g}")
    return problems


def load(
    files: Collection[Path],
    *,
    users: int,
    seconds: float,
    report: Path = REPORT,
    modules: Sequence[str] = production.MODULES,
) -> int:
    """Run the service under the load of these locustfiles. Returns locust's exit status: 1 if a threshold is passed."""
    token = asyncio.run(credentials.token(load_settings(Settings), "load", everything()))
    report.parent.mkdir(exist_ok=True)
    with production.running(modules) as (api, *_):
        # In a process of its own: locust replaces what Python does with sockets and threads.
        options = ["--headless", "--only-summary", "--loglevel=WARNING", f"--host={api.url}", f"--html={report}"]
        options += [f"--users={users}", f"--run-time={seconds:g}s", "--stop-timeout=5"]
        options += [f"--spawn-rate={10 * users / seconds:g}", "--reset-stats"]  # the first tenth of the time warms up
        options += [f"--json-file={api.log.with_name('load.json')}"]  # or it prints tables of its own
        child = subprocess.Popen(
            [sys.executable, "-m", "locust", "--locustfile", ",".join(map(str, files)), *options],
            cwd=environment.PROJECT,
            env=os.environ | {"LOAD_TOKEN": token, "LOAD_SECONDS": f"{seconds:g}"},
            stdin=subprocess.DEVNULL,
        )
        try:
            return child.wait(seconds + 60)
        finally:
            child.kill()
            child.wait()


def _at_most(most: int, text: str) -> int:
    number = int(text)
    if not 1 <= number <= most:
        raise argparse.ArgumentTypeError(f"is a number from 1 to {most}")
    return number


def main() -> None:
    """Carry out the command."""
    parser = argparse.ArgumentParser(prog="python -m dev.load", description=__doc__)
    parser.add_argument("--users", type=lambda text: _at_most(MOST_USERS, text), default=20, help="callers at once")
    parser.add_argument("--seconds", type=lambda text: _at_most(MOST_SECONDS, text), default=60)
    arguments = parser.parse_args()
    files = sorted((environment.PROJECT / "tests").rglob("locustfile.py"))
    if not files:
        sys.exit("Nothing says what callers do. Write a locustfile.py in your folder of tests/: docs/rituals.md.")
    with production.servers():
        status = load(files, users=arguments.users, seconds=arguments.seconds)
    print(f"The report: {REPORT.relative_to(environment.PROJECT)}")
    sys.exit(status)


if __name__ == "__main__":
    main()
