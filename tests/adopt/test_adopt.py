"""`make adopt`: the template arrives in repositories that it did not write, and what was there is all still there."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.adopt import shapes
from tests.conftest import ROOT
from tests.gate.machine import new_machine
from tests.services import commit, git

CONFLICTS = {
    "flat": ["README.md"],
    "poetry": [".github/workflows/ci.yml", "Dockerfile", "Makefile", "README.md", "pyproject.toml"],
    "alembic": ["README.md", "migrations/env.py"],
}
LISTED = {
    "flat": ["test_main.py", "fastapi==0.110.0", "requirements.txt"],
    "poetry": ["fastapi>=0.110"],
    "alembic": ["migrations/versions/0001_create_invoices.py", "alembic.ini", "requirements.txt"],
}
"""What no conflict shows."""
SHARED = {".gitignore"}
"""Both sides' lines, and no conflict."""


def adopt(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SERVICE": str(folder), **variables}
    command = [sys.executable, "-m", "tools.adopt"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def unmerged(folder: Path) -> list[str]:
    return git(folder, "diff", "--name-only", "--diff-filter=U").splitlines()


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_nothing_is_overwritten(tmp_path: Path, shape: str) -> None:
    folder = shapes.write(shape, tmp_path / "my-service")
    ran = adopt(folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert unmerged(folder) == CONFLICTS[shape]
    for path, content in shapes.SHAPES[shape].items():
        now = (folder / path).read_text()
        if path in CONFLICTS[shape]:
            assert f"\n  {path}\n" in ran.stdout
            # Lines that both sides have stand outside of the markers.
            assert not [line for line in content.splitlines() if line not in now.splitlines()]
            assert ">>>>>>> after updating" in now
        elif path in SHARED:
            assert now.startswith(content)
        else:
            assert now == content
    assert git(folder, "branch", "--show-current") == "adopt-template\n"
    assert git(folder, "diff", "main", "--stat", "--diff-filter=D") == ""
    assert "make readiness" in ran.stdout
    assert [line.strip() for line in ran.stdout.splitlines() if line.startswith("  ")] == [
        *CONFLICTS[shape],
        *LISTED[shape],
    ]
    assert (folder / "src/app/chassis/http/health.py").is_file()
    assert (folder / "src/app/orders").exists() == (shape != "alembic")

    again = adopt(folder)
    assert again.returncode == 1
    assert "not committed" in again.stderr


def test_what_was_there_is_not_checked_yet_and_its_requirements_are_kept(tmp_path: Path) -> None:
    folder = shapes.write("flat", tmp_path / "my-service")
    adopt(folder)
    pyproject = tomllib.loads((folder / "pyproject.toml").read_text())
    assert "python-slugify>=8" in pyproject["project"]["dependencies"]
    assert [each for each in pyproject["project"]["dependencies"] if each.startswith("fastapi")] == ["fastapi>=0.165"]
    assert pyproject["tool"]["ruff"]["extend-exclude"] == ["main.py", "test_main.py"]
    assert "main" in [module for each in pyproject["tool"]["mypy"]["overrides"] for module in each["module"]]


def test_requirements_of_every_kind_arrive_or_are_listed(tmp_path: Path) -> None:
    folder = shapes.write("poetry", tmp_path / "my-service")
    (folder / "requirements.txt").write_text(
        "-r more.txt\nBoto3[crt]~=1.40 ; python_version > '3'\nconfig @ file:///x\n"
    )
    pyproject = shapes.POETRY.replace(
        '"^0.110"', '"^0.110"\nstripe = { version = "~12.1", extras = ["async"] }\nours = { path = "x" }'
    )
    (folder / "pyproject.toml").write_text(pyproject)
    commit(folder, "Requirements")
    answers = tmp_path / "answers.yml"
    answers.write_text("features: [jobs]\n")
    ran = adopt(folder, ANSWERS=str(answers))
    git(folder, "checkout", "--theirs", "--", "pyproject.toml")
    theirs = tomllib.loads((folder / "pyproject.toml").read_text())
    assert {"Boto3[crt]~=1.40 ; python_version > '3'", "stripe[async]>=12.1"} < {*theirs["project"]["dependencies"]}
    assert theirs["tool"]["deptry"]["per_rule_ignores"]["DEP002"] == ["boto3", "stripe", "psycopg"]
    listed = ran.stdout.split("not understood")[1].split("template's versions")[0].splitlines()[1:4]
    assert [line.split()[0] for line in listed] == ["-r", "config", "--"]


@pytest.mark.parametrize("only", ["ci", "docs", "infra"])
def test_a_slice(tmp_path: Path, only: str) -> None:
    folder = shapes.write("flat", tmp_path / "my-service")
    answers = tmp_path / "answers.yml"
    answers.write_text("cloud: aws\n")
    ran = adopt(folder, ONLY=only, ANSWERS=str(answers))
    assert ran.returncode == 0, ran.stderr
    came = {line[3:].split("/")[0] for line in git(folder, "status", "--porcelain", "-uall").splitlines()}
    expected = {
        "ci": {".github", ".pre-commit-config.yaml", ".squawk.toml"},
        "docs": {"docs", "README.md", "AGENTS.md"},
        "infra": {"infra", "ops", "tests", "dev"},
    }
    assert expected[only] <= came <= {*expected[only], "legal", ".copier-answers.yml"}
    assert unmerged(folder) == (["README.md"] if only == "docs" else [])


@pytest.mark.parametrize(
    ("state", "sentence"),
    [("nothing", "Say which repository"), ("no git", "no git repository"), ("dirty", "not committed")],
)
def test_refusals(tmp_path: Path, state: str, sentence: str) -> None:
    folder = tmp_path / "my-service"
    if state != "nothing":
        shapes.write("flat", folder)
    if state == "no git":
        shutil.rmtree(folder / ".git")
    if state == "dirty":
        (folder / "main.py").write_text("changed\n")
    ran = adopt(folder)
    assert ran.returncode == 1
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (folder / "Dockerfile").exists()


def resolve(folder: Path, shape: str) -> None:
    """As a person would who wants the template's side, where it has one; and what the report says to do by hand."""
    for path in unmerged(folder):
        git(folder, "checkout", "--theirs", "--", path)
    if shape == "alembic":
        # Models are found below src/app, and derive from the chassis's.
        (folder / "src/app/billing").mkdir()
        (folder / "src/app/billing/__init__.py").write_text('"""Invoices."""\n')
        (folder / "src/app/billing/models.py").write_text(
            '"""Tables."""\n\nfrom sqlalchemy import PrimaryKeyConstraint\nfrom sqlalchemy.orm import Mapped\n\n'
            "from app.chassis.data.model import Model\n\n\n"
            'class Invoice(Model):\n    """An invoice."""\n\n    __tablename__ = "invoices"\n'
            '    __table_args__ = (PrimaryKeyConstraint("id", name="invoices_pkey"),)\n\n'
            "    id: Mapped[int]\n    total: Mapped[int]\n"
        )
        # What has run stays as it ran; it only gets the name that the database has given.
        revision = folder / "migrations/versions/0001_create_invoices.py"
        key = 'sa.PrimaryKeyConstraint("id", name="invoices_pkey"),\n    )'
        revision.write_text(
            revision.read_text().replace(", primary_key=True", "").replace("    )", f"        {key}", 1)
        )
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", "Adopt the template")


@pytest.mark.release
@pytest.mark.xdist_group("gate")
@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_the_check_is_green_once_the_listed_conflicts_are_resolved(tmp_path: Path, shape: str) -> None:
    folder = shapes.write(shape, tmp_path / "my-service")
    assert adopt(folder).returncode == 0
    resolve(folder, shape)
    machine = new_machine(tmp_path / "home", uv=True)
    machine.done(folder, "make", "check")
    said = machine.run(folder, "make", "readiness").stdout
    headings = re.findall(r"^Open, (.*):$", said, re.MULTILINE)
    assert headings == ["blocks the launch", "before many use it", "later"]
    assert "backup.database" in said.split("Open, blocks the launch:")[1].split("Open, before many use it:")[0]
