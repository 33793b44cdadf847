"""`make template-answers`: a feature, a level, callers or a cloud, turned on and off later.

The oracle is that of an update: what a new service with these answers has, but for what is the owner's.
"""

import re
import subprocess
import sys
from pathlib import Path

import copier
import pytest
import yaml

from tests.gate.machine import new_machine
from tests.services import Answers, commit, git
from tests.update import histories, remembering, updating
from tests.update.conftest import Template
from tests.update.kept import kept, owned, skipped
from tests.update.test_template_update import REFUSED, UP_TO_DATE, Finished, bin_, environment  # noqa: F401

pytestmark = pytest.mark.usefixtures("remembered")
REMEMBERING = f"{sys.executable} {remembering.__file__}"
COMMAND = [sys.executable, "-m", "dev.template_answers"]
LEAST: Answers = {"authentication": "none", "features": [], "compliance_level": "baseline", "cloud": "none"}
MOST: Answers = {
    "authentication": "oidc",
    "features": ["jobs", "upstream", "cache", "uploads"],
    "compliance_level": "regulated",
    "cloud": "aws",
}
FEATURES = ["jobs", "upstream", "cache", "uploads"]


def others() -> list[tuple[Answers, Answers]]:
    """Every answer of every question on and off, once where little else is on, and once where everything is."""
    pairs: list[tuple[Answers, Answers]] = []
    for start in (LEAST, MOST):
        for question, answers in {
            "authentication": ["oidc", "api-keys", "none"],
            "compliance_level": ["baseline", "personal-data", "regulated"],
            "cloud": ["aws", "none"],
        }.items():
            pairs += [(start, {question: answer}) for answer in answers if answer != start[question]]
        for one in FEATURES:
            features = [each for each in FEATURES if (each in start["features"]) != (each == one)]
            pairs.append((start, {"features": features}))
    return [*pairs, (LEAST, MOST), (MOST, LEAST)]


def flag(answers: Answers) -> str:
    """Write the answers as a person types them."""
    return " ".join(
        f"{name}=[{','.join(value)}]" if isinstance(value, list) else f"{name}={value}"
        for name, value in answers.items()
    )


class Service:
    """A service, and what answering differently makes of it."""

    def __init__(self, template: Path, version: str, folder: Path, bin_: Path) -> None:  # noqa: F811
        self.template, self.version, self.folder, self.bin_ = template, version, folder, bin_

    def write(self, answers: Answers, name: str = "generated") -> Path:
        path = self.folder / name / "service"
        copier.run_copy(str(self.template), path, dict(answers), vcs_ref=self.version, defaults=True, quiet=True)
        commit(path, "Start")
        return path

    def answer(self, path: Path, answers: str, **more: str) -> Finished:
        variables = environment(self.bin_, ANSWERS=answers, COPIER=REMEMBERING, **more)
        return subprocess.run(
            COMMAND, cwd=path, env=variables, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )


@pytest.fixture
def service(two_releases: Template, tmp_path: Path, bin_: Path) -> Service:  # noqa: F811
    # Of the older release: other answers are no update.
    return Service(two_releases.path, two_releases.first, tmp_path, bin_)


def agree(service: Service, before: Answers, change: Answers) -> None:
    path = service.write(before)
    old = updating.tree(path)
    ran = service.answer(path, flag(change), CONFIRM="1")
    assert ran.returncode == UP_TO_DATE, ran.stdout + ran.stderr
    fresh = updating.tree(service.write({**before, **change}, "fresh"))
    after = updating.tree(path)
    rules = (service.template / "copier.yml").read_text()
    theirs = owned({*old, *after, *fresh}, kept(rules)) | owned(old.keys() & fresh.keys(), skipped(rules))
    remains = {name for name in old.keys() - fresh.keys() if name.startswith("migrations/chassis/")}
    assert updating.difference(after, fresh) <= theirs | remains
    assert not updating.difference(after, old) & theirs
    for name in remains:
        was, now = (tree[name][1].decode() for tree in (old, after))
        assert re.findall("^revision: .*", was, re.MULTILINE) == re.findall("^revision: .*", now, re.MULTILINE)
        assert name in ran.stdout
        assert "create_table" not in now
    for name in {name for name in old.keys() - after.keys() if name not in theirs}:
        assert f"\n  {name}\n" in ran.stdout, "it went unannounced"


@pytest.mark.parametrize("change", [{"features": ["jobs", "upstream"]}, {"features": []}], ids=str)
def test_features(service: Service, change: Answers) -> None:
    agree(service, LEAST if change["features"] else MOST, change)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "change"), others(), ids=str)
def test_every_answer_on_and_off(service: Service, before: Answers, change: Answers) -> None:
    agree(service, before, change)


def test_what_make_wrote_goes_with_what_wrote_it(service: Service) -> None:
    path = service.write({"compliance_level": "personal-data"})
    (path / "legal/records.md").write_text("# Records\n")
    commit(path, "Records")
    ran = service.answer(path, "compliance_level=baseline", CONFIRM="1")
    assert ran.returncode == UP_TO_DATE, ran.stdout + ran.stderr
    assert "\n  legal/records.md\n" in ran.stdout
    assert not [*path.glob("legal/*")]  # git knows no empty folder


