"""The way of a commit to prod, read from the workflows: there is one, and it leads through every gate.

Nothing here runs a workflow. What the commands do when a step fails, tests/ops proves.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dev.environment import PROJECT
from tests.test_supply_chain import Json, load

DEPLOY, INFRASTRUCTURE, DRILL = (
    load(f".github/workflows/{name}.yml") for name in ("deploy", "infrastructure", "restore-drill")
)
IDENTITY = json.loads((PROJECT / "infra/identity.json").read_text(encoding="utf-8"))
REGULATED = IDENTITY["compliance_level"] == "regulated"
REVIEW = {"prod-review"} if REGULATED else set()
GUARDED = {"prod", "prod-infrastructure", *REVIEW}
REGISTERED = "${{ steps.publish.outputs.digest }}"
BUILT = "${{ needs.build.outputs.digest }}"
ON_FAILURE = "failure() || cancelled()"


def jobs() -> Json:
    jobs: Json = DEPLOY["jobs"]
    return jobs


def every_job() -> Iterator[tuple[str, str, Json]]:
    """Yield the jobs of all workflows: file, name, job."""
    for path in sorted((PROJECT / ".github/workflows").glob("*.y*ml")):
        for name, job in load(path)["jobs"].items():
            yield path.stem, name, job


def steps(job: Json, what: str) -> list[int]:
    """Where it does this: which steps make the target (`make image`), or use the action."""

    def does(step: Json) -> bool:
        if what.startswith("make "):
            return what.removeprefix("make ") in step.get("run", "").split()
        return str(step.get("uses", "")).startswith(what)

    return [place for place, step in enumerate(job.get("steps", [])) if does(step)]


def commands(job: Json) -> str:
    """All that it runs."""
    return "\n".join(step["run"] for step in job.get("steps", []) if "run" in step)


def after(name: str) -> set[str]:
    """What waits for this job, directly or not: none of that runs unless it was green."""
    direct = {each for each, job in jobs().items() if name in needs(job)}
    return direct.union(*(after(each) for each in direct))


def needs(job: Json) -> list[str]:
    listed = job.get("needs", [])
    return [listed] if isinstance(listed, str) else list(listed)


def environment(job: Json) -> Any:
    return job.get("environment")


# One image.


@pytest.mark.row("deliver.once")
def test_one_image_is_built_and_published_once() -> None:
    build = jobs()["build"]
    (built,) = steps(build, "make image")
    (published,) = steps(build, "make publish")
    assert build["steps"][built]["run"] == "make image IMAGE=built"
    assert build["steps"][published]["run"] == "make publish IMAGE=built"
    assert build["steps"][published]["id"] == "publish"
    assert build["outputs"] == {"digest": REGISTERED}
    assert "strategy" not in build
    # Nowhere else is anything built for a registry, or pushed into one.
    publishing = [(file, name) for file, name, job in every_job() if steps(job, "make publish")]
    assert publishing == [("deploy", "build")]
    others = [name for _, name, job in every_job() if re.search(r"docker/|push:|docker push", json.dumps(job))]
    assert others == []
    assert [name for name, job in jobs().items() if steps(job, "make image")] == ["build"]


@pytest.mark.row("deliver.once")
@pytest.mark.parametrize("place", ["staging", "prod"])
def test_that_very_image_is_deployed(place: str) -> None:
    (step,) = [jobs()[place]["steps"][each] for each in steps(jobs()[place], "make deploy")]
    assert step["run"] == f"make deploy ENVIRONMENT={place}"
    assert step["env"]["DIGEST"] == BUILT
    assert "build" in needs(jobs()[place])


@pytest.mark.row("supply.image-scan")
def test_it_is_scanned_before_it_is_published() -> None:
    build = jobs()["build"]
    (built,), (scanned,), (published,) = (
        steps(build, what) for what in ("make image", "anchore/scan-action@", "make publish")
    )
    assert built < scanned < published
    assert build["steps"][scanned]["with"] == {
        "fail-build": True,
        "image": "built",
        "only-fixed": True,
        "severity-cutoff": "high",
    }


@pytest.mark.row("supply.provenance")
def test_it_is_signed_where_it_was_built_and_what_is_in_it() -> None:
    build = jobs()["build"]
    (published,) = steps(build, "make publish")
    (listed,) = steps(build, "make sbom")
    signed = steps(build, "actions/attest@")
    provenance, bill = (build["steps"][each]["with"] for each in signed)
    assert listed < signed[1]
    assert published < signed[0]
    assert provenance == {"subject-digest": REGISTERED, "subject-name": IDENTITY["name"]}
    assert bill == {**provenance, "sbom-path": "reports/sbom.json"}
    # What GitHub signs with is in nobody else's hands: ops.deploy believes this workflow alone.
    writers = [(file, name) for file, name, job in every_job() if "attestations" in written(job)]
    assert writers == [("deploy", "build")]


# One way.


@pytest.mark.row("deliver.ci")
def test_only_what_was_merged_and_is_green_goes_out() -> None:
    assert DEPLOY["on"] == {"push": {"branches": ["main"]}}
    assert jobs()["check"]["uses"] == "$/.github/workflows/ci.yml"
    assert after("check") == jobs().keys() - {"check"}
    ci = load(".github/workflows/ci.yml")
    assert "workflow_call" in ci["on"]
    assert commands(ci["jobs"]["check"]).startswith("make check\n")


@pytest.mark.row("deliver.once")
def test_staging_comes_first() -> None:
    assert "prod" in after("staging")
    assert "staging" in needs(jobs()["prod"])


@pytest.mark.row("deliver.gate")
def test_prod_waits_for_people_and_readiness() -> None:
    assert environment(jobs()["prod"]) == "prod"
    assert "readiness" in needs(jobs()["prod"])
    assert commands(jobs()["readiness"]) == "make readiness"
    environments = json.loads((PROJECT / ".github/environments.json").read_text(encoding="utf-8"))
    assert {name for name, rules in environments.items() if rules["reviewers"]} == GUARDED
    assert {name for name, rules in environments.items() if rules["branches"] != ["main"]} == {"plan"}
    used = {environment(job) for *_, job in every_job()} - {None}
    used |= {f"{place}-drill" for place in ("staging", "prod")}
    assert used - {"${{ matrix.environment }}-drill"} == environments.keys()
    if REGULATED:
        assert environment(jobs()["prod-review"]) == "prod-review"
        assert "prod-review" in needs(jobs()["prod"])
        assert "staging" in needs(jobs()["prod-review"])


@pytest.mark.row("deliver.gate")
def test_there_is_no_other_way_to_prod() -> None:
    places = {
        (file, name)
        for file, name, job in every_job()
        if re.search(r"prod|\$", str(environment(job))) or re.search(r'role/[^"]*(-prod-|\$)', json.dumps(job))
    }
    ways = {("deploy", "prod"), ("infrastructure", "prod"), *(("deploy", each) for each in REVIEW)}
    # The drill copies the database and removes the copy: its role may do no more.
    assert places - {("restore-drill", "drill")} == ways
    changing = {(file, name) for file, name, job in every_job() if re.search(r"\bdeploy\b|ops\.", commands(job))}
    assert changing == {("deploy", "staging"), ("deploy", "prod")}


@pytest.mark.row("deliver.gate")
def test_a_job_is_let_in_as_what_its_environment_may_be() -> None:
    """GitHub vouches for the environment, and AWS gives the role to nobody else."""
    bootstrap = (PROJECT / "infra/bootstrap/github.tf").read_text(encoding="utf-8")
    trusted = dict(re.findall(r"^    ([\w-]+) += \"([\w-]+)\"$", bootstrap, re.MULTILINE))
    for where in ("staging", "prod"):
        trusted |= {f"{where}-deployer": where, f"{where}-driller": f"{where}-drill"}
    roles = (PROJECT / "infra/service/roles.tf").read_text(encoding="utf-8")
    subjects = re.findall(r'"repo:\$\{var.identity.repository\}:environment:(\S+)"', roles)
    assert subjects == ["${var.environment}", "${var.environment}-drill"]
    for file, name, job in every_job():
        for place in steps(job, "aws-actions/configure-aws-credentials@"):
            for matrix in job.get("strategy", {}).get("matrix", {}).get("environment", [""]):
                role, where = (
                    each.replace("${{ matrix.environment }}", matrix)
                    for each in (job["steps"][place]["with"]["role-to-assume"], environment(job))
                )
                prefix = f"arn:aws:iam::${{{{ vars.AWS_ACCOUNT_ID }}}}:role/{IDENTITY['name']}-"
                assert trusted[role.removeprefix(prefix)] == where, f"{file}: {name}"
            given = job["steps"][place]["with"]
            assert given["aws-region"] == IDENTITY["region"]
            assert given.keys() <= {"aws-region", "role-to-assume", "role-duration-seconds"}, "no keys that are kept"


# What happens when something fails.


@pytest.mark.row("deliver.rollback")
@pytest.mark.parametrize(
    ("failing", "never"),
    [
        ("check", {"build", "readiness", "staging", "prod", *REVIEW}),
        ("build", {"staging", "prod", *REVIEW}),
        ("readiness", {"prod", *REVIEW}),
        ("staging", {"prod", *REVIEW}),
        ("prod", set()),
    ],
)
def test_after_a_job_that_fails_these_never_run(failing: str, never: set[str]) -> None:
    assert after(failing) == never


@pytest.mark.row("deliver.rollback")
def test_nothing_goes_on_after_a_failure_but_the_way_back() -> None:
    # By default a job and a step run only when all before were green; these words change that.
    assert [name for name, job in jobs().items() if {"if", "continue-on-error"} & job.keys()] == []
    for job in jobs().values():
        for place, step in enumerate(job.get("steps", [])):
            assert "continue-on-error" not in step
            if "if" in step:
                assert place == len(job["steps"]) - 1
                if step.get("uses", "").startswith("actions/upload-artifact@"):
                    continue  # keeps what a red job has to say
                assert step["if"] == ON_FAILURE
                assert step["run"] == f"make settle ENVIRONMENT={environment(job)}"
            assert not re.search(r"\|\||;|set \+e", step.get("run", ""))


@pytest.mark.row("deliver.smoke")
@pytest.mark.row("deliver.rollback")
@pytest.mark.parametrize("place", ["staging", "prod"])
def test_a_deploy_is_probed_and_says_what_serves(place: str) -> None:
    job = jobs()[place]
    assert commands(job).splitlines() == [f"make {each} ENVIRONMENT={place}" for each in ("deploy", "probe", "settle")]
    assert job["steps"][-1]["if"] == ON_FAILURE


@pytest.mark.row("deliver.rollback")
def test_nobody_cancels_a_deploy() -> None:
    groups = [DEPLOY["concurrency"], *(job["concurrency"] for job in jobs().values() if "concurrency" in job)]
    assert [each["cancel-in-progress"] for each in groups] == [False] * len(groups)
    assert jobs()["staging"]["concurrency"]["group"] != jobs()["prod"]["concurrency"]["group"]
    # One that waits for people must not hold up the next one's way to staging.
    assert "github.sha" in DEPLOY["concurrency"]["group"]
    # A called workflow in its caller's group waits for itself.
    assert not DEPLOY["concurrency"]["group"].startswith(("${{ github.workflow }}", "deploy-"))
    for place in ("staging", "prod"):
        (credentials,) = steps(jobs()[place], "aws-actions/configure-aws-credentials@")
        lifetime = jobs()[place]["steps"][credentials]["with"]["role-duration-seconds"]
        assert jobs()[place]["timeout-minutes"] * 60 + 300 < lifetime, "the way back needs credentials too"


def written(job: Json) -> set[str]:
    return {scope for scope, access in job["permissions"].items() if access == "write"}


@pytest.mark.row("supply.actions")
@pytest.mark.row("deliver.gate")
def test_what_each_job_may_do() -> None:
    look = {"contents": "read"}
    aws = look | {"id-token": "write"}
    deploy = aws | {"attestations": "read"}
    assert {name: job["permissions"] for name, job in jobs().items()} == {
        "check": look,
        "build": aws | {"attestations": "write"},
        "staging": deploy,
        "readiness": look,
        "prod": deploy | {"actions": "read"},
        **{each: {} for each in REVIEW},
    }
    others = {**INFRASTRUCTURE["jobs"], **DRILL["jobs"]}
    assert {name for name, job in others.items() if written(job) == {"issues"}} == {"tell"}
    assert all(written(job) == {"id-token"} for name, job in others.items() if name != "tell")


# Infrastructure.


@pytest.mark.row("deliver.drift")
def test_drift_is_looked_for_every_day_and_somebody_hears_of_it() -> None:
    (daily,) = INFRASTRUCTURE["on"]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", daily["cron"])
    job, tell = INFRASTRUCTURE["jobs"]["drift"], INFRASTRUCTURE["jobs"]["tell"]
    assert job["if"] == "github.event_name == 'schedule'"
    assert job["strategy"] == {"fail-fast": False, "matrix": {"environment": ["staging", "prod"]}}
    (step,) = [job["steps"][each] for each in steps(job, "make drift")]
    assert step["run"] == "make drift"
    assert step["env"]["ENVIRONMENT"] == "${{ matrix.environment }}"
    assert not {"if", "continue-on-error"} & step.keys()
    assert "continue-on-error" not in job
    assert needs(tell) == ["drift"]
    assert tell["if"] == "failure() && github.event_name == 'schedule'"
    assert commands(tell) == "make issue"


@pytest.mark.row("deliver.gate")
def test_infrastructure_changes_in_prod_as_it_was_looked_at() -> None:
    plan, staging, look, prod = (INFRASTRUCTURE["jobs"][name] for name in ("plan", "staging", "look", "prod"))
    assert staging["if"] == "github.event_name == 'push'"
    assert (needs(look), needs(prod)) == (["staging"], ["look"])
    assert not {"if", "continue-on-error"} & {*look, *prod}
    assert look["outputs"] == {"plan": "${{ steps.plan.outputs.plan }}"}
    (apply,) = [step for step in prod["steps"] if "run" in step]
    assert apply["run"] == "make apply ENVIRONMENT=prod"
    assert apply["env"]["PLAN"] == "${{ needs.look.outputs.plan }}"
    assert (environment(look), environment(prod)) == ("plan", "prod-infrastructure")
    assert "head.repo.full_name == github.repository" in plan["if"]
    assert (commands(plan), commands(look)) == ("make plan", "make plan ENVIRONMENT=prod")
    for job in (staging, prod):
        assert job["concurrency"]["cancel-in-progress"] is False
    assert INFRASTRUCTURE["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"


@pytest.mark.row("deliver.same-gate")
def test_these_workflows_call_commands_that_everybody_has() -> None:
    makefiles = (PROJECT / "Makefile", *sorted((PROJECT / "dev").glob("*.mk")))
    text = "\n".join(each.read_text(encoding="utf-8") for each in makefiles)
    targets = set(re.findall(r"^([\w-]+):", text, re.MULTILINE))
    for workflow in (DEPLOY, INFRASTRUCTURE, DRILL):
        for name, job in workflow["jobs"].items():
            for step in job.get("steps", []):
                if "run" in step and name != "prod-review":
                    make, target, *_ = step["run"].split()
                    assert make == "make"
                    assert target in targets


@pytest.mark.row("deliver.same-gate")
def test_there_is_one_version_of_terraform() -> None:
    versions = {
        step["with"]["terraform_version"]
        for *_, job in every_job()
        for step in job.get("steps", [])
        if step.get("uses", "").startswith("hashicorp/setup-terraform@")
    }
    assert len(versions) == 1


@pytest.mark.row("supply.updates")
def test_providers_are_kept_up_to_date() -> None:
    (terraform,) = [
        each for each in load(".github/dependabot.yml")["updates"] if each["package-ecosystem"] == "terraform"
    ]
    folders = {f"/{path.parent.relative_to(PROJECT)}" for path in (PROJECT / "infra").glob("*/*.tf")}
    assert set(terraform["directories"]) == folders
    assert len(terraform["groups"]) == 1


@pytest.mark.row("backup.restore-drill")
def test_backups_are_restored_on_a_schedule() -> None:
    assert DRILL["on"]["schedule"]
    job = DRILL["jobs"]["drill"]
    assert job["strategy"]["matrix"]["environment"] == ["staging", "prod"]
    (step,) = [job["steps"][each] for each in steps(job, "make restore-drill-aws")]
    assert step == {
        "name": "Drill",
        "env": {"ENVIRONMENT": "${{ matrix.environment }}"},
        "run": "make restore-drill-aws",
    }
    assert "continue-on-error" not in job
    assert DRILL["jobs"]["tell"]["if"] == "failure()"
