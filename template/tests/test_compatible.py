"""The previous release works on the new schema: while a deploy rolls, and after it was rolled back, it has to."""

import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from app.settings import Settings
from dev.environment import PROJECT


def git(*arguments: str) -> str | None:
    """Return what git says, or None if it refuses."""
    try:
        asked = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=PROJECT)  # noqa: S607
    except FileNotFoundError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def previous_release() -> str | None:
    """Return the commit that this checkout will replace, or None.

    The last tag `v…`, if there is one; on a branch, where it left origin/main; else the last commit that is not just
    what lies here.
    """
    last = git("rev-parse", "--verify", "HEAD" if git("status", "--porcelain") else "HEAD^")
    if last is None:
        return None
    tag = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", last)
    return git("rev-parse", f"{tag}^{{commit}}") if tag else git("merge-base", "origin/main", last) or last


def is_migrated_since(release: str) -> bool:
    """Is there a revision that the release does not know, or one that reads differently?"""
    changed = git("diff", "--name-only", release, "--", "migrations", ":(exclude)migrations/env.py")
    return bool(changed or git("ls-files", "--others", "--exclude-standard", "migrations"))


@pytest.mark.row("data.compatible")
def test_the_previous_release_passes_its_smoke_tests_on_the_new_schema(server: str, tmp_path: Path) -> None:
    """Smoke tests are those marked `smoke`. They run with the release's code, on databases with the new revisions."""
    release = previous_release()
    if release is None:
        pytest.skip("there is no earlier commit")
    if not is_migrated_since(release):
        return  # it runs on the schema it was tested with
    smoke = git("grep", "--files-with-matches", "mark[.]smoke", release, "--", "tests")
    if not smoke or not git("grep", "TEST_DATABASE_MIGRATED", release, "--", "tests/conftest.py"):
        pytest.skip(f"{release[:10]} has no smoke tests, or none that run on another schema than its own")
    archive = subprocess.run(
        ["git", "archive", f"{release}:{git('rev-parse', '--show-prefix') or ''}"],  # noqa: S607
        capture_output=True,
        check=True,
        cwd=PROJECT,
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(tmp_path, filter="data")

    # Settings come from its own .env.example.
    environment = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "smoke", "--quiet", *smoke.replace(f"{release}:", "").splitlines()],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment
        | {"PYTHONPATH": str(tmp_path / "src"), "TEST_DATABASE_URL": server, "TEST_DATABASE_MIGRATED": "yes"},
    )
    said = tested.stdout + tested.stderr  # of what conftest.py cannot import, pytest tells there
    if missing := re.search(r"ModuleNotFoundError: .*", said):
        pytest.skip(f"{release[:10]} needs what this release has no more: {missing[0]}")
    assert tested.returncode == 0, f"{release[:10]} fails on the new schema: docs/migrations.md\n{said}"
