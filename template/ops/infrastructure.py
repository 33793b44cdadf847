"""Plans and applies infra/staging and infra/prod as CI does: what is applied is the plan that was looked at.

`plan` shows what would change and prints its fingerprint, `apply` makes exactly that so, `drift` fails if there is
anything to change. The status is 0 when it is so, 1 for drift, 2 when nothing was touched, 3 when an apply failed.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ops import program, promotion
from ops.command import IDENTITY
from ops.outcome import Outcome, RefusedError

INFRA = IDENTITY.parent
LOCK = "-lock-timeout=10m"
NOTHING = "nothing"
GATES = {"prod-infrastructure"}


def plan(root: Path, file: Path) -> str:
    """Write a plan to this file, show it, and return its fingerprint. Raises RefusedError."""
    for needed in (root / "main.tf", root.parent / "backend.hcl"):
        if not needed.exists():
            raise RefusedError(f"{needed.parent.name}/{needed.name} is not there: infra/README.md says how to begin.")
    program.run(
        "terraform", f"-chdir={root}", "init", "-input=false", "-no-color", "-lockfile=readonly",
        "-backend-config=../backend.hcl", f"-backend-config=key={root.name}.tfstate",
    )  # fmt: skip
    program.run("terraform", f"-chdir={root}", "plan", "-input=false", "-no-color", LOCK, f"-out={file}")
    print(program.run("terraform", f"-chdir={root}", "show", "-no-color", str(file)), flush=True)
    found = json.loads(program.run("terraform", f"-chdir={root}", "show", "-json", str(file)))
    if found.get("errored"):
        raise RefusedError(f"Terraform could not plan {root.name} to its end.")
    return fingerprint(found)


def fingerprint(found: dict[str, Any]) -> str:
    """Return a hash of what a plan would change, the same for two that do the same, or `nothing`."""
    resources = [
        {"address": each["address"], "change": each["change"]}
        for each in found.get("resource_changes", [])
        if each["change"]["actions"] not in (["no-op"], ["read"])
    ]
    outputs = {name: each for name, each in found.get("output_changes", {}).items() if each["actions"] != ["no-op"]}
    if not resources and not outputs:
        return NOTHING
    return hashlib.sha256(json.dumps([resources, outputs], sort_keys=True).encode()).hexdigest()


def apply(root: Path, file: Path) -> Outcome:
    """Make the plan so. Terraform has no way back: what it did not reach it does when it is run again."""
    command = ["terraform", f"-chdir={root}", "apply", "-input=false", "-no-color", LOCK, str(file)]
    if subprocess.run(command, check=False).returncode:
        print(f"{root.name} is changed in part. What is left, the next plan shows.", file=sys.stderr)
        return Outcome.UNKNOWN
    return Outcome.DONE


def carry_out(action: str, root: Path, wanted: str | None) -> Outcome:
    """Do one of the three."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan"
        found = plan(root, file)
        print(f"{root.name}: {found}")
        if output := os.environ.get("GITHUB_OUTPUT"):
            with Path(output).open("a") as written:
                written.write(f"plan={found}\n")
        if action == "drift" and found != NOTHING:
            print(f"{root.name} is not what infra/{root.name} says: the plan above would make it so.", file=sys.stderr)
            return Outcome.UNDONE
        if action != "apply" or found == NOTHING:
            return Outcome.DONE
        if root.name != promotion.FIRST and (run := os.environ.get("GITHUB_RUN_ID")):
            promotion.check_approved(run, GATES, 1)
            wanted = wanted or NOTHING
        if wanted not in {None, found}:
            raise RefusedError(f"{root.name} has changed since it was looked at: {wanted} was, {found} is. Look again.")
        return apply(root, file)


def main(given: list[str]) -> Outcome:
    """Plan, apply or look for drift: `python -m ops.infrastructure plan staging`."""
    arguments = argparse.ArgumentParser(
        prog="python -m ops.infrastructure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("action", choices=["plan", "apply", "drift"])
    arguments.add_argument("environment", help="staging or prod")
    arguments.add_argument("--plan", help="the fingerprint of the plan that was looked at")
    asked = arguments.parse_args(given)
    try:
        return carry_out(asked.action, INFRA / asked.environment, asked.plan)
    except RefusedError as error:
        print(f"Refused: {error}\nNothing was changed.", file=sys.stderr)
        return Outcome.REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
