"""What infrastructure promises: formatted, valid, and each policy of infra/service/tests kept, without an account.

Everything happens in a copy, so that nothing is left in the working tree. Where Terraform is missing the tests are
skipped with the reason; CI may not skip them. TF_CLI_CONFIG_FILE may name a mirror of the provider.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

INFRA = Path("infra")
RUNBOOK = Path("docs/runbook.md").read_text(encoding="utf-8")
ROOTS = ["bootstrap", "staging"]  # prod is the same as staging: test_parity.py
# What `terraform test` runs, and where. The values of both environments go through the same checks.
VALUES = ["-filter=tests/values.tftest.hcl"]
RUNS = {
    "policies": ("service", ["-filter=tests/policies.tftest.hcl"]),
    "staging": ("service", [*VALUES, "-var=environment=staging", "-var-file=../staging/terraform.tfvars"]),
    "prod": ("service", [*VALUES, "-var=environment=prod", "-var-file=../prod/terraform.tfvars", "-verbose"]),
    "bootstrap": ("bootstrap", []),
}


def judged(run: str) -> list[str]:
    """The rows that it may find broken: of its own messages, and of those that Terraform has before a plan."""
    folder, arguments = RUNS[run]
    tests = (INFRA / folder).glob("tests/*.tftest.hcl")
    chosen = [path for path in tests if not arguments or f"-filter=tests/{path.name}" in arguments]
    read = [path.read_text(encoding="utf-8") for path in [*chosen, *(INFRA / folder).glob("*.tf")]]
    return sorted({row for text in read for row in re.findall(r'error_message = "([a-z]+\.[a-z-]+): ', text)})


def terraform(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it there."""
    environment = os.environ | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    environment.setdefault("GOGC", "400")  # Go looks for garbage less often: a quarter less work, for a few megabytes
    command = ["terraform", f"-chdir={folder}", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


@contextlib.contextmanager
def alone(file: Path) -> Iterator[None]:
    """Keep the other workers of xdist out, as long as this one holds the file."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def infra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of infra/, the same for all workers."""
    if shutil.which("terraform") is None:
        reason = "Terraform is not on this machine: what infra/ promises is not checked here"
        if os.environ.get("CI"):
            pytest.fail(
                f"{reason}, and CI must check it. Install it: https://developer.hashicorp.com/terraform/install"
            )
        pytest.skip(reason)
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with alone(shared / "lock"):
        if not (shared / "infra").exists():
            shutil.copytree(INFRA, shared / "infra", ignore=shutil.ignore_patterns(".terraform"))
    return shared / "infra"


def initialised(folder: Path) -> Path:
    """Fetch the provider, once a folder."""
    with alone(folder / "lock"):
        if not (folder / ".terraform/providers").exists():
            result = terraform(folder, "init", "-backend=false", "-input=false", "-no-color")
            if result.returncode and not os.environ.get("CI"):
                pytest.skip(f"Terraform cannot fetch the provider here: {result.stderr.strip()[:500]}")
            assert result.returncode == 0, result.stderr
    return folder


def test_terraform_is_formatted(infra: Path) -> None:
    result = terraform(infra, "fmt", "-check", "-recursive", "-diff", "-no-color")
    assert result.returncode == 0, f"terraform fmt -recursive infra\n{result.stdout}"


@pytest.mark.parametrize("root", ROOTS)
def test_terraform_is_valid(infra: Path, root: str) -> None:
    result = terraform(initialised(infra / root), "validate", "-no-color")
    assert result.returncode == 0, result.stdout + result.stderr


def findings(infra: Path, run: str) -> dict[str, Any]:
    """What `terraform test` finds wrong, each message between its row and its place, and the alarms."""
    folder, arguments = RUNS[run]
    initialised(infra / folder)
    results = infra.with_name(f"{run}.json")
    with alone(results.with_suffix(".lock")):
        if not results.exists():
            result = terraform(infra / folder, "test", "-json", *arguments)
            events = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
            results.write_text(json.dumps({"failures": _failures(result, events), "alarms": list(_alarms(events))}))
    found: dict[str, Any] = json.loads(results.read_text())
    return found


@pytest.fixture(scope="session")
def alarms(infra: Path) -> list[dict[str, str]]:
    """Every alarm of production, with its own values, that tells somebody."""
    return [dict(each) for each in findings(infra, "prod")["alarms"]]


def _alarms(events: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    for event in events:
        for resource in event.get("test_plan", {}).get("resource_changes", []):
            planned = resource["change"]["after"]
            is_alarm = resource["type"] in {"aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm"}
            if is_alarm and planned["actions_enabled"] is not False:
                yield {
                    "name": resource["address"],
                    "says": planned["alarm_description"] or "",
                    "tier": (planned["tags"] or {}).get("tier", ""),
                }


def _failures(result: subprocess.CompletedProcess[str], events: list[dict[str, Any]]) -> list[str]:
    summary = [each["test_summary"] for each in events if each["type"] == "test_summary"]
    failed = [
        _told(each["diagnostic"]) for each in events if each["type"] == "diagnostic" and each["@level"] == "error"
    ]
    if not summary or (summary[0]["status"] != "pass" and not failed):
        failed.append(f"terraform test ended without a result: {result.stdout[-2000:]}{result.stderr[-2000:]}")
    return failed


def _told(diagnostic: dict[str, Any]) -> str:
    place = diagnostic.get("range", {"filename": "infra", "start": {"line": "?"}})
    what = diagnostic.get("detail") or diagnostic["summary"]
    asked = " ".join(diagnostic.get("snippet", {}).get("code", "").split())  # it names the resource and its argument
    return f"{what} ({place['filename']}:{place['start']['line']}: {asked})"


@pytest.mark.parametrize(
    ("run", "row"), [pytest.param(run, row, marks=pytest.mark.row(row)) for run in RUNS for row in judged(run)]
)
def test_policy(infra: Path, run: str, row: str) -> None:
    broken = [each for each in findings(infra, run)["failures"] if each.startswith(f"{row}: ")]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("run", RUNS)
def test_policies_run_to_their_end(infra: Path, run: str) -> None:
    ours = tuple(f"{row}: " for row in judged(run))
    others = [each for each in findings(infra, run)["failures"] if not each.startswith(ours)]
    assert not others, "\n".join(others)


def entry(name: str) -> str:
    """Return the entry of the runbook with this name, or nothing."""
    found = re.search(rf"^### {re.escape(name)}\n(.*?)(?=\Z|^##)", RUNBOOK, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.row("ops.runbook")
def test_every_alarm_has_an_entry_in_the_runbook(alarms: list[dict[str, str]]) -> None:
    assert alarms
    for alarm in alarms:
        _, link, name = alarm["says"].rpartition("/docs/runbook.md#")
        assert link, f"{alarm['name']}: its description does not end with a link into docs/runbook.md"
        assert entry(name), f"{alarm['name']}: docs/runbook.md has no entry {name}"
        first = entry(name).strip().partition("\n\n")[0]
        assert re.search(rf"\*(\w+, )*{alarm['tier']}(, \w+)*\*", first), (
            f"{name}: its entry does not say {alarm['tier']}"
        )


@pytest.mark.row("ops.runbook")
def test_alarms_stand_where_these_tests_see_them() -> None:
    elsewhere = [path for path in INFRA.rglob("*.tf") if "service" not in path.parts and '_alarm" ' in path.read_text()]
    assert elsewhere == [], "move their alarms into infra/service/extra.tf"
