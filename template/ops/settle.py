"""After a run of CI that failed or was cancelled: takes back what it has left, and says what serves.

A cancelled run is killed within seconds, and a deploy needs minutes to go back; and a release can stop serving after
its deploy was over. What anybody else has deployed is left alone. The status is 0 when there was nothing to take back,
1 when it went back, 3 when somebody has to look.
"""

import argparse
import os
import sys
from pathlib import Path

from ops import command, releases, rollback, smoke
from ops.command import Operation
from ops.journal import Entry, Journal, State, holder, interrupted
from ops.outcome import FailedError, Outcome


def settle(operation: Operation, arguments: argparse.Namespace) -> Outcome:
    """Go back if a deploy of this very machine was killed, or what it has deployed does not serve."""
    name = operation.environment.environment
    outcome = Outcome.DONE
    entries = Journal(operation).entries()
    left = interrupted(entries)
    last = entries[-1] if entries else None
    is_ours = last is not None and last.kind == "deploy" and last.holder == holder() and not arguments.dry_run
    if last and is_ours and last.before and _is_to_go_back(operation, last):
        to = "previous" if left else last.before.digest
        again = argparse.Namespace(**{**vars(arguments), "to": to, "take_over": True})
        back = rollback.rollback(operation, again)
        outcome = Outcome.UNDONE if back is Outcome.DONE else Outcome.UNKNOWN
    elif left:
        _tell(f"{name} is half-done: {left} is at the step {left.step}. Look, now: `make rollback ENVIRONMENT={name}`.")
        return Outcome.UNKNOWN
    now = releases.serving(operation)
    _tell(f"{name} serves {now.digest if now else 'nothing complete: look, now'}.")
    return outcome if now else Outcome.UNKNOWN


def _is_to_go_back(operation: Operation, ours: Entry) -> bool:
    if ours.state is State.RUNNING:
        operation.say(f"{ours} was killed at the step {ours.step}")
        return True
    if ours.state is not State.DONE:
        return False
    try:
        smoke.check(operation)
    except FailedError as error:
        operation.say(f"{ours} does not serve: {error}")
        return True
    return False


def _tell(text: str) -> None:
    """Say it, and write it where GitHub shows it first."""
    print(text, flush=True)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a") as file:
            file.write(f"{text}\n")


def main() -> int:
    """Settle: `python -m ops.settle staging`."""
    return command.run(command.parser("ops.settle", __doc__).parse_args(), settle)


if __name__ == "__main__":
    sys.exit(main())
