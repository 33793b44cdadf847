"""How tests write a service and keep it in git."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import copier

Answers = Mapping[str, str | list[str]]


def write(template: Path, service: Path, answers: Answers | None = None) -> Path:
    """As its owner would: defaults for what is not answered, and no trust."""
    copier.run_copy(str(template), service, data=dict(answers or {}), defaults=True, quiet=True, vcs_ref="HEAD")
    return service


def ask(template: Path, answers: Answers | None = None, folder: str = "/nowhere/my-service") -> Any:
    """Answer the questions and write nothing. Returns Copier's worker, which knows both."""
    return copier.run_copy(
        str(template),
        folder,
        dict(answers or {}),
        defaults=True,
        quiet=True,
        pretend=True,
        exclude=["*"],
        vcs_ref="HEAD",
    )


def questions(template: Path) -> list[str]:
    """What a person is asked, in order."""
    every = ask(template).template.questions_data
    return [name for name, details in every.items() if details.get("when") is not False]


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, message: str) -> None:
    if not (folder / ".git").exists():
        git(folder, "init")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", message)
