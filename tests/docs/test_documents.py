"""No document says what is not so: every command is run by a test, every link and path leads somewhere."""

from pathlib import Path

import pytest

from tests.conftest import ROOT, Render
from tests.docs.documents import commands, paths, relative_links
from tests.render.test_render import PROFILES

DOCUMENTS = [path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]]

# Which test runs a command: a file and words in it. Docker is not there where these tests run.
WALK, GATE, DEV = "tests/docs/test_readme.py", "tests/gate/test_gate.py", "tests/gate/test_dev.py"
RITUALS = "tests/gate/test_rituals.py"
TEMPLATE_COMMANDS = {
    "uvx copier copy ADDRESS my-service": (WALK, "test_uvx"),
    "make service DEST=../my-service": (WALK, "test_without_uv"),
    "git init": (WALK, "test_without_uv"),
    "git add --all": (WALK, "test_without_uv"),
    'git commit --message "Start"': (WALK, "test_without_uv"),
    "make check": (WALK, "test_without_uv"),
    "make dev": (DEV, "test_the_readmes_walk"),
    "make help": (WALK, "test_help"),
    "make lint": (".ci/run", "make lint"),
    "make test": (".ci/run", " test "),
    "make test-slow": (".ci/run", " test-slow"),
}
SERVICE_COMMANDS = {
    "make check": (GATE, '"make", "check"'),
    "make dev": (DEV, "test_the_readmes_walk"),
    "TOKEN=$(make token)": (DEV, "first_request"),
    "curl": (DEV, "first_request"),
    'make migration NAME="add a delivery date"': (DEV, "NAME=add a delivery date"),
    "make readiness": (GATE, '"make", "readiness"'),
    "make template-update": ("tests/update/test_template_update.py", '*(target or ["template-update"])'),
    "make soak MINUTES=10": (RITUALS, '"make", "soak"'),
    "make rehearse KILLS=20": (RITUALS, '"make", "rehearse"'),
    "make restore-drill": (RITUALS, '"make", "restore-drill"'),
    "make load": (RITUALS, '"make", "load"'),
    "docker build --tag my-service .": None,
}

# What the first `make` writes.
WRITTEN = {"legal/records.md"}


def test_every_command_of_the_template_is_run() -> None:
    found = commands((ROOT / "README.md").read_text()) | commands((ROOT / "CONTRIBUTING.md").read_text())
    assert found == set(TEMPLATE_COMMANDS)


def test_every_command_of_a_service_is_run(render: Render) -> None:
    found = commands((render() / "README.md").read_text())
    assert {"curl" if command.startswith("curl ") else command for command in found} == set(SERVICE_COMMANDS)


@pytest.mark.parametrize("run_by", {*TEMPLATE_COMMANDS.values(), *SERVICE_COMMANDS.values()} - {None})
def test_what_runs_a_command_is_there(run_by: tuple[str, str]) -> None:
    file, words = run_by
    assert words in (ROOT / file).read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    folder = (ROOT / document).parent
    assert [link for link in relative_links((ROOT / document).read_text()) if not (folder / link).exists()] == []


def test_paths_of_the_contributors_guide_are_there() -> None:
    found = paths((ROOT / "CONTRIBUTING.md").read_text())
    assert found
    assert [path for path in found if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_links_and_paths_of_a_service_lead_somewhere(render: Render, profile: str) -> None:
    service = render(**PROFILES[profile])
    for document in service.rglob("*.md"):
        text = document.read_text()
        assert [link for link in relative_links(text) if not (document.parent / link).exists()] == []
        # What a command writes is there once it ran.
        written = {path for path in paths(text) if path.startswith("reports/") or path in WRITTEN}
        assert [path for path in paths(text) - written if not (service / path).exists()] == []
