"""Two releases of the template, and services generated from the first."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import copier
import pytest

from tests import releases
from tests.services import commit
from tests.update import histories, remembering


class Template(NamedTuple):
    """A clone with two more releases than the history has: the working tree, and the working tree developed further."""

    path: Path
    first: str = "v1000.0.0"
    second: str = "v1000.1.0"


class Generate(Protocol):
    def __call__(self, version: str = ..., folder: str = ..., *, under_git: bool = ...) -> Path: ...


@pytest.fixture(scope="session", autouse=True)
def memory(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.setdefault(remembering.MEMORY, str(tmp_path_factory.mktemp("memory")))


@pytest.fixture
def remembered() -> Iterator[None]:
    """Copier with a memory, for tests that are about what surrounds it."""
    with remembering.remembered():
        yield


@pytest.fixture(scope="session")
def two_releases(tmp_path_factory: pytest.TempPathFactory) -> Template:
    template = Template(tmp_path_factory.mktemp("releases") / "template")
    releases.clone(template.path)
    releases.copy_working_tree(template.path)
    histories.first_release(template.path)
    releases.release(template.path, template.first)
    histories.second_release(template.path)
    releases.release(template.path, template.second)
    return template


@pytest.fixture
def generate(two_releases: Template, tmp_path: Path) -> Generate:
    """Write a service from the first of the two releases, or another one; `commit` it as its owner would."""

    def write(version: str = two_releases.first, folder: str = "generated", *, under_git: bool = True) -> Path:
        # The folder names the service.
        service = tmp_path / folder / "service"
        copier.run_copy(str(two_releases.path), service, vcs_ref=version, defaults=True, quiet=True)
        if under_git:
            commit(service, "Start")
        return service

    return write
