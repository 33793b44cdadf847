"""What is applied is what was looked at, and drift is red: Terraform is a stand-in that has plans in files."""

import json
from pathlib import Path

import pytest

from ops import infrastructure, promotion
from ops.outcome import Outcome
from tests.ops.programs import Programs

# `plan` writes the plan there is now, `show -json` reads one, `apply` says so. As Terraform does it with files.
TERRAFORM = """
folder=$(dirname "$0")
for last; do :; done
case "$*" in
*" init "*) exit "${INIT:-0}" ;;
*" plan "*) for each; do case "$each" in -out=*) cp "$folder/plan.json" "${each#-out=}" ;; esac; done ;;
*" show -json "*) cat "$last" ;;
*" show "*) echo "Plan: as in $last" ;;
*" apply "*) exit "${APPLY:-0}" ;;
esac
"""


@pytest.fixture
def infra(tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, with a place for the state."""
    programs.add("terraform", TERRAFORM)
    for place in ("staging", "prod"):
        (tmp_path / "infra" / place).mkdir(parents=True)
        (tmp_path / "infra" / place / "main.tf").touch()
    (tmp_path / "infra/backend.hcl").touch()
    monkeypatch.setattr(infrastructure, "INFRA", tmp_path / "infra")
    changed(programs)
    return tmp_path / "infra"


def changed(programs: Programs, **resources: str) -> None:
    """Let these resources differ: what each is to become."""
    same = {"address": "aws_x.same", "change": {"actions": ["no-op"], "before": 1, "after": 1}}
    found = [
        {"address": name, "change": {"actions": ["update"], "before": "old", "after": after}}
        for name, after in resources.items()
    ]
    (programs.folder / "plan.json").write_text(json.dumps({"resource_changes": [same, *found]}))


def applied(programs: Programs) -> list[str]:
    return [each for each in programs.calls("terraform") if " apply " in each]


@pytest.mark.row("deliver.drift")
def test_drift_is_red(infra: Path, programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    assert infrastructure.main(["drift", "staging"]) is Outcome.DONE
    changed(programs, group="opened to the world")
    assert infrastructure.main(["drift", "staging"]) is Outcome.UNDONE
    assert "staging is not what infra/staging says" in capsys.readouterr().err
    assert applied(programs) == []


@pytest.mark.row("deliver.drift")
def test_when_nobody_can_tell_that_is_red_too(
    infra: Path, monkeypatch: pytest.MonkeyPatch, programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    (programs.folder / "plan.json").write_text('{"errored": true}')
    assert infrastructure.main(["drift", "staging"]) is Outcome.REFUSED
    monkeypatch.setenv("INIT", "1")
    assert infrastructure.main(["drift", "staging"]) is Outcome.REFUSED
    (infra / "backend.hcl").unlink()
    assert infrastructure.main(["drift", "staging"]) is Outcome.REFUSED
    assert "infra/backend.hcl is not there: infra/README.md" in capsys.readouterr().err


def test_each_environment_has_its_own_state(infra: Path, programs: Programs) -> None:
    infrastructure.main(["plan", "prod"])
    (init,) = [each for each in programs.calls("terraform") if " init " in each]
    assert init.startswith(f"-chdir={infra}/prod ")
    assert init.endswith("-backend-config=../backend.hcl -backend-config=key=prod.tfstate")


@pytest.fixture
def looked_at(infra: Path, programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A plan for prod, as the step before has put it out."""
    changed(programs, group="closed")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    assert infrastructure.main(["plan", "prod"]) is Outcome.DONE
    assert infra
    monkeypatch.setenv("GITHUB_RUN_ID", "77")
    return (tmp_path / "output").read_text().removeprefix("plan=").strip()


def approve(programs: Programs, environment: str) -> None:
    reviews = [{"state": "approved", "user": {"login": "ada"}, "environments": [{"name": environment}]}]
    programs.answer("gh", json.dumps(reviews))


@pytest.mark.row("deliver.gate")
def test_prod_becomes_what_was_looked_at(looked_at: str, programs: Programs) -> None:
    approve(programs, "prod-infrastructure")
    assert infrastructure.main(["apply", "prod", "--plan", looked_at]) is Outcome.DONE
    assert len(applied(programs)) == 1


@pytest.mark.row("deliver.gate")
@pytest.mark.parametrize("now", [{"group": "open"}, {"group": "closed", "more": "x"}, {"other": "closed"}])
def test_another_plan_is_not_applied(
    looked_at: str, programs: Programs, now: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    approve(programs, "prod-infrastructure")
    changed(programs, **now)
    assert infrastructure.main(["apply", "prod", "--plan", looked_at]) is Outcome.REFUSED
    assert "Look again" in capsys.readouterr().err
    assert applied(programs) == []


@pytest.mark.row("deliver.gate")
@pytest.mark.parametrize("environment", ["", "prod-drill"])
def test_nobody_has_approved_it(looked_at: str, programs: Programs, environment: str) -> None:
    approve(programs, environment)
    assert infrastructure.main(["apply", "prod", "--plan", looked_at]) is Outcome.REFUSED
    assert applied(programs) == []


@pytest.mark.row("deliver.gate")
def test_in_ci_prod_does_not_change_unseen(looked_at: str, programs: Programs) -> None:
    assert looked_at
    approve(programs, "prod-infrastructure")
    assert infrastructure.main(["apply", "prod"]) is Outcome.REFUSED
    assert applied(programs) == []


def test_an_apply_that_fails_says_so(
    infra: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert infra
    changed(programs, group="closed")
    monkeypatch.setenv("APPLY", "1")
    assert infrastructure.main(["apply", "staging"]) is Outcome.UNKNOWN
    assert "staging is changed in part" in capsys.readouterr().err
    assert promotion.FIRST == "staging"
