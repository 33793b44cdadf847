"""Dependabot and the template move the same pin: the update ends without a conflict, and the newest wins."""

import shutil
import subprocess
import sys
from pathlib import Path

import copier
import pytest

from tests import releases
from tests.services import commit, git
from tests.update import histories, updating
from tests.update.conftest import Template
from tests.update.test_template_update import Run, bin_, run  # noqa: F401

CI = ".github/workflows/ci.yml"
CHECKOUT = "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
TEMPLATES = f"{'7' * 40} # v7.9.0"
OLDER, NEWER = f"{'6' * 40} # v7.2.11", f"{'8' * 40} # v7.10.0"
UV_IMAGE = "uv:0.13.0@sha256:cdc6093146eb3ff6a40107b38f008b789e050e77ad87865e381d9917da55a168"
PYTHON = "sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285"


@pytest.fixture
def template(two_releases: Template, tmp_path: Path) -> Path:
    """The first of the two releases, and one after it in which only pins moved."""
    path = shutil.copytree(two_releases.path, tmp_path / "template")
    git(path, "tag", "--delete", two_releases.second)
    git(path, "reset", "--quiet", "--hard", two_releases.first)
    histories.replace(path / f"template/{CI}.jinja", CHECKOUT, TEMPLATES)
    dockerfile = path / "template/Dockerfile.jinja"
    histories.replace(dockerfile, UV_IMAGE, f"uv:0.14.2@sha256:{'7' * 64}")
    histories.replace(dockerfile, PYTHON, f"sha256:{'7' * 64}")
    releases.release(path, "v1000.2.0")
    return path


@pytest.fixture
def service(template: Path, two_releases: Template, tmp_path: Path) -> Path:
    service = tmp_path / "service"
    copier.run_copy(str(template), service, vcs_ref=two_releases.first, defaults=True, quiet=True)
    commit(service, "Start")
    return service


def by_dependabot(service: Path, checkout: str) -> None:
    histories.replace(service / CI, CHECKOUT, checkout)
    histories.replace(service / "Dockerfile", UV_IMAGE, f"uv:0.13.9@sha256:{'6' * 64}")
    histories.replace(service / "Dockerfile", PYTHON, f"sha256:{'6' * 64}")
    commit(service, "Dependabot")


@pytest.mark.parametrize(("dependabots", "stays"), [(OLDER, TEMPLATES), (NEWER, NEWER)])
def test_the_newest_wins(service: Path, run: Run, dependabots: str, stays: str) -> None:  # noqa: F811
    by_dependabot(service, dependabots)
    ran = run(service)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert updating.unmerged(service) == updating.marked(service) == []
    assert git(service, "diff", "--cached", "--name-only") == "", "nothing is staged"
    assert stays in (service / CI).read_text()
    dockerfile = (service / "Dockerfile").read_text()
    assert f"uv:0.14.2@sha256:{'7' * 64}" in dockerfile
    # Two digests of one tag: what runs stays.
    assert f"sha256:{'6' * 64} AS python" in dockerfile


def test_anything_else_on_the_line_is_for_a_person(service: Path, run: Run) -> None:  # noqa: F811
    histories.replace(service / CI, f"actions/checkout@{CHECKOUT}", f"acme/checkout@{NEWER}")
    commit(service, "Our own")
    assert run(service).returncode == 1
    assert updating.unmerged(service) == [CI]


PIN = "      - uses: actions/checkout@{} # v{}\n"


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (PIN.format("a" * 40, "1.2.3"), PIN.format("b" * 40, "1.2.10"), PIN.format("b" * 40, "1.2.10")),
        (PIN.format("a" * 40, "2"), PIN.format("b" * 40, "1.9.9"), PIN.format("a" * 40, "2")),
        (PIN.format("a" * 40, "1.0.0"), PIN.format("b" * 40, "1.1.0") + "        with: {}\n", None),
        (PIN.format("a" * 40, "1.0.0"), "", None),
        ("FROM a:1@sha256:" + "a" * 64 + "\n", "FROM b:2@sha256:" + "b" * 64 + "\n", None),
    ],
)
def test_which_is_newer(template: Path, ours: str, theirs: str, expected: str | None) -> None:
    code = "import sys; from dev.template_update import newer_pins; print(repr(newer_pins(*sys.argv[1:])))"
    command = [sys.executable, "-c", code, ours, theirs]
    ran = subprocess.run(command, cwd=template / "template", capture_output=True, text=True)
    assert ran.stdout == f"{expected!r}\n", ran.stderr
