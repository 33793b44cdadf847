"""What a person types: from URLs, and without `--trust`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import commit, git
from tests.update import histories, updating
from tests.update.conftest import Template

COPIER = [sys.executable, "-m", "copier"]
UVX = [sys.executable, "-m", "uv", "tool", "run", "copier"]


def run(*command: str, folder: Path) -> None:
    ran = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def bare(two_releases: Template, tmp_path: Path) -> Path:
    """As a server has it."""
    git(tmp_path, "clone", "--quiet", "--bare", str(two_releases.path), "template.git")
    return tmp_path / "template.git"


# Copier takes a file:// URL for a repository only if it ends in .git, or begins with git+.
@pytest.mark.parametrize("url", ["file://{bare}", "git+file://{clone}", "file://{clone}/.git"])
def test_copy_and_update(two_releases: Template, bare: Path, tmp_path: Path, url: str) -> None:
    there_and_back(COPIER, url.format(bare=bare, clone=two_releases.path), two_releases, tmp_path)


@pytest.mark.slow
def test_uvx(two_releases: Template, bare: Path, tmp_path: Path) -> None:
    if subprocess.run([*UVX, "--version"], check=False, capture_output=True).returncode:
        pytest.skip("uv could not get Copier: there is no package index here")
    there_and_back(UVX, f"file://{bare}", two_releases, tmp_path)


def there_and_back(copier: list[str], url: str, template: Template, folder: Path) -> None:
    service = folder / "service"
    run(*copier, "copy", url, "service", "--defaults", "--vcs-ref", template.first, folder=folder)
    commit(service, "Start")
    histories.edits(service)
    commit(service, "Edits")
    run(*copier, "update", "--defaults", "--context-lines", "100000", folder=service)
    assert updating.unmerged(service) == updating.marked(service) == []
    answers = (service / ".copier-answers.yml").read_text()
    assert f"_commit: {template.second}" in answers
    assert f"_src_path: {url}{os.linesep}" in answers
    assert (service / histories.NEW).is_file()
    health = (service / histories.HEALTH).read_text()
    assert "TIMEOUT_SECONDS = 3" in health
    assert histories.ROUTE in health
