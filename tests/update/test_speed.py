"""What an update costs, against a template of the same paths in which Copier has nothing to ask, compare or fill in.

Copier renders every path of a template, parts and all, three times in an update, before it asks whether the service
takes it. So what a service has not chosen belongs to the floor: it is there, and excluded by name.

Processor time, of children too, because it is the same on a busy machine.
"""

import json
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

FLOOR_RATIO = 1.2
NO_OP_SECONDS = 3


def seconds(work: Callable[[], object]) -> float:
    before = os.times()
    work()
    return sum(os.times()[:4]) - sum(before[:4])


def copies(template: Path, service: Path, source: Path) -> None:
    """A template that writes what a service has, and leaves out by name what else there is in the source."""
    taken = {str(path.relative_to(service)): path for path in updating.files(service)}
    offered = {str(path.relative_to(source)).removesuffix(".jinja"): path for path in updating.files(source)}
    for name, path in (offered | taken).items():
        target = template / "template" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    others = [f"/{name}" for name in offered if name not in taken]
    settings = {"_subdirectory": "template", "_exclude": others, "name": {"type": "str", "default": "a"}}
    (template / "copier.yml").write_text(json.dumps(settings))


@pytest.mark.release
def test_an_update_costs_little_more_than_copiers_own(
    two_releases: Template, generate: Generate, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    answers = bare / "template" / "{{ _copier_conf.answers_file }}.jinja"
    for version in (two_releases.first, two_releases.second):
        copies(bare, generate(version, version), two_releases.path / "template")
        answers.write_text("{{ _copier_answers|to_nice_yaml }}\n")
        (bare / "template/.copier-answers.yml").unlink()
        if version == two_releases.first:
            commit(bare, "Start")
        releases.release(bare, version)
    simple = tmp_path / "simple"
    copier.run_copy(str(bare), simple, vcs_ref=two_releases.first, defaults=True, quiet=True)
    commit(simple, "Start")
    service = generate()
    names = [{path.relative_to(folder) for path in updating.files(folder)} for folder in (simple, service)]
    assert names[0] == names[1]
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
