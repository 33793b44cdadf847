"""The releases in this repository's history: the commits whose subject is `Release vX.Y.Z`.

Copier finds releases by their tags, but tags do not travel with every clone. So tests take a clone of their own, where
those commits are tagged and where the working tree can become the next release.
"""

import re
import shutil
from pathlib import Path

from packaging.version import Version

from tests.services import git

ROOT = Path(__file__).parents[1]


def releases(repository: Path = ROOT) -> dict[str, str]:
    """Version -> commit, oldest version first."""
    if git(repository, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise ValueError(f"{repository} is a shallow clone, which hides releases: git fetch --unshallow")
    found: dict[str, str] = {}
    # Before the first commit there is no HEAD, and nothing wrong with that.
    for line in git(repository, "log", "--ignore-missing", "--format=%H %s", "HEAD").splitlines():
        commit, _, subject = line.partition(" ")
        if match := re.fullmatch(r"Release (v\S+)", subject):
            if match[1] in found:
                raise ValueError(f"{found[match[1]]} and {commit} are both {subject!r}: a release never moves")
            found[match[1]] = commit
    return dict(sorted(found.items(), key=lambda item: Version(item[0])))


def clone(destination: Path, repository: Path = ROOT) -> dict[str, str]:
    """Clone the repository, tag every release there, and return them."""
    git(repository, "clone", "--quiet", "--no-tags", str(repository), str(destination))
    found = releases(repository)
    for version, commit in found.items():
        git(destination, "tag", version, commit)
    return found


def copy_working_tree(destination: Path, repository: Path = ROOT) -> None:
    """Make the clone's files those of the repository's folder, committed or not."""
    git(destination, "rm", "-r", "--quiet", "--ignore-unmatch", ".")
    for name in git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        source, target = repository / name, destination / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def release(repository: Path, version: str) -> None:
    """Commit what is in the clone's folder, and tag it. The working tree may well equal the last release."""
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", f"Release {version}")
    git(repository, "tag", version)
