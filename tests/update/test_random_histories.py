"""A sample of the made-up histories (more: `make histories`), those that once failed, and a year of a service."""

from pathlib import Path

import pytest

from tests import releases
from tests.services import commit, git
from tests.update import merges, random_histories, remembering, updating
from tests.update.random_histories import NEXT, NOW, History

EXAMPLES = {
    # Files that moved are followed, but the template's next idea of the owner's domain must not.
    "a renamed domain is not followed": History("v0.2.0", "keys, cache", NEXT[0], (("rename_the_domain", 666495),)),
    # A step that came beside a pin collided with the pin that Dependabot had moved.
    "a step beside a pin": History(NOW, "defaults", NEXT[2], (("dependabot", 842117),)),
    # Two ways of comparing lines put the same edit in two places: no defect of the merge, one of its judge.
    "a reworded line": History("v0.1.0", "defaults", NOW, (("reword", 36687),)),
    # The template moved the lines around an owner's into a function of their own: they took it along, as they should.
    "a line in what moved": History("v0.1.0", "defaults", NOW, (("edit_python", 336219),)),
    "pins of both sides": History(NOW, "cloud", NEXT[0], (("dependabot", 375441),)),
}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_histories.build(tmp_path_factory.mktemp("years") / "template")


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_what_once_failed(template: Path, name: str) -> None:
    outcome = random_histories.run(template, EXAMPLES[name])
    assert outcome.problems == []
    assert "dependabot" not in outcome.conflicts


@pytest.mark.slow
def test_a_sample(template: Path) -> None:
    failed, numbers = random_histories.many(template, range(1000, 1024), processes=2)
    assert failed == []
    assert numbers["files merged that both sides changed"] > 10


@pytest.mark.release
def test_years(template: Path) -> None:
    """One from the first release and one from the newest with everything; more of them: `make histories`."""
    failed, numbers = random_histories.years(template, [12], processes=2)
    assert failed == []
    for start, updates in {next(iter(releases.releases())): 12, NOW: 10}.items():
        assert numbers[start]["updates"] >= updates
        assert numbers[start]["files merged that both sides changed"] > 20


@pytest.mark.parametrize(
    ("path", "base", "ours", "theirs", "merged", "good"),
    [
        ("a.toml", "a = 1\nb = 1\n", "a = 2\nb = 1\n", "a = 1\nb = 2\n", "a = 2\nb = 2\n", True),
        ("a.toml", "a = 1\nb = 1\n", "a = 2\nb = 1\n", "a = 1\nb = 2\n", "a = 1\nb = 2\n", False),
        ("a.toml", "a = [1]\n", "a = [1, 2]\n", "a = [3, 1]\n", "a = [3, 1, 2]\n", True),
        ("a.toml", "a = [1]\n", "a = [1, 2]\n", "a = [3, 1]\n", "a = [3, 1]\n", False),
        # Where three lines of context go wrong: the edit is there, and in the wrong block.
        (
            "a.yml",
            "a:\n  x: 1\nb:\n  x: 1\n",
            "a:\n  x: 1\nb:\n  x: 2\n",
            "n: 1\na:\n  x: 1\nb:\n  x: 1\n",
            "n: 1\na:\n  x: 2\nb:\n  x: 1\n",
            False,
        ),
        (
            "a.py",
            "def f():\n    a()\n    b()\n",
            "def f():\n    a(1)\n    b()\n",
            "def f():\n    a()\n    b(1)\n",
            "def f():\n    a(1)\n    b(1)\n",
            True,
        ),
        # What the template moved into a function of its own takes the owner's line along, and only that.
        (
            "a.py",
            "def f():\n    a()\n    b()\n    c()\n    d()\n    e()\n",
            "def f():\n    a()\n    b()\n    c()\n    # Ours\n    d()\n    e()\n",
            "def f():\n    g()\ndef g():\n    a()\n    b()\n    c()\n    d()\n    e()\n",
            "def f():\n    g()\ndef g():\n    a()\n    b()\n    c()\n    # Ours\n    d()\n    e()\n",
            True,
        ),
        (
            "a.py",
            "def f():\n    a()\n    b()\n    c()\n    d()\n    e()\n",
            "def f():\n    a()\n    b()\n    c()\n    # Ours\n    d()\n    e()\n",
            "def f():\n    g()\ndef g():\n    a()\n    b()\n    c()\n    d()\n    e()\n",
            "def f():\n    g()\ndef g():\n    a()\n    # Ours\n    b()\n    c()\n    d()\n    e()\n",
            False,
        ),
        ("a.py", "import a\n", "import a\nimport b\n", "import a\nimport c\n", "import a\nimport c\n", False),
        ("a.py", "x = 1\n", "x = 2\n", "x = 1\ny = 1\n", "x = 2\ny = 1\n", True),
        ("a.py", "x = 1\n", "x = 2\n", "x = 1\ny = 1\n", "x = 2\ny = (1\n", False),
        (
            "a.tf",
            'resource "a" "b" {\n  n = 1\n}\n',
            'resource "a" "b" {\n  n = 2\n}\n',
            'resource "a" "b" {\n  n = 1\n}\n# x\n',
            'resource "a" "b" {\n  n = 1\n}\n# x\n',
            False,
        ),
        ("a.md", "a\nb\n", "a\nb\nc\n", "z\na\nb\n", "z\na\nb\n", False),
        (
            "a.md",
            "a\nb\nc\n",
            "A\nb\nc\n",
            "a\nb\nC\n",
            "<<<<<<< before updating\nA\n=======\na\n>>>>>>> after updating\nb\nC\n",
            False,
        ),
        ("a.md", "a\n", "A\n", "B\n", "<<<<<<< before updating\nA\n=======\nB\n>>>>>>> after updating\n", True),
    ],
)
def test_a_bad_merge_is_seen(path: str, base: str, ours: str, theirs: str, merged: str, good: bool) -> None:
    assert (merges.problems(path, base, ours, theirs, merged) == []) == good


@pytest.mark.slow
def test_a_memory_changes_nothing(template: Path, tmp_path: Path) -> None:
    trees = []
    for name in ("plain", "first", "second"):
        service = tmp_path / name / "service"
        with remembering.remembered() if name != "plain" else pytest.MonkeyPatch.context():
            random_histories.written(template, NOW, {}, service)
            commit(service, "Start")
            (service / "src/app/main.py").write_text("# ours\n" + (service / "src/app/main.py").read_text())
            commit(service, "Edit")
            updating.update(service)
        trees.append(updating.tree(service))
        assert git(service, "status", "--porcelain")
    assert trees[0] == trees[1] == trees[2]
