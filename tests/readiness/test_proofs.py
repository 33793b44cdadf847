"""Every row of every level has its proof: who deletes one is told which row is open, and so is who never had any."""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.conftest import ROOT
from tests.gate.machine import Machine, new_machine

CATALOGUE = ROOT / "template/readiness/catalogue"
ROWS = [
    f"{area}.{name}"
    for file in sorted(CATALOGUE.glob("*.toml"))
    for area, rows in tomllib.loads(file.read_text()).items()
    for name in rows
]
# The strictest level and every feature: the rows of all others are among its own.
EVERYTHING: services.Answers = {
    "authentication": "oidc",
    "features": ["jobs", "upstream", "cache", "uploads"],
    "compliance_level": "regulated",
    "cloud": "aws",
}

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("readiness")]


@pytest.fixture(scope="module")
def owner(template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Machine, Path]:
    folder = tmp_path_factory.mktemp("readiness")
    service = services.write(template, folder / "service", EVERYTHING)
    services.commit(service, "Start")
    machine = new_machine(folder / "home", uv=True)
    machine.done(service, "make", ".venv/.ready")
    return machine, service


@pytest.fixture(scope="module")
def said(owner: tuple[Machine, Path]) -> dict[str, Any]:
    machine, service = owner
    script = str(Path(__file__).with_name("proofs.py"))
    found: dict[str, Any] = json.loads(machine.done(service, "env", "PYTHONPATH=.", ".venv/bin/python", script))
    return found


@pytest.mark.parametrize("row", ROWS)
def test_a_deleted_proof_is_named(said: dict[str, Any], row: str) -> None:
    assert said[row] == {"proofs": said[row]["proofs"], "wrong": []}
    assert said[row]["proofs"]


def test_there_are_no_other_rows(said: dict[str, Any]) -> None:
    assert said.keys() == set(ROWS)


def test_a_service_without_any_is_told_what_is_missing_the_gravest_first(
    owner: tuple[Machine, Path], said: dict[str, Any], tmp_path: Path
) -> None:
    """As after an adoption: folders that our tests or documents should be in are not there."""
    machine, whole = owner
    assert said
    service = shutil.copytree(whole, tmp_path / "service", symlinks=True)
    shutil.rmtree(service / "tests")
    shutil.rmtree(service / "docs")
    result = machine.run(service, "env", "PYTHONPATH=.", ".venv/bin/python", "-m", "dev.readiness")
    assert result.returncode == 1, result.stdout + result.stderr
    launch, growth, later = (
        result.stdout.index(f"\nOpen, {title}:") for title in ("blocks the launch", "before many use it", "later")
    )
    assert launch < growth < later
    assert "error.shape " in result.stdout[launch:growth]
    assert f"{'ops.runbook':22}  docs/runbook.md is missing" in result.stdout[launch:growth]
    assert f"{len(ROWS)} promises: 0 proven, 0 attested, {len(ROWS)} open." in result.stdout
