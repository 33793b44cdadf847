"""What an update costs, against a template of the same files in which Copier has nothing to ask, compare or fill in.

Processor time, of children too, because it is the same on a busy machine.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import copier
import pytest

from tests import releases
from tests.services import commit
from tests.update import updating
from tests.update.conftest import Generate, Template
from tests.update.test_template_update import Run, bin_, run  # noqa: F401

FLOOR_RATIO = 1.5
NO_OP_SECONDS = 3


def seconds(work: Callable[[], object]) -> float:
    before = os.times()
    work()
    return sum(os.times()[:4]) - sum(before[:4])


def copies(template: Path, service: Path) -> None:
    """A template that only has what a service has."""
    for path in updating.files(service):
        target = template / "template" / path.relative_to(service)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())


@pytest.mark.release
def test_an_update_costs_little_more_than_copiers_own(
    two_releases: Template, generate: Generate, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "copier.yml").write_text("_subdirectory: template\nname:\n  type: str\n  default: a\n")
    answers = bare / "template" / "{{ _copier_conf.answers_file }}.jinja"
    for version in (two_releases.first, two_releases.second):
        copies(bare, generate(version, version))
        answers.write_text("{{ _copier_answers|to_nice_yaml }}\n")
        (bare / "template/.copier-answers.yml").unlink()
        if version == two_releases.first:
            commit(bare, "Start")
        releases.release(bare, version)
    simple = tmp_path / "simple"
    copier.run_copy(str(bare), simple, vcs_ref=two_releases.first, defaults=True, quiet=True)
    commit(simple, "Start")
    service = generate()
    floor, ours = seconds(lambda: updating.update(simple)), seconds(lambda: updating.update(service))
    assert updating.unmerged(simple) == []
    print(
        f"update: {ours:.1f} s of processor time, Copier's floor {floor:.1f} s, ratio {ours / floor:.2f}",
        file=sys.stderr,
    )
    assert ours < FLOOR_RATIO * floor


def test_nothing_to_do_costs_little(two_releases: Template, generate: Generate, run: Run) -> None:  # noqa: F811
    service = generate(two_releases.second)
    ran: list[subprocess.CompletedProcess[str]] = []
    took = seconds(lambda: ran.append(run(service)))
    assert ran[0].returncode == 0
    print(f"nothing to do: {took:.1f} s of processor time", file=sys.stderr)
    assert took < NO_OP_SECONDS
