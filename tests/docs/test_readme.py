"""The README's own commands, from a clone on a machine that has only Python, git and make; and with uv."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.documents import blocks
from tests.gate.machine import new_machine

UVX, MAKE_SERVICE, FIRST_COMMANDS, *_ = blocks((ROOT / "README.md").read_text())


def test_without_uv(edited: Path, tmp_path: Path) -> None:
    machine = new_machine(tmp_path / "home", uv=False)
    machine.done(edited, "sh", "-ec", MAKE_SERVICE)
    service = edited.parent / "my-service"
    machine.done(service, "sh", "-ec", FIRST_COMMANDS.removesuffix("make dev\n"))


def test_uvx(template: Path, tmp_path: Path) -> None:
    machine = new_machine(tmp_path / "home", uv=True)
    # Nobody is there to answer, and this test is about the clone's newest commit, not its newest release.
    command = UVX.strip().replace("ADDRESS", f"git+{template.as_uri()}") + " --defaults --vcs-ref HEAD"
    assert "trust" not in command
    machine.done(tmp_path, "sh", "-ec", command)
    assert "name: my-service" in (tmp_path / "my-service/.copier-answers.yml").read_text()


@pytest.mark.parametrize(
    "target",
    ["service", "test", "test-slow", "test-all", "sabotage", "bench", "lint", "reserved-names", "requirements"],
)
def test_help(template: Path, tmp_path: Path, target: str) -> None:
    assert f"make {target} " in new_machine(tmp_path / "home", uv=False).done(template, "make", "help")
