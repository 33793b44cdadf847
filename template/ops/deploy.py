"""Brings an image into service: migrate with it, roll, probe, watch the alarms. After any failure the old one serves.

Nothing is touched before it is known who built the image and, in prod, that staging serves it and people have approved.
The first deploy makes the database's roles as well, and each brings its probe to the external check.

Run again after it was killed, it goes on. The status is 0 when the new release serves, 1 when the old one does,
2 when nothing was touched, 3 when somebody has to look.
"""

import argparse
import sys

from ops import command, promotion, provenance, releases, rollout, smoke
from ops.command import Operation
from ops.journal import Entry, Journal, Release, interrupted, is_digest
from ops.outcome import FailedError, Outcome, RefusedError

MIGRATION_SECONDS = 60 * 60


def deploy(operation: Operation, arguments: argparse.Namespace) -> Outcome:
    """Deploy one image."""
    digest: str = arguments.digest
    if not is_digest(digest):
        raise RefusedError(
            f"{digest} is not a digest: sha256: and 64 hexadecimal digits. Tags can move, digests cannot."
        )
    journal = Journal(operation)
    entries = journal.entries()
    journal.check(entries, take_over=arguments.take_over)
    rollout.check_image(operation, digest)
    provenance.verify(operation, digest)
    promotion.check(operation, digest)
    ignored = rollout.check_alarms(operation)
    old = rollout.before(operation, entries)
    left = interrupted(entries)
    if left:
        operation.say(f"{left} was left at the step {left.step}: this goes on from there")
        ignored = left.ignored_alarms
    if ignored:
        operation.say(f"on already, and not held against this release: {', '.join(ignored)}")
    operation.say(f"serving: {old.digest if old else 'nothing complete'}")
    if arguments.dry_run:
        print(f"Would migrate with {digest} and roll {', '.join(operation.environment.services)}. Nothing was changed.")
        return Outcome.DONE

    roles = operation.environment.tasks.roles_family
    entry = journal.begin("deploy", entries, before=old, ignored_alarms=ignored)
    return rollout.carry_out(
        operation,
        journal,
        entry,
        [
            ("register", lambda: _register(operation, entry, digest, anew=arguments.rotated)),
            ("external check", lambda: smoke.install(operation)),
            *(
                [("roles", lambda: _run(operation, journal, entry, roles, digest))]
                if not old or arguments.rotated
                else []
            ),
            ("migrate", lambda: _migrate(operation, journal, entry, digest)),
            ("roll", lambda: rollout.roll(operation, journal, entry)),
            ("probe", lambda: smoke.check(operation)),
            ("bake", lambda: rollout.bake(operation, journal, entry)),
        ],
    )


def _register(operation: Operation, entry: Entry, digest: str, *, anew: bool) -> None:
    definitions = {
        component: releases.register(operation, each.family, digest, anew=anew)
        for component, each in operation.environment.services.items()
    }
    entry.release = Release(digest=digest, task_definitions=definitions)


def _migrate(operation: Operation, journal: Journal, entry: Entry, digest: str) -> None:
    family = operation.environment.tasks.migrate_family
    for task in releases.running_tasks(operation, family):
        operation.say(f"waiting for a migration that runs already: {task}")
        releases.wait_for_task(operation, journal, entry, task, MIGRATION_SECONDS)
    _run(operation, journal, entry, family, digest)


def _run(operation: Operation, journal: Journal, entry: Entry, family: str, digest: str) -> None:
    """Run a one-off task to its end, with the image that is being deployed."""
    definition = releases.register(operation, family, digest)
    what = releases.container(operation, family)
    task, log = releases.run_task(operation, definition, entry, what)
    group, _, stream = log.partition(" ")
    shown = f"aws logs tail {group} --log-stream-names {stream}"
    operation.say(f"running, log: {shown}")
    if problem := releases.wait_for_task(operation, journal, entry, task, MIGRATION_SECONDS):
        raise FailedError(f"The task {what} failed: {problem}. Its log: {shown}")


def main() -> int:
    """Deploy one image: `python -m ops.deploy staging sha256:…`."""
    arguments = command.parser("ops.deploy", __doc__)
    arguments.add_argument("digest", help="the image's digest, sha256:…")
    arguments.add_argument("--take-over", action="store_true", help="do not wait for one whose process is dead")
    arguments.add_argument(
        "--rotated", action="store_true", help="the database's passwords have changed: set them, start all tasks anew"
    )
    return command.run(arguments.parse_args(), deploy)


if __name__ == "__main__":
    sys.exit(main())
