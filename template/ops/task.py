"""Runs a command of the image that serves, as a task of its own, and prints what it said.

Containers have no shell to log into, on purpose: this is how somebody flips a flag or reads the dead letters of prod.
"""

import argparse
import shlex
import sys
from dataclasses import dataclass
from typing import override

from botocore.exceptions import ClientError

from ops import command, releases
from ops.aws import code
from ops.command import Operation
from ops.journal import Entry, Journal, holder, served
from ops.outcome import FailedError, Outcome, RefusedError

TASK_SECONDS = 15 * 60
LOG_SECONDS = 60


@dataclass(frozen=True)
class _Unwritten(Journal):
    """Several may run beside each other and beside a deploy, and leave nothing half-done."""

    @override
    def wait(self, entry: Entry, seconds: float) -> None:
        self.operation.clock.sleep(seconds)


def once(operation: Operation, arguments: argparse.Namespace) -> Outcome:
    """Run it. It may do what migrations may: the status is the command's."""
    words = shlex.split(arguments.command)
    digest = _digest(operation)
    operation.say(f"{shlex.join(words)} with {digest}")
    if arguments.dry_run:
        return Outcome.DONE
    now = operation.clock.now()
    entry = Entry(number=int(now.timestamp()), kind="task", holder=holder(), started=now, seen=now)
    definition = releases.register(operation, operation.environment.tasks.migrate_family, digest)
    task, log = releases.run_task(operation, definition, entry, "once", words)
    problem = releases.wait_for_task(operation, _Unwritten(operation), entry, task, TASK_SECONDS)
    for line in _lines(operation, log):
        print(line)
    if problem:
        print(f"It failed: {problem}. Its log: {log}", file=sys.stderr)
        return Outcome.UNDONE
    return Outcome.DONE


def _digest(operation: Operation) -> str:
    release = releases.serving(operation)
    if release is None:  # tasks are just being replaced, or die as they start
        done = served(Journal(operation).entries())
        release = done[-1].release if done else None
    if release is None:
        raise RefusedError(f"{operation.environment.cluster} has never served a release.")
    return release.digest


def _lines(operation: Operation, log: str) -> list[str]:
    """Return what it wrote. Logs arrive a little later than the task's end."""
    group, _, stream = log.partition(" ")
    deadline = operation.clock.now().timestamp() + LOG_SECONDS
    while operation.clock.now().timestamp() <= deadline:
        try:
            found = operation.aws.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
        except ClientError as error:
            if code(error) != "ResourceNotFoundException":
                raise FailedError(f"Its log cannot be read: {error}") from error
        else:
            if found["events"]:
                return [event.get("message", "") for event in found["events"]]
        operation.clock.sleep(releases.POLL_SECONDS)
    return []


def main() -> int:
    """Run it: `python -m ops.task prod "python -m app.chassis.flags show"`."""
    arguments = command.parser("ops.task", __doc__)
    arguments.add_argument("command", help="what to run, as one argument")
    return command.run(arguments.parse_args(), once)


if __name__ == "__main__":
    sys.exit(main())
