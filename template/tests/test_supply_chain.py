"""What the service is made from, and how a change gets in: tools, workflows, image, updates, rules."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.environment import PROJECT

Json = dict[str, Any]
WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.y*ml"))
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
DOCKERFILE = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
# Which promise a hook keeps. The others are commands of `make check`.
ROWS = {
    "dependencies": "supply.unused",
    "dockerfile": "security.container",
    "workflows": "supply.actions",
    "workflow-schema": "deliver.ci",
    "dependabot-schema": "supply.updates",
    "issue-form-schema": "ops.incident",
    "secrets": "security.secrets",
}
SECONDS = 120


def load(path: str | Path) -> Json:
    """Read a YAML file. `on` is a boolean in YAML 1.1, and a name to GitHub."""
    text = (PROJECT / path).read_text(encoding="utf-8")
    content: Json = yaml.safe_load(re.sub(r"^on:", '"on":', text, flags=re.MULTILINE))
    return content


def hooks() -> dict[str, list[str]]:
    """Return the command of each hook, for all the files that it is for."""
    found = {}
    for hook in load(".pre-commit-config.yaml")["repos"][0]["hooks"]:
        found[hook["id"]] = shlex.split(hook["entry"])
        if hook.get("pass_filenames", True) and "files" in hook:
            paths = (path.relative_to(PROJECT).as_posix() for path in (PROJECT / ".github").rglob("*"))
            found[hook["id"]] += [path for path in paths if re.search(hook["files"], path)]
    return found


def jobs(*names: str) -> Iterator[tuple[str, Json]]:
    for path in WORKFLOWS:
        if not names or path.stem in names:
            for name, job in load(path)["jobs"].items():
                yield f"{path.name}: {name}", job


def steps(*names: str) -> list[Json]:
    return [step for _, job in jobs(*names) for step in job.get("steps", [])]


@pytest.mark.parametrize("hook", [pytest.param(hook, marks=pytest.mark.row(row)) for hook, row in ROWS.items()])
def test_what_a_commit_must_pass(hook: str) -> None:
    ran = subprocess.run(hooks()[hook], capture_output=True, text=True, check=False, cwd=PROJECT, timeout=SECONDS)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"


@pytest.mark.row("deliver.same-gate")
def test_a_commit_must_pass_what_ci_must() -> None:
    """One list: each hook is run here, or by `make check`."""
    check = MAKEFILE.partition("\ncheck:")[2].partition("\n\n")[0]
    others = [Path(command[0]).name for hook, command in hooks().items() if hook not in ROWS]
    assert [tool for tool in others if f"$(BIN)/{tool}" not in check] == []


@pytest.mark.row("deliver.same-gate")
def test_ci_runs_what_a_developer_runs() -> None:
    commands = [step["run"] for step in steps("ci", "security") if "run" in step]
    assert "make check" in commands
    targets = [command.split()[1] for command in commands if command.startswith("make ")]
    assert [target for target in targets if f"\n{target}:" not in MAKEFILE] == []
    assert {command for command in commands if not command.startswith("make ")} <= {"git diff --exit-code"}


@pytest.mark.row("supply.actions")
def test_actions_are_pinned_by_commit_and_say_which_version() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    used += [job["uses"] for _, job in jobs() if "uses" in job]
    assert [name for name in used if not re.fullmatch(r"[.$]/.*|[\w./-]+@[0-9a-f]{40}", name)] == []
    lines = [line for path in WORKFLOWS for line in path.read_text(encoding="utf-8").splitlines() if "@" in line]
    assert [line for line in lines if "uses:" in line and not re.search(r"# v\d+\.\d+\.\d+$", line)] == []


@pytest.mark.row("supply.actions")
def test_a_job_may_do_little_and_not_for_ever() -> None:
    assert [path.name for path in WORKFLOWS if load(path).get("permissions") != {}] == []
    assert [name for name, job in jobs() if not isinstance(job.get("permissions"), dict)] == []
    assert [name for name, job in jobs() if "uses" not in job and "timeout-minutes" not in job] == []
    assert [path.name for path in WORKFLOWS if "concurrency" not in load(path)] == []
    written = {
        (name, scope)
        for name, job in jobs("ci", "security", "scorecard", "template-update")
        for scope, access in job["permissions"].items()
        if access == "write"
    }
    assert written == {("security.yml: code", "security-events"), ("scorecard.yml: scorecard", "security-events")}


@pytest.mark.row("supply.actions")
def test_no_credentials_stay_in_the_checkout() -> None:
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert [step for step in checkouts if step.get("with", {}).get("persist-credentials") is not False] == []


@pytest.mark.row("deliver.ci")
def test_nothing_is_merged_without_the_checks_and_a_review() -> None:
    ruleset = json.loads((PROJECT / ".github/rulesets/main.json").read_text(encoding="utf-8"))
    assert (ruleset["enforcement"], ruleset["bypass_actors"]) == ("active", [])
    assert ruleset["conditions"]["ref_name"] == {"include": ["~DEFAULT_BRANCH"], "exclude": []}
    rules = {rule["type"]: rule.get("parameters", {}) for rule in ruleset["rules"]}
    assert rules.keys() >= {"deletion", "non_fast_forward"}
    review = rules["pull_request"]
    assert review["required_approving_review_count"] >= 1
    assert review["require_code_owner_review"]
    assert review["dismiss_stale_reviews_on_push"]
    required = {check["context"] for check in rules["required_status_checks"]["required_status_checks"]}
    offered = {
        job.get("name", name)
        for path in WORKFLOWS
        if "pull_request" in (workflow := load(path))["on"]
        for name, job in workflow["jobs"].items()
        if "if" not in job
    }
    assert {"check", "audit", "secrets", "code", "image"} <= required <= offered


@pytest.mark.row("deliver.ci")
def test_every_file_has_a_reviewer() -> None:
    lines = (PROJECT / ".github/CODEOWNERS").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if re.match(r"\* +@", line)]


@pytest.mark.row("supply.updates")
def test_dependencies_are_kept_up_to_date_after_a_cool_down() -> None:
    updates = {update["package-ecosystem"]: update for update in load(".github/dependabot.yml")["updates"]}
    assert updates.keys() >= {"uv", "github-actions", "docker"}
    for update in updates.values():
        assert update["groups"]
        assert update["cooldown"]["default-days"] >= 3
    assert updates["uv"]["versioning-strategy"] == "lockfile-only"


@pytest.mark.row("supply.audit")
def test_vulnerabilities_stop_a_merge_and_are_looked_for_every_day() -> None:
    assert runs_daily_and_on_pull_requests("make audit")
    assert re.search(
        r"^audit:.*\n\t@\$\(UV\) audit --locked --preview-features audit-command$", MAKEFILE, re.MULTILINE
    ), "nothing is left out"


@pytest.mark.row("security.secrets")
def test_every_commit_is_searched_for_secrets() -> None:
    assert runs_daily_and_on_pull_requests("make secrets")
    (checkout,) = [step for step in steps("security") if step.get("with", {}).get("fetch-depth") == 0]
    assert checkout["uses"].startswith("actions/checkout@")


@pytest.mark.row("supply.sast")
def test_code_is_scanned() -> None:
    assert runs_daily_and_on_pull_requests("github/codeql-action/analyze@")


@pytest.mark.row("supply.image-scan")
def test_the_image_is_scanned_and_a_fixable_hole_stops_it() -> None:
    assert runs_daily_and_on_pull_requests("anchore/scan-action@")
    (job,) = [job for name, job in jobs("security") if name.endswith(": image")]
    build, scan = (step for step in job["steps"] if "checkout" not in step.get("uses", ""))
    assert build["run"] == f"make image IMAGE={scan['with']['image']}"
    assert scan["with"] == {"fail-build": True, "image": "scanned", "only-fixed": True, "severity-cutoff": "high"}


def runs_daily_and_on_pull_requests(what: str) -> bool:
    workflow = load(".github/workflows/security.yml")
    daily = [each for each in workflow["on"]["schedule"] if re.fullmatch(r"\d+ \d+ \* \* \*", each["cron"])]
    found = [
        step
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if (step.get("run") == what or step.get("uses", "").startswith(what))
        and not {"if", "continue-on-error"} & {*job, *step}
    ]
    return bool(daily and "pull_request" in workflow["on"] and found)


@pytest.mark.row("supply.locked")
def test_ci_and_the_image_install_what_is_locked() -> None:
    assert "\n\t@$(UV) lock --quiet --check" in MAKEFILE.partition("\ncheck:")[2].partition("\n\n")[0]
    installs = re.findall(r"uv (?:sync|pip|add|run).*", DOCKERFILE)
    assert installs
    assert [each for each in installs if not each.startswith("uv sync --locked --no-dev")] == []


@pytest.mark.row("security.container")
def test_the_image_is_pinned_small_and_nobodys() -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", DOCKERFILE, re.MULTILINE)
    names = {name for _, name in stages}
    assert [image for image, _ in stages if image not in names and not re.search(r"@sha256:[0-9a-f]{64}$", image)] == []
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*$", final, re.MULTILINE)
    assert "\nHEALTHCHECK " in final
    assert "pip uninstall" in final
    assert not re.search(r"apt-get install|--from=uv|USER (0|root)\b", final)


@pytest.mark.row("deliver.template")
def test_the_template_is_asked_every_week() -> None:
    workflow = load(".github/workflows/template-update.yml")
    assert re.fullmatch(r"\d+ \d+ \* \* \d", workflow["on"]["schedule"][0]["cron"])
    commands = [step["run"] for step in steps("template-update") if "run" in step]
    assert commands == ["make template-update-branch", "make template-update-pull-request"]
    assert all(f"\n{command.split()[1]}:" in MAKEFILE for command in commands)
    # What runs the template's code has no token.
    (tokened,) = [step for step in steps("template-update") if "env" in step]
    assert tokened["run"] == commands[1]


@pytest.mark.row("deliver.template")
def test_no_conflict_of_an_update_is_left() -> None:
    files = subprocess.run(
        ["git", "grep", "--files-with-matches", "^<<<<<<< before updating"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )
    assert files.stdout == ""


@pytest.mark.row("ops.review")
def test_a_pull_request_asks_the_seven_questions() -> None:
    form = (PROJECT / ".github/pull_request_template.md").read_text(encoding="utf-8")
    before, _, after = form.partition("\n## After it is deployed")
    assert len(re.findall(r"^\d\. \*\*", before, re.MULTILINE)) == 7
    assert "- [ ]" in after
