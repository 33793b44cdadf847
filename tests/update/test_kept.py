"""What an update leaves alone, and that a release which takes a path away is refused."""

import re

import pytest
import yaml

from tests.releases import ROOT
from tests.update import histories
from tests.update.conftest import Template
from tests.update.kept import Loader, kept, owned, paths, vanished

COPIER_YML = """\
_exclude:
  - docs/abandoned.md
  - |
    #% if not jobs %#
    src/app/jobs
    #% endif %#
  - |
    #% if _copier_operation == "update" %#
    src/app/orders
    #% endif %#
"""
TREE = ["Makefile", "docs/abandoned.md", "src/app/jobs/queue.py", "src/app/orders/api.py"]


@pytest.mark.parametrize(
    ("gone", "refused"),
    [
        ("Makefile", ["Makefile"]),
        ("docs/abandoned.md", []),
        ("src/app/orders/api.py", []),
        # Only those who have no jobs are safe.
        ("src/app/jobs/queue.py", ["src/app/jobs/queue.py"]),
    ],
)
def test_vanished(gone: str, refused: list[str]) -> None:
    assert vanished(TREE, [path for path in TREE if path != gone], kept(COPIER_YML)) == refused


def test_a_release_that_takes_a_path_away(two_releases: Template) -> None:
    old, new = (paths(two_releases.path, version) for version in (two_releases.first, two_releases.second))
    handled = kept((two_releases.path / "copier.yml").read_text())
    assert vanished(old, new, handled) == []
    handled.remove(histories.ABANDONED)
    assert vanished(old, new, handled) == [histories.ABANDONED]


def test_ours() -> None:
    patterns = kept((ROOT / "copier.yml").read_text())
    assert owned(["src/app/orders/api.py", "src/app/main.py"], patterns) == {"src/app/orders/api.py"}


def test_the_service_is_told_the_truth() -> None:
    """The owner's paths stand in copier.yml, for Copier, and in the service's table of ownership, for its reader."""
    guarded = re.search(
        r'#% if _copier_operation == "update" %#\n(.*?)#% endif', (ROOT / "copier.yml").read_text(), re.DOTALL
    )
    assert guarded
    row = re.search(
        r"^\| \*\*yours\*\* \|(.*?)\|", (ROOT / "template/docs/ownership.md.jinja").read_text(), re.MULTILINE
    )
    assert row
    assert re.findall(r"`(.+?)/?`", row[1]) == guarded[1].split()


def test_the_service_is_told_what_is_written_where_it_is_missing() -> None:
    row = re.search(
        r"^\| \*\*yours\*\*, if missing written \|(.*?)\| writes",
        (ROOT / "template/docs/ownership.md.jinja").read_text(),
        re.MULTILINE,
    )
    assert row
    patterns = next(yaml.load_all((ROOT / "copier.yml").read_text(), Loader))["_skip_if_exists"]
    assert re.findall(r"`(.+?)/?`", row[1]) == [pattern.removesuffix("/*") for pattern in patterns]
