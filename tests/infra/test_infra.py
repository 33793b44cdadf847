"""The service's Terraform, planned and applied against a simulator before anyone trusts it."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from tests import services
from tests.conftest import ROOT
from tests.infra import cloud as clouds
from tests.infra.cloud import Cloud

HERE = Path(__file__).parent
LOCAL_STATE = 'terraform {\n  backend "local" {}\n}\n'
FEATURES = {
    "nothing": [],
    "everything": ["jobs", "upstream", "cache", "uploads"],
    "no cache": ["jobs", "upstream", "uploads"],
}
LEVELS = ["baseline", "personal-data", "regulated"]
# Bootstrap knows nothing of features.
CASES = [
    *product(LEVELS, ["nothing", "everything"], ["staging", "prod"]),
    *product(LEVELS, ["nothing"], ["bootstrap"]),
]

Result = subprocess.CompletedProcess[str]

pytestmark = [
    pytest.mark.skipif(clouds.reason_to_skip() is not None, reason=str(clouds.reason_to_skip())),
    pytest.mark.xdist_group("terraform"),  # one simulator
]


@pytest.fixture(scope="module")
def written(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """The infrastructure of a service with these answers: level and features."""
    folder = tmp_path_factory.mktemp("written")
    found = {}
    for level, features in product(LEVELS, FEATURES):
        answers: dict[str, str | list[str]] = {
            "compliance_level": level,
            "features": FEATURES[features],
            "cloud": "aws",
        }
        found[level, features] = services.write(template, folder / level / features / "my-service", answers) / "infra"
    return found


@dataclass(frozen=True)
class Trial:
    """What is done at the same time, because most of it is waiting: the plans, and staging applied and destroyed."""

    plans: dict[tuple[str, str, str], Future[Result]]
    staging: Future[dict[str, Result | str]]
    protected: Future[Result]


@pytest.fixture(scope="module")
def trial(written: dict[tuple[str, str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder = tmp_path_factory.mktemp("cloud")
    with clouds.simulated(folder) as cloud, ThreadPoolExecutor(2) as pool:
        # Provider and modules are fetched once for each sort of folder.
        ready = {
            name: _initialised(cloud, written["baseline", "everything"] / name) for name in ("staging", "bootstrap")
        }
        ready["prod"] = ready["staging"]

        def planned(level: str, features: str, root: str) -> Result:
            return cloud.terraform(_prepared(written[level, features] / root, ready[root]), "plan", "-input=false")

        def copied(name: str) -> Path:
            infra = shutil.copytree(written["baseline", "no cache"], folder / name)  # which moto does not have
            return _prepared(infra / "staging", ready["staging"])

        applied = copied("applied")
        for name in ("protection_override.tf", "lacking_override.tf"):
            shutil.copy(HERE / name, applied.parent / "service")
        try:
            staging = pool.submit(_applied_and_destroyed, cloud, applied)
            yield Trial(
                {case: pool.submit(planned, *case) for case in CASES},
                staging,
                pool.submit(_destroyed_with_protection, cloud, copied("protected")),
            )
        finally:
            pool.shutdown(cancel_futures=True)


def _initialised(cloud: Cloud, root: Path) -> Path:
    (root / "state_override.tf").write_text(LOCAL_STATE)
    result = cloud.terraform(root, "init", "-input=false")
    assert result.returncode == 0, result.stderr
    return root


def _prepared(root: Path, ready: Path) -> Path:
    """Keep its state beside it, and use what was fetched for another one like it."""
    if root != ready:
        shutil.rmtree(root / ".terraform", ignore_errors=True)
        shutil.copytree(ready / ".terraform", root / ".terraform", ignore=shutil.ignore_patterns("providers"))
        (root / ".terraform/providers").symlink_to(ready / ".terraform/providers")
        for name in ("state_override.tf", ".terraform.lock.hcl"):
            shutil.copy(ready / name, root)
    return root


def _applied_and_destroyed(cloud: Cloud, staging: Path) -> dict[str, Result | str]:
    """Go on as far as it goes well."""
    found: dict[str, Result | str] = {}
    for name, arguments in {
        "apply": ["apply", "-auto-approve", "-parallelism=25"],
        "plan": ["plan", "-detailed-exitcode"],
        "destroy": ["destroy", "-auto-approve", "-parallelism=25"],
        "list": ["state", "list"],
    }.items():
        found[name] = result = cloud.terraform(staging, *arguments, *(["-input=false"] if name != "list" else []))
        if result.returncode:
            break
        if name == "apply":
            found["state"] = (staging / "terraform.tfstate").read_text()
    return found


def _destroyed_with_protection(cloud: Cloud, staging: Path) -> Result:
    """Make a resource that is protected, and then ask for the end of everything."""
    made = cloud.terraform(staging, "apply", "-input=false", "-auto-approve", "-target=module.service.aws_kms_key.main")
    assert made.returncode == 0, made.stderr
    return cloud.terraform(staging, "destroy", "-input=false", "-auto-approve", "-refresh=false")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_everything_is_planned(trial: Trial, case: tuple[str, str, str]) -> None:
    result = trial.plans[case].result()
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    changes = re.search(r"Plan: (\d+) to add, 0 to change, 0 to destroy", result.stdout)
    assert changes
    assert int(changes[1]) > (20 if case[2] == "bootstrap" else 150)


@pytest.mark.slow
def test_staging_is_applied_changes_nothing_more_and_is_destroyed(trial: Trial) -> None:
    found = trial.staging.result()
    for name, result in found.items():
        assert isinstance(result, str) or result.returncode == 0, f"{name}: {result.stdout[-6000:]}{result.stderr}"
    assert found.keys() == {"apply", "state", "plan", "destroy", "list"}
    state, left = found["state"], found["list"]
    assert isinstance(state, str)
    assert re.findall(r"postgresql://app:([^@]+)@", state) == [], "a password stands in the state"
    assert isinstance(left, subprocess.CompletedProcess)
    assert left.stdout == ""


@pytest.mark.slow
def test_what_holds_data_cannot_be_destroyed(trial: Trial) -> None:
    """Terraform refuses the whole plan: nothing else is destroyed first."""
    refused = trial.protected.result()
    assert refused.returncode == 1
    assert "prevent_destroy" in refused.stderr


def test_what_the_simulator_lacks_is_named() -> None:
    lacking = set(re.findall(r'resource "(\w+)"', (HERE / "lacking_override.tf").read_text()))
    documented = set(re.findall(r"^- `(aws_\w+)`", (ROOT / "docs/infrastructure.md").read_text(), re.MULTILINE))
    assert lacking <= documented


@pytest.mark.slow
@pytest.mark.parametrize("features", ["nothing", "everything"])
def test_checkov_finds_nothing_that_is_not_justified(written: dict[tuple[str, str], Path], features: str) -> None:
    infra = written["regulated", features]
    options = ["--framework", "terraform", "--skip-download", "--output", "json", "--quiet", "--skip-path", "tests"]
    command = [*clouds.run_in(clouds.CHECKOV), "checkov", "--directory", str(infra), *options]
    environment = os.environ | {"LOG_LEVEL": "ERROR"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900)
    report = json.loads(result.stdout)
    failed = [f"{each['check_id']} {each['resource']}" for each in report["results"]["failed_checks"]]
    assert failed == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 200
