"""From every release that was ever made to the working tree. Before the first release there is nothing to look at."""

import re
from pathlib import Path

import copier
import pytest
import yaml

from tests import releases
from tests.gate.machine import new_machine
from tests.services import Answers, commit, git
from tests.update import updating
from tests.update.kept import kept, owned, paths, vanished

RELEASES = list(releases.releases())
NOW = "v1000.0.0"

# Ours, shared and yours, in files that every release has.
EDITED = ["src/app/chassis/http/health.py", "README.md", "src/app/orders/service.py"]
EDIT = "\n# Written by the owner.\n"


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every release, tagged, and the working tree as the newest."""
    template = tmp_path_factory.mktemp("history") / "template"
    releases.clone(template)
    releases.copy_working_tree(template)
    releases.release(template, NOW)
    return template


def copy(template: Path, service: Path, version: str, answers: Answers | None = None) -> Path:
    copier.run_copy(str(template), service, dict(answers or {}), vcs_ref=version, defaults=True, quiet=True)
    return service


def answers(service: Path) -> Answers:
    """What was asked since the release is answered for a service that exists as it has been so far."""
    remembered = yaml.safe_load((service / ".copier-answers.yml").read_text())
    return {name: answer for name, answer in remembered.items() if not name.startswith("_")}


@pytest.mark.parametrize("version", RELEASES)
def test_an_untouched_service_becomes_a_fresh_one(history: Path, tmp_path: Path, version: str) -> None:
    service = copy(history, tmp_path / "old" / "service", version)
    commit(service, "Start")
    before = updating.tree(service)
    updating.update(service)
    new = copy(history, tmp_path / "new" / "service", NOW, answers(service))
    after, fresh = updating.tree(service), updating.tree(new)
    theirs = owned({*before, *after, *fresh}, kept((history / "copier.yml").read_text()))
    assert updating.difference(after, fresh) <= theirs
    assert not updating.difference(after, before) & theirs


@pytest.mark.parametrize("version", RELEASES)
def test_edits_survive(history: Path, tmp_path: Path, version: str) -> None:
    service = copy(history, tmp_path / "service", version)
    for path in EDITED:
        with (service / path).open("a") as file:
            file.write(EDIT)
    commit(service, "Edits")
    updating.update(service)
    assert not [path for path in EDITED if EDIT not in (service / path).read_text()]
    # The end of a file may well change on both sides; then it must show, and nowhere else.
    assert set(updating.unmerged(service)) <= set(EDITED)


@pytest.mark.slow
@pytest.mark.xdist_group("gate")
@pytest.mark.parametrize(
    "version", [*(pytest.param(each, marks=pytest.mark.release) for each in RELEASES[:-1]), RELEASES[-1]]
)
def test_the_check_is_green_afterwards(history: Path, tmp_path: Path, version: str) -> None:
    """The owner's files are those of the release, everything else is new: they still fit together."""
    service = copy(history, tmp_path / "service", version)
    commit(service, "Start")
    updating.update(service)
    new_machine(tmp_path / "home", uv=True).done(service, "make", "check")


@pytest.mark.parametrize("version", RELEASES)
def test_no_path_vanishes(history: Path, version: str) -> None:
    handled = kept((history / "copier.yml").read_text())
    assert vanished(paths(history, version), paths(history, NOW), handled) == [], (
        "An update deletes these in every service, with what their owners wrote in them. "
        "List each in copier.yml under _exclude: docs/releasing.md says how."
    )


@pytest.mark.parametrize("version", RELEASES)
def test_every_release_says_what_it_brings(history: Path, version: str) -> None:
    changelog = git(history, "show", f"{version}:CHANGELOG.md")
    assert re.search(rf"^## .*{re.escape(version.removeprefix('v'))}\b", changelog, re.MULTILINE)
