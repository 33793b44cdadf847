"""Which paths an update leaves alone, read from `_exclude` in copier.yml, and which ones a release would take away."""

import re
from collections.abc import Iterable
from pathlib import Path

import yaml
from pathspec import PathSpec

from tests.services import git


class Loader(yaml.SafeLoader):
    """Copier's YAML: `!include` brings questions, which are of no interest here."""


Loader.add_constructor("!include", lambda *_: {})


def kept(copier_yml: str) -> list[str]:
    """Return the patterns that hold in every update: those of the owner's paths, and of paths the template abandoned.

    A path that depends on an answer is not among them: those who answered otherwise would lose it.
    """
    patterns: list[str] = []
    for entry in next(yaml.load_all(copier_yml, Loader))["_exclude"]:
        guarded = re.fullmatch(r'\s*#% if _copier_operation == "update" %#\n(.*)#% endif %#\s*', entry, re.DOTALL)
        text = guarded[1] if guarded else entry
        if "#%" not in text:
            patterns += text.splitlines()
    return patterns


def skipped(copier_yml: str) -> list[str]:
    """Return the patterns of what an update writes where it is missing, and else leaves alone."""
    patterns: list[str] = next(yaml.load_all(copier_yml, Loader)).get("_skip_if_exists", [])
    return patterns


def owned(paths: Iterable[str], patterns: Iterable[str]) -> set[str]:
    return set(PathSpec.from_lines("gitignore", patterns).match_files(paths))


def paths(template: Path, version: str) -> list[str]:
    """What a release can write, whatever is answered: its paths hang on no answer, for `_exclude` is the one map."""
    listed = git(template, "ls-tree", "-r", "-z", "--name-only", version, "template/").split("\0")
    return [re.sub(r"^template/|\.jinja$", "", path) for path in listed if path]


def vanished(old_tree: Iterable[str], new_tree: Iterable[str], handled: Iterable[str]) -> list[str]:
    """Return the paths that Copier would delete in a service, its owner's edits with them, without a word."""
    gone = set(old_tree) - set(new_tree)
    return sorted(gone - owned(gone, handled))
