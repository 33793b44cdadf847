"""The workflow `template-update`, its `run:` steps executed: nothing to do, a clean update, a conflict, a red check.

uv and gh are stand-ins, and so is the check that the update runs; git, make, Copier and the remote repository are real.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services import commit, git
from tests.update import histories
from tests.update.conftest import Generate, Template
from tests.workflows.runner import Job

WORKFLOW = ".github/workflows/template-update.yml"


@dataclass
class GitHub:
    """A repository, and what was asked of `gh`."""

    remote: Path
    bin_: Path

    def clone(self, service: Path) -> Path:
        """Put the service there, and check it out as the workflow does."""
        git(service, "clone", "--quiet", "--bare", str(service), str(self.remote))
        checkout = service.parent / "checkout"
        git(service, "clone", "--quiet", str(self.remote), str(checkout))
        return checkout

    def run(self, checkout: Path, check: int = 0) -> list[subprocess.CompletedProcess[str]]:
        environment = {
            "PATH": f"{self.bin_}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.bin_.parent),
            "COPIER": f"{sys.executable} -m copier",
            "COPIER_SETTINGS_PATH": "/nowhere",
            "CHECK": str(check),
        }
        contexts = {"steps.app.outputs.token": "a-token", "vars.TEMPLATE_PRERELEASES": ""}
        return Job(checkout, WORKFLOW, "update", environment, contexts).run()

    def asked(self, name: str) -> str:
        return histories.read(self.bin_ / f"gh.{name}")

    def branches(self) -> list[str]:
        return git(self.remote, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    make = shutil.which("make")
    for name, body in {
        "uv": "exit 0",
        "make": f'case "$*" in *check*) exit $CHECK;; esac; exec {make} "$@"',
        "gh": 'cd "$(dirname "$0")"; echo "$*" >gh.arguments; echo "$GH_TOKEN" >gh.token; cat >gh.body',
    }.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{body}\n")
        (bin_ / name).chmod(0o755)
    return GitHub(tmp_path / "remote.git", bin_)


def branch(template: Template) -> str:
    return f"template-update/{template.second}"


def test_nothing_to_do(two_releases: Template, generate: Generate, github: GitHub) -> None:
    checkout = github.clone(generate(two_releases.second))
    ran = github.run(checkout)
    assert [step.returncode for step in ran] == [0, 0], ran
    assert (github.branches(), github.asked("arguments")) == (["main"], "")


def test_a_clean_update(two_releases: Template, generate: Generate, github: GitHub) -> None:
    checkout = github.clone(generate())
    ran = github.run(checkout)
    assert [step.returncode for step in ran] == [0, 0], ran
    assert github.branches() == ["main", branch(two_releases)]
    assert github.asked("arguments").startswith("pr create --head template-update/v")
    assert f"--title Template {two_releases.second} " in github.asked("arguments")
    assert "--draft" not in github.asked("arguments")
    assert github.asked("token") == "a-token\n"
    assert "- Health checks wait for three seconds." in github.asked("body")
    assert "TIMEOUT_SECONDS = 3" in git(github.remote, "show", f"{branch(two_releases)}:{histories.HEALTH}")

    (github.bin_ / "gh.arguments").unlink()
    git(checkout, "switch", "--quiet", "main")
    git(checkout, "branch", "-D", branch(two_releases))
    again = github.run(checkout)
    assert again[-1].returncode == 0
    assert "is there already" in again[-1].stdout
    assert github.asked("arguments") == ""


def test_a_conflict_is_said_and_never_ready(two_releases: Template, generate: Generate, github: GitHub) -> None:
    service = generate()
    histories.collision(service)
    commit(service, "Patience")
    checkout = github.clone(service)
    ran = github.run(checkout)
    assert [step.returncode for step in ran] == [0, 0], ran
    assert "--draft" in github.asked("arguments")
    assert f"--title Template {two_releases.second}: not ready " in github.asked("arguments")
    assert "changed the same lines" in github.asked("body")
    assert f"\n  {histories.HEALTH}\n" in github.asked("body")
    # CI stays red until a person has resolved it: tests/test_supply_chain.py in the service.
    assert "<<<<<<< before updating" in git(github.remote, "show", f"{branch(two_releases)}:{histories.HEALTH}")


def test_a_red_check_is_said(generate: Generate, github: GitHub) -> None:
    ran = github.run(github.clone(generate()), check=1)
    assert [step.returncode for step in ran] == [0, 0], ran
    assert "--draft" in github.asked("arguments")
    assert "`make check` fails" in github.asked("body")


def test_an_update_that_cannot_begin_fails_the_workflow(generate: Generate, github: GitHub) -> None:
    checkout = github.clone(generate())
    histories.append(checkout / "README.md", "not committed\n")
    (ran,) = github.run(checkout)
    assert ran.returncode != 0
    assert "not committed" in ran.stdout
    assert github.branches() == ["main"]
