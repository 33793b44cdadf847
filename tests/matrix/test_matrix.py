"""Any two answers together give a service as careful as the default one."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import services
from tests.gate.machine import has_python, new_machine, python
from tests.gate.test_gate import made_by_the_first
from tests.matrix.answers import matrix, values
from tests.matrix.pairs import covering, every_pair, pairs
from tests.render import checks
from tests.sabotage.sabotage import EVERYTHING
from tests.services import Answers

# Combinations that gates elsewhere do not have: tests/gate/test_gate.py has the defaults, the shortest and the longest.
GATES: dict[str, Answers] = {
    "jobs and cache, without upstream": {
        "authentication": "api-keys",
        "features": ["jobs", "cache", "uploads"],
        "compliance_level": "personal-data",
        "python_version": "3.12",
    },
    "jobs alone, on AWS": {"authentication": "none", "features": ["jobs"], "cloud": "aws"},
    "upstream and cache, on AWS": {
        "features": ["upstream", "cache"],
        "compliance_level": "regulated",
        "cloud": "aws",
        "region": "eu-north-1",
    },
}


def test_every_pair_is_there(template: Path) -> None:
    every = values(template)
    rows = covering(every)
    assert {pair for row in rows for pair in pairs(row)} == every_pair(every)
    assert len(rows) <= 40, "the matrix has become expensive"


@pytest.mark.slow
def test_every_pair_renders_tidy_formatted_and_compiles(template: Path, tmp_path: Path) -> None:
    problems = []
    for number, answers in enumerate(matrix(template)):
        service = services.write(template, tmp_path / str(number) / "my-service", answers)
        found = [problem for check in checks.ALL for problem in check(service)]
        compiled = [str(python("3.13")), "-W", "error", "-m", "compileall", "-q", "."]
        found += checks.output(compiled, service)
        problems += [f"{json.dumps(answers)}: {problem}" for problem in found]
        shutil.rmtree(service)
    assert problems == []


@pytest.mark.release
def test_every_pair_is_typed(template: Path, tmp_path: Path) -> None:
    """One folder and one environment for all, so that mypy keeps what it knows."""
    service, problems = tmp_path / "my-service", []
    services.write(template, service, {**EVERYTHING, "python_version": "3.13"})
    machine = new_machine(tmp_path / "home", uv=True)
    machine.done(service, "make", ".venv/.ready")
    mypy = [str(service / ".venv/bin/mypy"), "--cache-dir", str(tmp_path / "cache"), "--python-version=3.13"]
    for answers in matrix(template):
        for path in service.iterdir():
            if path.name != ".venv":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        rendered = services.write(template, tmp_path / "rendered" / "my-service", answers)
        shutil.copytree(rendered, service, dirs_exist_ok=True)
        shutil.rmtree(rendered)
        checked = subprocess.run(
            mypy, cwd=service, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True
        )
        if checked.returncode:
            problems.append(f"{json.dumps(answers)}: {checked.stdout[-2000:]}{checked.stderr[-500:]}")
    assert problems == []


@pytest.mark.release
@pytest.mark.parametrize("name", GATES)
def test_its_own_gate_is_green(template: Path, tmp_path: Path, name: str) -> None:
    answers = dict(GATES[name])
    if not has_python(str(answers.get("python_version", "3.13"))):
        answers["python_version"] = "3.13"
    service = services.write(template, tmp_path / "service", answers)
    services.commit(service, "Start")
    new_machine(tmp_path / "home", uv=True).done(service, "make", "check")
    made = made_by_the_first(answers)
    assert services.git(service, "status", "--porcelain").splitlines() == [f"?? {path}" for path in made]
