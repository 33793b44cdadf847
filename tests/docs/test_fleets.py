"""docs/fleets.md: its own command runs, and what it tells other programs is what services and those programs know."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.docs.documents import commands

TEXT = (ROOT / "docs/fleets.md").read_text()
OPTIONS = {"--org", "--topic", "--fetch-depth", "--branch", "--pr-title", "--concurrent"}
"""Of `multi-gitter run`, as its manual has them: each takes a value."""


def write(folder: Path, name: str, answers: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / ".copier-answers.yml").write_text(answers)


def test_who_is_on_which_version(tmp_path: Path) -> None:
    assert "make versions IN=../checkouts" in commands(TEXT)
    write(tmp_path, "newer", "_commit: v0.10.0\nfeatures: [jobs, cache]\ncompliance_level: regulated\n")
    write(tmp_path, "older", "_commit: v0.9.0-2-gabc\n")
    write(tmp_path, "broken", "[]\n")
    (tmp_path / "other").mkdir()
    environment = {**os.environ, "IN": str(tmp_path)}
    command = [sys.executable, "-m", "tools.versions"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    lines = ran.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["broken", "older", "newer"]
    assert lines[-1].split() == ["newer", "v0.10.0", "regulated,", "jobs,", "cache"]
    ran = subprocess.run(command, cwd=ROOT, env={**environment, "IN": "/nowhere"}, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "clone the services" in ran.stderr


def test_multi_gitter_runs_a_command_that_a_service_has() -> None:
    (command,) = [each for each in commands(TEXT) if each.startswith("multi-gitter")]
    _, run, script, *options = shlex.split(command)
    assert run == "run"
    assert set(options[::2]) == OPTIONS
    program, target = script.split()
    assert program == "make"
    assert re.search(rf"^{target}:", (ROOT / "template/Makefile").read_text(), re.MULTILINE)


def test_renovate_only_shows() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    (rule,) = json.loads(block)["packageRules"]
    assert rule["matchManagers"] == ["copier"]
    assert rule["dependencyDashboardApproval"] is True


def test_the_first_ring_is_asked_for_by_a_variable() -> None:
    (name,) = set(re.findall(r"`([A-Z_]+)` set to 1", TEXT))
    workflow = (ROOT / "template/.github/workflows/template-update.yml").read_text()
    assert f"PRERELEASES: ${{{{ vars.{name} }}}}" in workflow
