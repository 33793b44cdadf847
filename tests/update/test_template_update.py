"""The service's own `make template-update`: what it says, what it leaves, and that it never starts where it could harm.

uv and make are stand-ins that note how they were called, except in the slow test at the end.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services import commit, git
from tests.update import histories, updating
from tests.update.conftest import Generate, Template

Finished = subprocess.CompletedProcess[str]
Run = Callable[..., Finished]
COMMAND = [sys.executable, "-m", "dev.template_update"]
UP_TO_DATE, CONFLICTS, REFUSED, FAILED, INTERRUPTED = 0, 1, 2, 3, 130


@pytest.fixture
def bin_(tmp_path: Path) -> Path:
    """Commands that only note that they were called: <bin>/calls."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("uv", "make"):
        stand_in(folder / name, "exit 0")
    return folder


def stand_in(command: Path, body: str) -> None:
    command.write_text(f'#!/bin/sh\necho "{command.name} $1" >> "{command.parent}/calls"\n{body}\n')
    command.chmod(0o755)


def environment(bin_: Path, **more: str) -> dict[str, str]:
    path = f"{bin_}{os.pathsep}{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "COPIER": f"{sys.executable} -m copier",
        "UV": str(bin_ / "uv"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }


@pytest.fixture
def run(bin_: Path) -> Run:
    def template_update(service: Path, **more: str) -> Finished:
        env = environment(bin_, **more)
        return subprocess.run(COMMAND, check=False, cwd=service, env=env, capture_output=True, text=True)

    return template_update


def calls(bin_: Path) -> str:
    return histories.read(bin_ / "calls")


def undo(service: Path, printed: str) -> None:
    """Do what the message recommends, as it stands there."""
    command = re.search(r"To undo the update and everything since: (.*)", printed)
    assert command, printed
    subprocess.run(command[1], shell=True, cwd=service, check=True, capture_output=True)  # noqa: S602
    assert git(service, "status", "--porcelain") == ""


def test_an_update(two_releases: Template, generate: Generate, run: Run, bin_: Path) -> None:
    service = generate()
    histories.edits(service)
    commit(service, "Edits")
    head = git(service, "rev-parse", "HEAD")
    ran = run(service)

    assert ran.returncode == UP_TO_DATE, ran.stdout + ran.stderr
    assert f"from {two_releases.first} to {two_releases.second}" in ran.stdout
    assert "- Health checks wait for three seconds." in ran.stdout
    assert f"  new      {histories.NEW}" in ran.stdout
    assert f"  changed  {histories.HEALTH}" in ran.stdout
    assert histories.ORDERS not in ran.stdout
    # The whole file is the context: see test_update.
    assert (
        "alarm-05:\n  severity: page\n  period: 60\n  periods: 3\n  threshold: 9"
        in (service / histories.ALARMS).read_text()
    )
    assert calls(bin_) == "uv lock\nmake --no-print-directory\n"
    # The owner reads it before anything is staged or committed.
    assert git(service, "rev-parse", "HEAD") == head
    assert git(service, "diff", "--cached", "--name-only") == ""


def test_nothing_to_do(two_releases: Template, generate: Generate, run: Run, bin_: Path) -> None:
    service = generate(two_releases.second)
    began = time.monotonic()
    ran = run(service)
    assert (ran.returncode, ran.stderr) == (UP_TO_DATE, "")
    assert f"Already at {two_releases.second}." in ran.stdout
    assert time.monotonic() - began < 10, "the template was rendered to find out that there is nothing to do"
    assert (calls(bin_), git(service, "status", "--porcelain")) == ("", "")


def test_a_conflict(generate: Generate, run: Run, bin_: Path) -> None:
    service = generate()
    histories.collision(service)
    commit(service, "Patience")
    ran = run(service)

    assert ran.returncode == CONFLICTS
    assert f"\n  {histories.HEALTH}\n" in ran.stderr
    assert f"  conflict {histories.HEALTH}" in ran.stdout
    assert updating.unmerged(service) == [histories.HEALTH]
    assert calls(bin_) == "", "neither lock nor check says anything true about a file with markers"

    again = run(service)
    assert again.returncode == REFUSED
    assert "unfinished" in again.stderr
    assert f"\n  {histories.HEALTH}\n" in again.stderr
    assert "git restore" not in again.stderr, "it would undo what the owner has resolved by now"

    undo(service, ran.stderr)


