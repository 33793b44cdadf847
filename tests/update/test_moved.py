"""Copier sees no renames. The update command follows them: the owner's, and the template's."""

import shutil
from pathlib import Path

import copier
import pytest

from tests import releases
from tests.services import commit, git
from tests.update import histories, updating
from tests.update.conftest import Template
from tests.update.test_template_update import Run, bin_, run  # noqa: F401

OURS, THEIRS = "dev/traffic.py", "docs/migrations.md"
RENAMED, NEW_NAME = "docs/rituals.md", "docs/drills.md"
HERE, THERE = "# The owner's.\n", "# Since the release.\n"


@pytest.fixture
def template(two_releases: Template, tmp_path: Path) -> Path:
    path = shutil.copytree(two_releases.path, tmp_path / "template")
    git(path, "tag", "--delete", two_releases.second)
    git(path, "reset", "--quiet", "--hard", two_releases.first)
    for name in (OURS, THEIRS, RENAMED):
        file = path / "template" / name
        file.write_text(THERE + file.read_text())
    (path / "template" / RENAMED).rename(path / "template" / NEW_NAME)
    histories.replace(path / "copier.yml", "_exclude:\n", f"_exclude:\n  - {RENAMED}\n")
    histories.append(path / "hooks/renames.txt", f"{RENAMED} -> {NEW_NAME}\n")
    releases.release(path, "v1000.2.0")
    return path


@pytest.fixture
def service(template: Path, two_releases: Template, tmp_path: Path) -> Path:
    service = tmp_path / "service"
    copier.run_copy(str(template), service, vcs_ref=two_releases.first, defaults=True, quiet=True)
    commit(service, "Start")
    return service


def move(service: Path, name: str) -> Path:
    (service / "ours").mkdir(exist_ok=True)
    return (service / name).rename(service / "ours" / Path(name).name)


def test_what_moved_still_gets_what_the_template_changes(service: Path, run: Run) -> None:  # noqa: F811
    file = move(service, OURS)
    commit(service, "Move")
    histories.append(file, HERE)
    histories.append(service / RENAMED, HERE)
    commit(service, "Edits")
    ran = run(service)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert file.read_text().startswith(THERE)
    assert file.read_text().endswith(HERE)
    assert not (service / OURS).exists()
    # renamed by the template
    assert not (service / RENAMED).exists()
    assert (service / NEW_NAME).read_text().startswith(THERE)
    assert (service / NEW_NAME).read_text().endswith(HERE)
    assert updating.marked(service) == []


def test_a_conflict_there_is_said_too(service: Path, run: Run) -> None:  # noqa: F811
    file = move(service, THEIRS)
    commit(service, "Move")
    file.write_text(HERE + file.read_text())
    (service / RENAMED).write_text(HERE + (service / RENAMED).read_text())
    commit(service, "Edits")
    ran = run(service)
    assert ran.returncode == 1
    for name in ("ours/migrations.md", NEW_NAME):
        assert f"\n  {name}\n" in ran.stderr
        assert f"  conflict {name}" in ran.stdout
        assert HERE in (service / name).read_text()
        assert THERE in (service / name).read_text()