def test_what_goes_is_said_before_it_goes(service: Service) -> None:
    path = service.write({"features": ["jobs", "upstream"]})
    histories.append(path / "src/app/upstreams.py", "\nOURS = 1\n")
    histories.append(
        path / "src/app/reports.py", '"""Ours."""\n\nfrom app.chassis.jobs.job import job\n\n__all__ = ["job"]\n'
    )
    commit(path, "Edits")
    before = updating.tree(path)
    ran = service.answer(path, "features=[]")
    assert (ran.returncode, updating.tree(path)) == (REFUSED, before), ran.stdout + ran.stderr
    assert "Nothing was changed" in ran.stderr
    assert "\n  src/app/worker.py\n" in ran.stdout
    assert "\n  src/app/upstreams.py (edited by you)\n" in ran.stdout
    assert "\n  src/app/reports.py: app.chassis.jobs.job\n" in ran.stdout
    assert "\n  src/app/orders/jobs.py: app.chassis.jobs" in ran.stdout
    assert "\n  migrations/chassis/jobs.py\n" in ran.stdout.split("The tables of these stay")[1]

    ran = service.answer(path, "features=[]", CONFIRM="1")
    assert ran.returncode == UP_TO_DATE, ran.stdout + ran.stderr
    assert not (path / "src/app/worker.py").exists()
    assert updating.tree(path)["src/app/reports.py"] == before["src/app/reports.py"]
    commit(path, "Without")

    again = service.answer(path, "features=[jobs]")
    assert again.returncode == REFUSED
    assert "alembic downgrade jobs@base" in again.stderr
    (path / "migrations/chassis/jobs.py").unlink()
    commit(path, "Forgotten everywhere")
    assert service.answer(path, "features=[jobs]").returncode == UP_TO_DATE
    assert updating.tree(path)["migrations/chassis/jobs.py"] == before["migrations/chassis/jobs.py"]


def test_edits_survive(service: Service) -> None:
    path = service.write({"features": []})
    histories.edits(path)
    commit(path, "Edits")
    before = updating.tree(path)
    for answers in ("features=[jobs,upstream]", "features=[]"):
        ran = service.answer(path, answers, CONFIRM="1")
        assert ran.returncode == UP_TO_DATE, ran.stdout + ran.stderr
        commit(path, answers)
    changed = updating.difference(updating.tree(path), before)
    assert changed == {"migrations/chassis/jobs.py"}, "there and back leaves what is said, and nothing else"


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ("", "Say which answers change"),
        ("features", "Say which answers change"),
        ("colour=blue", "No such question: colour"),
        ("cloud=mars", "mars"),
        ("_commit=v9", "Say which answers change"),
    ],
)
def test_refusals(service: Service, answers: str, sentence: str) -> None:
    path = service.write(LEAST)
    before = updating.tree(path)
    ran = service.answer(path, answers)
    assert (ran.returncode, updating.tree(path)) == (REFUSED, before)
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr


def test_nothing_to_do(service: Service) -> None:
    path = service.write(LEAST)
    ran = service.answer(path, "features=[] cloud=none")
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (UP_TO_DATE, "These are the answers already.")


OFF: Answers = {"features": [], "authentication": "oidc", "compliance_level": "baseline", "cloud": "none"}
ON: dict[str, Answers] = {
    "code": {"features": FEATURES, "authentication": "api-keys", "compliance_level": "regulated"},
    "cloud": {"cloud": "aws"},
}


@pytest.mark.release
@pytest.mark.xdist_group("gate")
@pytest.mark.parametrize("on", ON)
def test_the_check_is_green_after_everything_was_turned_on_and_off(service: Service, tmp_path: Path, on: str) -> None:
    """The owner's files are those of a service without any of it."""
    path = service.write(OFF)
    machine = new_machine(tmp_path / "home", uv=True)
    machine.environment |= {"COPIER": f"{sys.executable} -m copier", "CONFIRM": "1"}
    machine.done(path, "make", "test", "ARGS=--collect-only --quiet")
    commit(path, "Lock")
    for answers in (ON[on], {name: OFF[name] for name in ON[on]}):
        ask = ("make", "template-answers", f"ANSWERS={flag(answers)}")
        if answers != ON[on] and "cache" in ON[on].get("features", []):
            refused = machine.run(path, *ask).stderr
            assert "remain from before" in refused
            for name in re.findall("^  (migrations/chassis/.*)$", refused, re.MULTILINE):
                (path / name).unlink()
            commit(path, "As it says, after every database")
        assert "the check is green" in machine.done(path, *ask)
        commit(path, flag(answers))
    assert set(yaml.safe_load((path / ".copier-answers.yml").read_text())) >= set(OFF)
    assert git(path, "status", "--porcelain") == ""