def test_a_chosen_release(two_releases: Template, generate: Generate, run: Run) -> None:
    service = generate()
    assert run(service, VERSION=two_releases.first).stdout == f"Already at {two_releases.first}.\n"
    unknown = run(service, VERSION="v77.7.7")
    assert unknown.returncode == REFUSED
    assert "v77.7.7" in unknown.stderr
    assert "Traceback" not in unknown.stderr
    assert run(service, VERSION=two_releases.second).returncode == UP_TO_DATE


def not_under_git(service: Path) -> None:
    (service / ".git").rename(service.parent / "git")


def never_committed(service: Path) -> None:
    not_under_git(service)
    git(service, "init")


def changed(service: Path) -> None:
    histories.append(service / "README.md", "!\n")


def unlocked(service: Path) -> None:
    (service / "uv.lock").touch()


def without_answers(service: Path) -> None:
    (service / ".copier-answers.yml").unlink()


def answers_without_a_version(service: Path) -> None:
    answers = service / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("_commit:", "_comment:"))
    commit(service, "Oops")


def unreachable(service: Path) -> None:
    answers = service / ".copier-answers.yml"
    answers.write_text(re.sub("_src_path:.*", "_src_path: git+file:///nowhere/at-all", answers.read_text()))
    commit(service, "Move")


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (not_under_git, "git init && git add --all && git commit"),
        (never_committed, "Nothing has been committed here yet"),
        (changed, "not committed:\n  README.md\n"),
        (unlocked, "git add uv.lock && git commit"),
        (without_answers, "git log --all -- .copier-answers.yml"),
        (answers_without_a_version, ".copier-answers.yml lacks _commit"),
        (unreachable, "/nowhere/at-all"),
    ],
)
def test_refusals(generate: Generate, run: Run, bin_: Path, state: Callable[[Path], None], sentence: str) -> None:
    service = generate()
    state(service)
    before = updating.tree(service)
    ran = run(service)
    assert ran.returncode == REFUSED
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr
    assert updating.tree(service) == before
    assert calls(bin_) == ""


def test_no_copier(generate: Generate, run: Run) -> None:
    ran = run(generate(), COPIER="no-such-command")
    assert (ran.returncode, ran.stderr.count("\n")) == (REFUSED, 1)
    assert "no-such-command was not found" in ran.stderr


@pytest.mark.parametrize(("command", "sentence"), [("uv", "pyproject.toml"), ("make", "`make check` fails")])
def test_what_fails_afterwards(generate: Generate, run: Run, bin_: Path, command: str, sentence: str) -> None:
    service = generate()
    stand_in(bin_ / command, "exit 1")
    ran = run(service)
    assert ran.returncode == FAILED
    assert sentence in ran.stderr
    undo(service, ran.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt(generate: Generate, bin_: Path, number: signal.Signals) -> None:
    service = generate()
    stand_in(bin_ / "make", f"touch {bin_}/checking; exec sleep 60")
    with subprocess.Popen(
        COMMAND, cwd=service, env=environment(bin_), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (bin_ / "checking").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED
    assert "Traceback" not in stderr
    undo(service, stderr)


@pytest.mark.slow
def test_for_real(generate: Generate, two_releases: Template) -> None:
    """uv, make, Copier from the package index, and the service's whole check."""
    service = generate()
    histories.edits(service)
    commit(service, "Edits")

    def make(*target: str) -> Finished:
        command = ["make", *(target or ["template-update"])]
        return subprocess.run(command, check=False, cwd=service, capture_output=True, text=True, timeout=900)

    # The first use of make writes uv.lock, which the owner then commits.
    first = make("test", "ARGS=--collect-only --quiet")
    assert first.returncode == 0, first.stdout + first.stderr
    first = make()
    assert "git add uv.lock" in first.stderr, first.stdout + first.stderr
    commit(service, "Lock")

    ran = make()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"to {two_releases.second}; the check is green" in ran.stdout
    changed = git(service, "diff", "--name-only").splitlines()
    assert {"uv.lock", "pyproject.toml", histories.HEALTH} <= set(changed)
    commit(service, "Update")

    again = make()
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, f"Already at {two_releases.second}.")
    assert git(service, "status", "--porcelain") == ""
