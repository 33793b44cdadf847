"""`make soak`: the service with nothing to do but answer health checks. It has nothing to say then.

A log that is quiet when nothing happens is one in which somebody notices what does: a warning, a retry or chatter
makes this command fail, and it shows the lines.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dev import production, progress

FEWER_THAN_LINES = 10
CHECK_SECONDS = 5
"""As often as an impatient load balancer (AWS: 5 to 300 seconds)."""

_HARMLESS = {"debug", "info"}
_RETRY = re.compile(r"\bretr(y|ies|ied|ying)\b", re.IGNORECASE)


def soak(checks: int, modules: Sequence[str] = production.MODULES) -> tuple[list[str], list[str]]:
    """Run the service for so many health checks. Returns what it has logged, and what is wrong with that."""
    problems = []
    with production.running(modules) as processes:
        for number in range(1, checks + 1):
            time.sleep(CHECK_SECONDS)
            for process in processes:
                if not process.is_ready():
                    state = "is not ready" if process.is_alive() else "has ended"
                    problems.append(f"python -m {process.module} {state} at health check {number}")
            lines = [line for process in processes for line in process.log.read_text().splitlines()]
            minutes = (checks - number) * CHECK_SECONDS / 60
            progress.show(f"{minutes:.1f} minutes left, {number} health checks, {len(lines)} log lines")
            if problems:
                break
    progress.clear()
    return lines, problems + judge(lines)


def judge(lines: Sequence[str]) -> list[str]:
    """Return what is wrong with these log lines."""
    problems = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            problems.append(f"not JSON: {line}")
            continue
        if entry.get("level") not in _HARMLESS:
            problems.append(f"{entry.get('level')}: {line}")
        elif _RETRY.search(line):
            problems.append(f"retry: {line}")
    if len(lines) >= FEWER_THAN_LINES:
        problems.append(f"{len(lines)} lines where fewer than {FEWER_THAN_LINES} are expected:")
        problems += [f"  {count} x {level} {event}" for (level, event), count in count_events(lines).most_common()]
    return problems


def count_events(lines: Sequence[str]) -> Counter[tuple[str, str]]:
    """Count the lines by level and event."""

    def key(line: str) -> tuple[str, str]:
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            return ("?", line)
        return (str(entry.get("level")), str(entry.get("event")))

    return Counter(key(line) for line in lines)


def main() -> None:
    """Carry out the command."""
    parser = argparse.ArgumentParser(prog="python -m dev.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    minutes = parser.parse_args().minutes
    with production.servers():
        lines, problems = soak(max(1, round(minutes * 60 / CHECK_SECONDS)))
    print(f"{minutes:g} idle minutes: {len(lines)} log lines")
    for (level, event), count in count_events(lines).most_common():
        print(f"  {count} x {level} {event}")
    if problems:
        sys.exit("\n".join(["That is not quiet:", *problems]))
    print("No warning, no retry, no chatter.")


if __name__ == "__main__":
    main()
