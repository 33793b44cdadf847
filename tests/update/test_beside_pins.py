"""What the template changes beside a pin that Dependabot has moved does not collide with it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.services import commit, git

OLD, OURS, THEIRS = "1" * 40 + " # v1.0.0", "2" * 40 + " # v1.2.0", "3" * 40 + " # v1.1.0"
BASE = f"a:\n  - name: x\n    uses: o/x@{OLD}\n  - name: y\n    uses: o/y@{OLD}\n"
STEP = "  - name: new\n    run: echo\n"


def settled(folder: Path, base: str, ours: str, theirs: str) -> str:
    """Leave the file as Copier leaves a conflict, and settle it."""
    (folder / "f").write_text(ours)
    commit(folder, "Ours")
    stages = []
    for stage, text in enumerate((base, ours, theirs), 1):
        (folder / f"{stage}.txt").write_text(text)
        stages.append(f"100644 {git(folder, 'hash-object', '-w', f'{stage}.txt').strip()} {stage}\tf\n")
    index = f"0 {'0' * 40}\tf\n{''.join(stages)}"
    subprocess.run(["git", "update-index", "--index-info"], cwd=folder, input=index, text=True, check=True)
    git(folder, "checkout", "--merge", "f")
    code = "from dev import template_update; template_update.settle_pins('f')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "template")}
    subprocess.run([sys.executable, "-B", "-c", code], cwd=folder, env=environment, check=True)
    return (folder / "f").read_text()


def test_a_step_beside_a_pin(tmp_path: Path) -> None:
    theirs = BASE.replace(OLD, THEIRS).replace("  - name: y", f"{STEP}  - name: y")
    merged = settled(tmp_path, BASE, BASE.replace(OLD, OURS), theirs)
    assert merged == theirs.replace(THEIRS, OURS)
    assert git(tmp_path, "ls-files", "--unmerged") == ""


def test_another_action_is_for_a_person(tmp_path: Path) -> None:
    ours = BASE.replace(OLD, OURS).replace("o/x", "p/x")
    merged = settled(tmp_path, BASE, ours, BASE.replace(OLD, THEIRS))
    assert f"p/x@{OURS}" in merged
    assert f"o/x@{THEIRS}" in merged
    assert f"o/y@{OURS}" in merged
    assert git(tmp_path, "ls-files", "--unmerged") != ""
