"""Bringing a release into service, or back to the one before: never in between.

The old release works on the new schema (docs/migrations.md), so the way back rolls task definitions and no revision.
"""

from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from ops import alarms, probe, releases, smoke
from ops.command import Operation, uninterruptible
from ops.journal import Entry, Journal, Release, State, SupersededError, interrupted, served
from ops.outcome import FailedError, Outcome, RefusedError, told

Steps = list[tuple[str, Callable[[], None]]]


def check_image(operation: Operation, digest: str) -> None:
    """Raise RefusedError unless the image is in the registry, and somebody could tell how it does."""
    smoke.credentials(operation)
    repository = operation.environment.repository
    try:
        operation.aws.ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    except operation.aws.ecr.exceptions.ImageNotFoundException:
        raise RefusedError(f"The repository {repository} has no image {digest}. Was it built and pushed?") from None


def check_alarms(operation: Operation) -> list[str]:
    """Return the alarms that are on already. Raises RefusedError if nothing would be on if something broke."""
    found = alarms.find(operation)
    if not any(each.tier == "page" for each in found):
        raise RefusedError(f"No alarm {operation.environment.prefix}-… tells the tier page: who would notice?")
    return alarms.on(found, "page", "alert")


def before(operation: Operation, entries: list[Entry]) -> Release | None:
    """Return what to go back to: what served before anything was left half-done, or serves now; None before the first
    release. Raises RefusedError if something runs and nobody knows what.
    """
    if last := interrupted(entries):
        return last.before
    if now := releases.serving(operation):
        return now
    if done := served(entries):  # a task of it is just being replaced
        return done[-1].release
    if releases.is_running(operation):
        raise RefusedError(
            f"{operation.environment.cluster} is being rolled by somebody else. Wait until that is over."
        )
    return None


def carry_out(operation: Operation, journal: Journal, entry: Entry, steps: Steps) -> Outcome:
    """Take these steps one after the other; after a failure, go back. Says what serves then."""
    try:
        for name, step in steps:
            entry.step = name
            journal.write(entry)
            operation.say(f"{name} …")
            step()
        entry.state = State.DONE
        journal.write(entry)
    except SupersededError as error:
        return _superseded(error)
    except Exception as error:  # noqa: BLE001 (whatever it is: the old release has to serve)
        with uninterruptible():
            return _go_back(operation, journal, entry, told(error))
    print(f"Serving now: {_named(entry.release)}, the new release ({entry.kind} {entry.number}).", flush=True)
    return Outcome.DONE


def roll(operation: Operation, journal: Journal, entry: Entry) -> None:
    """Bring the entry's release into service."""
    if entry.release is None:
        raise FailedError("Nothing is registered.")
    releases.roll(operation, entry.release)
    releases.watch(operation, journal, entry, entry.release)


def bake(operation: Operation, journal: Journal, entry: Entry) -> None:
    """Watch alarms and walk for the environment's bake time.

    Raises FailedError for an alarm that was not on before, and for two walks in a row that fail.
    """
    ends = operation.clock.now().timestamp() + operation.environment.bake_seconds
    fails, warned = 0, set[str]()
    while True:
        found = alarms.find(operation)
        now = alarms.on(found, "page", "alert")
        if new := [each for each in now if each not in entry.ignored_alarms]:
            raise FailedError(f"Alarms since it rolled: {', '.join(new)}.")
        entry.ignored_alarms = [each for each in entry.ignored_alarms if each in now]
        for each in set(alarms.on(found, "warn")) - warned:
            warned.add(each)
            operation.say(f"warning: {each} is on")
        steps = smoke.walk(operation)
        fails = 0 if probe.is_good(steps) else fails + 1
        if fails:
            operation.say(f"probe: {steps[-1]}")
        if fails > 1:
            raise FailedError(f"A user's walk fails at “{steps[-1].name}”: {steps[-1].found}.")
        if operation.clock.now().timestamp() >= ends and not fails:
            break
        journal.wait(entry, releases.POLL_SECONDS)
    roll(operation, journal, entry)  # nothing to roll: all of its tasks are still there


def _go_back(operation: Operation, journal: Journal, entry: Entry, why: str) -> Outcome:
    failed = f"Failed at the step {entry.step}: {why}"
    operation.say(failed)
    entry.step = f"back from {entry.step}"
    deadline = operation.clock.now().timestamp() + releases.ROLL_SECONDS
    while True:
        try:
            _restore(operation, journal, entry)
            entry.state = State.UNDONE
            journal.write(entry)
        except SupersededError as error:
            return _superseded(error)
        except (BotoCoreError, ClientError) as error:  # the way back is worth patience
            if operation.clock.now().timestamp() < deadline:
                operation.say(f"going back: {error}")
                operation.clock.sleep(releases.POLL_SECONDS)
                continue
            return _unknown(journal, entry, failed, str(error))
        except Exception as error:  # noqa: BLE001 (nothing may end without its last lines)
            return _unknown(journal, entry, failed, told(error))
        break
    print(failed, flush=True)
    if entry.before:
        print(f"Serving now: {_named(entry.before)}, the old release, on all tasks; a user's walk passes.", flush=True)
    else:
        print("Serving now: nothing, as before. This was to be the first release.", flush=True)
    return Outcome.UNDONE


def _restore(operation: Operation, journal: Journal, entry: Entry) -> None:
    journal.write(entry)
    if entry.before is None:
        releases.stop(operation)
        return
    operation.say(f"going back to {_named(entry.before)}")
    releases.roll(operation, entry.before)
    releases.watch(operation, journal, entry, entry.before)
    smoke.check(operation)


def _unknown(journal: Journal, entry: Entry, failed: str, why: str) -> Outcome:
    entry.state = State.UNKNOWN
    try:
        journal.write(entry)
    except (BotoCoreError, ClientError, SupersededError) as error:
        print(f"That could not be noted either: {error}", flush=True)
    environment = journal.operation.environment
    print(
        f"{failed}\nThe way back failed too: {why}\nServing now: UNKNOWN. Page whoever is on call.\n"
        f"Look: aws ecs describe-services --cluster {environment.cluster} --services "
        f"{' '.join(each.service for each in environment.services.values())}\n"
        f"Then: python -m ops.rollback {environment.environment} previous",
        flush=True,
    )
    return Outcome.UNKNOWN


def _superseded(error: SupersededError) -> Outcome:
    print(f"{error} This one stops here and touches nothing more.\nServing now: what the other one says.", flush=True)
    return Outcome.UNKNOWN


def _named(release: Release | None) -> str:
    return release.digest if release else "nothing"
