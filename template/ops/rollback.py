"""Brings a release back into service that has served before: the one before, or any that is kept.

It rolls the very task definitions of then, and no revision of the database. The status is a deploy's.
"""

import argparse
import sys

from ops import command, rollout, smoke
from ops.command import Operation
from ops.journal import Entry, Journal, Release, interrupted, served
from ops.outcome import Outcome, RefusedError


def kept(entries: list[Entry]) -> list[Release]:
    """Return the releases that have served, each once, the one deployed last at the end."""
    releases: dict[str, Release] = {}
    for entry in served(entries):
        if entry.release and (entry.kind == "deploy" or entry.release.digest not in releases):
            releases.pop(entry.release.digest, None)
            releases[entry.release.digest] = entry.release
    return list(releases.values())


def choose(releases: list[Release], wanted: str, now: Release | None) -> Release:
    """Return the release that is meant. Raises RefusedError, with the list, if there is none.

    `previous` is the one deployed before what serves: going back twice goes back two releases. After a deploy that was
    left half-done it is what served before.
    """
    digests = [each.digest for each in releases]
    if wanted != "previous" and wanted in digests:
        return releases[digests.index(wanted)]
    if wanted == "previous" and releases:
        place = digests.index(now.digest) if now and now.digest in digests else len(digests)
        if place > 0:
            return releases[place - 1]
    known = "".join(f"\n  {each}" for each in reversed(digests)) or " none"
    raise RefusedError(f"{wanted} is not a release to go back to. These are kept, the newest first:{known}")


def rollback(operation: Operation, arguments: argparse.Namespace) -> Outcome:
    """Go back to one release."""
    journal = Journal(operation)
    entries = journal.entries()
    journal.check(entries, take_over=arguments.take_over)
    old = rollout.before(operation, entries)
    releases = kept(entries)
    half_done = interrupted(entries) is not None and arguments.to == "previous"
    release = old if half_done and old else choose(releases, arguments.to, old)
    rollout.check_image(operation, release.digest)
    ignored = rollout.check_alarms(operation)
    operation.say(f"serving: {old.digest if old else 'nothing complete'}; going to {release.digest}")
    digests = [each.digest for each in releases]
    if old and old.digest in digests and digests.index(old.digest) - digests.index(release.digest) > 1:
        operation.say("careful: only one release back is proven to work on the schema of now (data.compatible)")
    if arguments.dry_run:
        print(f"Would roll {', '.join(operation.environment.services)} to {release.digest}. Nothing was changed.")
        return Outcome.DONE

    entry = journal.begin("rollback", entries, before=old, release=release, ignored_alarms=ignored)
    return rollout.carry_out(
        operation,
        journal,
        entry,
        [
            ("roll", lambda: rollout.roll(operation, journal, entry)),
            ("probe", lambda: smoke.check(operation)),
        ],
    )


def main() -> int:
    """Go back: `python -m ops.rollback staging previous`."""
    arguments = command.parser("ops.rollback", __doc__)
    arguments.add_argument("to", help="previous, or the digest of a release that has served")
    arguments.add_argument("--take-over", action="store_true", help="do not wait for one whose process is dead")
    return command.run(arguments.parse_args(), rollback)


if __name__ == "__main__":
    sys.exit(main())
