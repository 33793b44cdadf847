"""What has to be so before an image may leave staging: it serves there, and people have said yes."""

import dataclasses
import json
import os

from ops import program
from ops.command import IDENTITY, Operation
from ops.journal import Journal, interrupted, served
from ops.outcome import RefusedError

FIRST = "staging"
# GitHub's environments whose reviewers let a release go on: .github/workflows/deploy.yml.
GATES = {"prod-review", "prod"}


def check(operation: Operation, digest: str) -> None:
    """Raise RefusedError if it is not for the first environment, and does not serve there or too few people approve."""
    if operation.environment.environment == FIRST:
        return
    check_first(operation, digest)
    # By hand, it is the person's own credentials that let it go on.
    if run := os.environ.get("GITHUB_RUN_ID"):
        people = 2 if json.loads(IDENTITY.read_text())["compliance_level"] == "regulated" else 1
        check_approved(run, GATES, people)


def check_first(operation: Operation, digest: str) -> None:
    """Raise RefusedError unless staging serves this very image."""
    first = operation.environment.model_copy(update={"environment": FIRST})
    entries = Journal(dataclasses.replace(operation, environment=first)).entries()
    if half_done := interrupted(entries):
        raise RefusedError(f"{FIRST} is not whole: {half_done}. Wait for it, then deploy what serves there.")
    releases = [each.release.digest for each in served(entries)[-1:] if each.release]
    if releases != [digest]:
        now = releases[0] if releases else "nothing"
        raise RefusedError(f"{FIRST} serves {now}, not {digest}. Deploy it there first.")


def check_approved(run: str, gates: set[str], people: int) -> None:
    """Raise RefusedError unless so many people let this run of a workflow through one of these environments.

    GitHub makes an environment of any name that a workflow reads, and nobody guards that one: `make protect` does.
    https://docs.github.com/rest/actions/workflow-runs#get-the-review-history-for-a-workflow-run
    """
    repository = json.loads(IDENTITY.read_text())["repository"]
    reviews = json.loads(program.run("gh", "api", f"repos/{repository}/actions/runs/{run}/approvals"))
    approved = {
        each["user"]["login"]
        for each in reviews
        if each["state"] == "approved" and gates & {environment["name"] for environment in each["environments"]}
    }
    if len(approved) < people:
        raise RefusedError(
            f"{people} must approve this run, and those who did are: {', '.join(sorted(approved)) or 'nobody'}. "
            "Are the environments of .github/environments.json protected? `make protect-check` says it."
        )
