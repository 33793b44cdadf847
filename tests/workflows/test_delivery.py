"""From commit to prod: the workflows' own steps, executed with stand-ins, and each edge of the deploy graph, broken."""
# ruff: noqa: E501 (a break a line)

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.conftest import Render
from tests.gate.machine import Machine
from tests.update.histories import append, replace
from tests.workflows.runner import Job, load
from tests.workflows.test_workflows import CI, drop, red

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("delivery")]

DEPLOY, INFRASTRUCTURE, DRILL = (
    f".github/workflows/{name}.yml" for name in ("deploy", "infrastructure", "restore-drill")
)
AWS = {"name": "my-service", "cloud": "aws"}
DIGEST = f"sha256:{'d' * 64}"


@pytest.fixture(scope="module")
def original(template: Path, machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service in AWS, with its environment."""
    service = services.write(template, tmp_path_factory.mktemp("delivery") / "my-service", AWS)
    services.commit(service, "Start")
    machine.done(service, "make", ".venv/.ready", ".git/hooks/pre-commit")
    services.commit(service, "Lock")
    return service


# The graph.


def swap(old: str, new: str, nth: int = 1, file: str = DEPLOY) -> Callable[[Path], None]:
    return lambda service: replace(service / file, old, new, nth)


def within(job: str, old: str, new: str, file: str = DEPLOY) -> Callable[[Path], None]:
    """Change one job."""

    def change(service: Path) -> None:
        before, found, rest = (service / file).read_text().partition(f"\n  {job}:\n")
        block, end, after = re.match(r"(.*?)(\n  [\w-]+:\n|\Z)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
        assert old in block, f"{job} no longer says {old!r}"
        (service / file).write_text(before + found + block.replace(old, new, 1) + end + after)

    return change


def elsewhere(text: str) -> Callable[[Path], None]:
    """Add a workflow."""
    return lambda service: append(service / ".github/workflows/other.yml", text)


OTHER = """
name: other
on: [push]
permissions: {}
concurrency: {group: other}
jobs:
  other:
    name: other
    runs-on: ubuntu-24.04
    timeout-minutes: 9
    permissions: {id-token: write}
    environment: ENVIRONMENT
    steps:
      - name: x
        run: make WHAT
"""
WALK = "      - name: Walk through it\n        run: make probe ENVIRONMENT="
SETTLE = "        if: failure() || cancelled()\n        run: make settle ENVIRONMENT="

# The row, and the breaks that must turn it red.
BREAKS: dict[str, tuple[str, Callable[[Path], None]]] = {
    # one image
    "built twice": ("deliver.once", within("prod", "      - name: Deploy\n", "      - name: Again\n        run: make image publish\n      - name: Deploy\n")),
    "another image is published": ("deliver.once", swap("run: make publish IMAGE=built", "run: make publish IMAGE=latest")),
    "another image is scanned": ("supply.image-scan", within("build", "image: built", "image: python")),
    "published and then scanned": ("supply.image-scan", within("build", "run: make image IMAGE=built", "run: make image publish IMAGE=built")),
    "a scan that finds nothing grave": ("supply.image-scan", within("build", "severity-cutoff: high", "severity-cutoff: critical")),
    "a scan that does not stop it": ("supply.image-scan", within("build", "fail-build: true", "fail-build: false")),
    "a tag is deployed to staging": ("deliver.once", within("staging", "${{ needs.build.outputs.digest }}", "${{ github.sha }}")),
    "a tag is deployed to prod": ("deliver.once", within("prod", "${{ needs.build.outputs.digest }}", "${{ github.sha }}")),
    "another digest is put out": ("deliver.once", within("build", "digest: ${{ steps.publish.outputs.digest }}", "digest: ${{ vars.DIGEST }}")),
    "prod deploys what staging says": ("deliver.once", within("prod", "${{ needs.build.outputs.digest }}", "${{ needs.staging.outputs.digest }}")),
    "something else is signed": ("supply.provenance", within("build", "subject-digest: ${{ steps.publish.outputs.digest }}", "subject-digest: ${{ vars.DIGEST }}")),
    "no bill of materials is signed": ("supply.provenance", within("build", "          sbom-path: reports/sbom.json\n", "")),
    "no bill of materials is made": ("supply.provenance", within("build", "run: make sbom", "run: make help")),
    "others may sign": ("supply.provenance", within("staging", "attestations: read", "attestations: write")),
    # one way
    "without ci": ("deliver.ci", within("build", "    needs: check\n", "")),
    "another ci": ("deliver.ci", swap("uses: $/.github/workflows/ci.yml", "uses: $/.github/workflows/scorecard.yml")),
    "ci checks nothing": ("deliver.ci", swap("run: make check", "run: make help", file=CI)),
    "from any branch": ("deliver.ci", swap("    branches: [main]", "    branches: [main, hotfix]")),
    "from a pull request": ("deliver.ci", swap("on:\n  push:", "on:\n  pull_request:\n  push:")),
    "by hand": ("deliver.ci", swap("on:\n  push:", "on:\n  workflow_dispatch:\n  push:")),
    "around staging": ("deliver.once", within("prod", "needs: [build, readiness, staging]", "needs: [build, readiness]")),
    "around readiness": ("deliver.gate", within("prod", "needs: [build, readiness, staging]", "needs: [build, staging]")),
    "readiness is looked at, and no more": ("deliver.gate", within("readiness", "run: make readiness", "run: make readiness || true")),
    "around the people": ("deliver.gate", within("prod", "    environment: prod\n", "    environment: staging\n")),
    "nobody has to review prod": ("deliver.gate", swap('"prod": {"branches": ["main"], "reviewers": ["platform"]}', '"prod": {"branches": ["main"], "reviewers": []}', file=".github/environments.json")),
    "any branch may reach prod": ("deliver.gate", swap('"prod": {"branches": ["main"]', '"prod": {"branches": []', file=".github/environments.json")),
    "prod's role in staging": ("deliver.gate", within("staging", "-staging-deployer", "-prod-deployer")),
    "a key that is kept": ("deliver.gate", within("staging", "          role-duration-seconds", "          aws-access-key-id: ${{ secrets.KEY }}\n          role-duration-seconds")),
    "AWS lets another environment in": ("deliver.gate", swap(":environment:${var.environment}-drill", ":environment:drill", file="infra/service/roles.tf")),
    "another workflow reaches prod": ("deliver.gate", elsewhere(OTHER.replace("ENVIRONMENT", "prod").replace("WHAT", "help"))),
    "another workflow chooses where": ("deliver.gate", elsewhere(OTHER.replace("ENVIRONMENT", "${{ github.ref_name }}").replace("WHAT", "help"))),
    "another workflow deploys": ("deliver.gate", elsewhere(OTHER.replace("ENVIRONMENT", "staging").replace("WHAT", "deploy"))),
    "another workflow publishes": ("deliver.once", elsewhere(OTHER.replace("ENVIRONMENT", "build").replace("WHAT", "publish"))),
    # when something fails
    "prod whatever staging did": ("deliver.rollback", within("prod", "    environment: prod\n", "    environment: prod\n    if: always()\n")),
    "prod unless it was cancelled": ("deliver.rollback", within("prod", "    environment: prod\n", "    environment: prod\n    if: ${{ !cancelled() }}\n")),
    "staging may fail": ("deliver.rollback", within("staging", "    environment: staging\n", "    environment: staging\n    continue-on-error: true\n")),
    "the deploy may fail": ("deliver.rollback", within("staging", "      - name: Deploy\n", "      - name: Deploy\n        continue-on-error: true\n")),
    "the probe may fail": ("deliver.smoke", within("staging", "make probe ENVIRONMENT=staging", "make probe ENVIRONMENT=staging || true")),
    "staging is not probed": ("deliver.smoke", within("staging", f"{WALK}staging\n", "")),
    "prod is not probed": ("deliver.smoke", within("prod", f"{WALK}prod\n", "")),
    "the probe of the other": ("deliver.smoke", within("prod", "make probe ENVIRONMENT=prod", "make probe ENVIRONMENT=staging")),
    "probed only after failures": ("deliver.rollback", within("prod", WALK, WALK.replace("        run", "        if: failure() || cancelled()\n        run"))),
    "nobody says what serves": ("deliver.rollback", within("prod", f"      - name: What serves now\n{SETTLE}prod\n", "")),
    "said only after success": ("deliver.rollback", within("prod", "        if: failure() || cancelled()\n", "")),
    "not after a run that was cancelled": ("deliver.rollback", within("prod", "failure() || cancelled()", "failure()")),
    "the next one cancels a deploy": ("deliver.rollback", within("prod", "cancel-in-progress: false", "cancel-in-progress: true")),
    "the next run cancels this one": ("deliver.rollback", swap("cancel-in-progress: false", "cancel-in-progress: true")),
    "who waits for people holds up staging": ("deliver.rollback", swap("group: release-${{ github.sha }}", "group: release")),
    "ci waits for its caller": ("deliver.rollback", swap("group: release-${{ github.sha }}", "group: ${{ github.workflow }}-${{ github.sha }}")),
    "credentials end before the way back": ("deliver.rollback", within("prod", "role-duration-seconds: 7200", "role-duration-seconds: 3600")),
    "no time limit": ("supply.actions", within("prod", "    timeout-minutes: 110\n", "")),
    "a job may do more": ("deliver.gate", within("staging", "contents: read #", "contents: write #")),
    "an action by its tag": ("supply.actions", swap("aws-actions/configure-aws-credentials@e6de054238d6b7531b4efff3b6587d9aade6a06c # v6.2.3", "aws-actions/configure-aws-credentials@v6")),
    # infrastructure
    "drift is looked for on Mondays": ("deliver.drift", swap('"51 4 * * *"', '"51 4 * * 1"', file=INFRASTRUCTURE)),
    "drift may fail": ("deliver.drift", within("drift", "    environment: plan\n", "    environment: plan\n    continue-on-error: true\n", INFRASTRUCTURE)),
    "drift is not looked for in prod": ("deliver.drift", within("drift", "[staging, prod]", "[staging]", INFRASTRUCTURE)),
    "nobody hears of drift": ("deliver.drift", within("tell", "failure() &&", "success() &&", INFRASTRUCTURE)),
    "drift is shown": ("deliver.drift", within("drift", "run: make drift", "run: make plan", INFRASTRUCTURE)),
    "an unseen plan": ("deliver.gate", within("prod", "PLAN: ${{ needs.look.outputs.plan }}", "PLANNED: x", INFRASTRUCTURE)),
    "infrastructure without people": ("deliver.gate", within("prod", "environment: prod-infrastructure", "environment: staging-infrastructure", INFRASTRUCTURE)),
    "infrastructure around staging": ("deliver.gate", within("look", "    needs: staging\n", "", INFRASTRUCTURE)),
    "a fork gets into AWS": ("deliver.gate", within("plan", "github.event.pull_request.head.repo.full_name == github.repository", "true", INFRASTRUCTURE)),
    "a push cancels an apply": ("deliver.gate", within("prod", "cancel-in-progress: false", "cancel-in-progress: true", INFRASTRUCTURE)),
    "no drill in prod": ("backup.restore-drill", within("drill", "[staging, prod]", "[staging]", DRILL)),
    "no drill at all": ("backup.restore-drill", swap('  schedule:\n    - cron: "37 3 * * 6"\n', "", file=DRILL)),
    "two versions of Terraform": ("deliver.same-gate", swap("terraform_version: 1.11.4", "terraform_version: 1.10.0")),
    "a command of its own": ("deliver.same-gate", within("staging", "run: make probe", "run: curl")),
    "providers grow old": ("supply.updates", lambda service: drop(service / ".github/dependabot.yml", r"/infra/prod")),
}  # fmt: skip


def test_a_new_service_is_green(service: Path) -> None:
    rows, printed = red(service, "tests/test_delivery.py", "tests/test_supply_chain.py")
    assert rows == set(), printed


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_found_and_named(service: Path, name: str) -> None:
    row, break_it = BREAKS[name]
    break_it(service)
    rows, printed = red(service, f"tests/test_{'supply_chain' if row == 'supply.actions' else 'delivery'}.py")
    assert row in rows, printed


REGULATED: dict[str, Callable[[Path], None]] = {
    "one person is enough": within("prod", ", prod-review]", "]"),
    "the first of two is nobody": within("prod-review", "environment: prod-review", "environment: staging"),
    "asked before staging": within("prod-review", "needs: [build, readiness, staging]", "needs: [build, readiness]"),
}


@pytest.mark.parametrize("name", ["nothing", *REGULATED])
def test_at_level_regulated_two_promote(original: Path, render: Render, name: str) -> None:
    service = render(**AWS, compliance_level="regulated")
    if name in REGULATED:
        REGULATED[name](service)
    rows, printed = red(original, "tests/test_delivery.py", project=service)
    assert ("deliver.gate" in rows) is (name in REGULATED), printed


def test_without_a_cloud_there_is_no_trace(render: Render) -> None:
    service = render()
    assert sorted(path.stem for path in (service / ".github/workflows").glob("*")) == [
        "ci", "readiness", "scorecard", "security", "template-update",
    ]  # fmt: skip
    assert not (service / "tests/test_delivery.py").exists()
    assert json.loads((service / ".github/environments.json").read_text()).keys() == {"template-update"}
    assert "terraform" not in (service / ".github/dependabot.yml").read_text()
    assert load(service / CI)["on"].keys() == {"pull_request", "push"}


def test_the_report_is_published_with_and_without_a_cloud(service: Path, render: Render) -> None:
    for workflow in (service / ".github/workflows/deploy.yml", render() / ".github/workflows/readiness.yml"):
        asked, kept = load(workflow)["jobs"]["readiness"]["steps"][-2:]
        assert asked["run"] == "make readiness"
        assert kept["if"] == "success() || failure()", "the report of what is open matters most"
        assert kept["with"]["path"].split() == ["reports/readiness.html", "reports/readiness.json"]


# The steps.

# Stands for the service's Python: notes what is called, with the digest and whether there is a token, and fails as told.
PYTHON = """#!/bin/sh
folder=$(dirname "$0")
shift
echo "$*${GH_TOKEN:+ with a token}" >> "$folder/calls"
[ "$1" = ops.publish ] && echo "digest=DIGEST" >> "$GITHUB_OUTPUT"
grep -qxF "$*" "$folder/failing" && { echo "$* failed"; exit 1; }
exit 0
"""
DOCKER = '#!/bin/sh\necho "docker $*" >> "$(dirname "$0")/calls"\n! grep -qxF docker "$(dirname "$0")/failing"\n'
TAG = "c0ffee-77-1"
PUBLISHED, READY = f"ops.publish built {TAG}", "dev.readiness"


def deployed(place: str) -> list[str]:
    return [f"ops.deploy {place} {DIGEST} with a token", f"ops.probe {place}"]


@dataclass
class Run:
    """A run of deploy.yml: ci is green, and everybody approves."""

    service: Path
    machine: Machine
    folder: Path
    failing: str = ""

    def go(self) -> dict[str, bool]:
        """Run the jobs whose `needs` are green, as GitHub does. Returns how each ended."""
        (self.folder / "calls").touch()
        (self.folder / "failing").write_text(f"{self.failing}\n")
        for name, script in (("python", PYTHON.replace("DIGEST", DIGEST)), ("docker", DOCKER)):
            (self.folder / name).write_text(script)
            (self.folder / name).chmod(0o755)
        environment = self.machine.environment | {"MAKEFLAGS": f"-- BIN={self.folder} DOCKER={self.folder}/docker"}
        contexts = {"github.sha": "c0ffee", "github.run_id": "77", "github.run_attempt": "1", "github.token": "t"}
        ended = {"check": True}
        jobs = load(self.service / DEPLOY)["jobs"]
        while waiting := [name for name, job in jobs.items() if name not in ended and self.needs(job) <= ended.keys()]:
            name = waiting[0]
            if not all(ended[each] for each in self.needs(jobs[name])):
                ended[name] = False
                continue
            job = Job(self.service, DEPLOY, name, environment, contexts)
            ran = job.run()
            ended[name] = all(not step.returncode for step in ran)
            contexts |= {f"needs.{name}.outputs.{key}": text for key, text in job.outputs.items()}
        return ended

    def needs(self, job: Mapping[str, Any]) -> set[str]:
        listed = job.get("needs", [])
        return {listed} if isinstance(listed, str) else set(listed)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


BUILT = "docker build --tag built ."


def test_a_commit_goes_to_staging_and_the_same_image_to_prod(service: Path, machine: Machine, tmp_path: Path) -> None:
    run = Run(service, machine, tmp_path)
    assert set(run.go().values()) == {True}
    assert run.calls == [BUILT, PUBLISHED, *deployed("staging"), READY, *deployed("prod")]
    bill = json.loads((service / "reports/sbom.json").read_text())
    assert len(bill["components"]) > 10


# What fails, which jobs end well besides ci, and what is called from there on.
FAILURES: dict[str, tuple[set[str], list[str]]] = {
    "docker": ({"readiness"}, [BUILT, READY]),
    PUBLISHED: ({"readiness"}, [BUILT, PUBLISHED, READY]),
    f"ops.deploy staging {DIGEST}": ({"build", "readiness"}, [deployed("staging")[0], "ops.settle staging", READY]),
    "ops.probe staging": ({"build", "readiness"}, [*deployed("staging"), "ops.settle staging", READY]),
    READY: ({"build", "staging"}, [*deployed("staging"), READY]),
    f"ops.deploy prod {DIGEST}": ({"build", "staging", "readiness"}, [READY, deployed("prod")[0], "ops.settle prod"]),
    "ops.probe prod": ({"build", "staging", "readiness"}, [READY, *deployed("prod"), "ops.settle prod"]),
}


@pytest.mark.parametrize("failing", FAILURES)
def test_after_a_step_that_fails(service: Path, machine: Machine, tmp_path: Path, failing: str) -> None:
    green, calls = FAILURES[failing]
    run = Run(service, machine, tmp_path, failing)
    ended = run.go()
    assert {name for name, well in ended.items() if well} == {"check", *green}
    assert run.calls[-len(calls) :] == calls


TERRAFORM = """#!/bin/sh
folder=$(dirname "$0")
for last; do :; done
echo "$*" >> "$folder/terraform.calls"
case "$*" in
*" plan "*) exit "$(cat "$folder/status")" ;;
*" show -json "*) cat "$folder/plan.json" ;;
esac
"""
CHANGE = {"address": "aws_security_group.database", "change": {"actions": ["update"], "before": 1, "after": 2}}


@pytest.fixture
def terraform(service: Path, machine: Machine, tmp_path: Path) -> dict[str, str]:
    """An environment in which Terraform is a stand-in."""
    (service / "infra/backend.hcl").touch()
    (tmp_path / "terraform").write_text(TERRAFORM)
    (tmp_path / "terraform").chmod(0o755)
    (tmp_path / "status").write_text("0")
    (tmp_path / "plan.json").write_text("{}")
    return machine.environment | {"PATH": f"{tmp_path}{os.pathsep}{machine.environment['PATH']}"}


def drift(service: Path, environment: dict[str, str], place: str) -> subprocess.CompletedProcess[str]:
    (ran,) = Job(
        service, INFRASTRUCTURE, "drift", environment, {"matrix.environment": place, "secrets.PAGER": ""}
    ).run()
    return ran


@pytest.mark.parametrize("place", ["staging", "prod"])
def test_drift_turns_the_step_red(service: Path, terraform: dict[str, str], tmp_path: Path, place: str) -> None:
    same = drift(service, terraform, place)
    assert same.returncode == 0, same.stdout
    assert f"infra/{place} plan " in (tmp_path / "terraform.calls").read_text()
    (tmp_path / "plan.json").write_text(json.dumps({"resource_changes": [CHANGE]}))
    differs = drift(service, terraform, place)
    assert differs.returncode != 0
    assert f"{place} is not what infra/{place} says" in differs.stdout


@pytest.mark.parametrize("status", ["1", "2"])
def test_a_terraform_that_fails_turns_it_red_too(
    service: Path, terraform: dict[str, str], tmp_path: Path, status: str
) -> None:
    (tmp_path / "status").write_text(status)
    assert drift(service, terraform, "staging").returncode != 0


def test_prod_becomes_what_the_job_before_has_looked_at(
    service: Path, terraform: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"resource_changes": [CHANGE]}))
    look = Job(service, INFRASTRUCTURE, "look", terraform, {"secrets.PAGER": ""})
    assert look.run()[-1].returncode == 0
    contexts = {"secrets.PAGER": "", "github.token": "t", "needs.look.outputs.plan": look.outputs["plan"]}
    (applied,) = Job(service, INFRASTRUCTURE, "prod", terraform, contexts).run()
    assert applied.returncode == 0, applied.stdout
    (tmp_path / "plan.json").write_text(json.dumps({"resource_changes": [CHANGE, {**CHANGE, "address": "other"}]}))
    (refused,) = Job(service, INFRASTRUCTURE, "prod", terraform, contexts).run()
    assert refused.returncode != 0
    assert (tmp_path / "terraform.calls").read_text().count(" apply ") == 1


@pytest.mark.parametrize("workflow", [INFRASTRUCTURE, DRILL])
def test_what_failed_at_night_is_an_issue(service: Path, machine: Machine, tmp_path: Path, workflow: str) -> None:
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\necho "$*" >> "$0.calls"\n[ "$2" = list ] && echo "[]" || echo https://it\n')
    gh.chmod(0o755)
    contexts = {"github.token": "t", "github.run_id": "77", "github.repository": "example/my-service"}
    environment = machine.environment | {"PATH": f"{tmp_path}{os.pathsep}{machine.environment['PATH']}"}
    contexts["github.server_url"] = "https://github.com"
    (told,) = Job(service, workflow, "tell", environment, contexts).run()
    assert told.returncode == 0, told.stdout
    created = (tmp_path / "gh.calls").read_text().splitlines()[-1]
    assert re.match(r"issue create --title (Infrastructure|The restore drill) .*/actions/runs/77$", created)
