"""A service with its environment: the tools that check it are those of its own lock."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import services
from tests.gate.machine import Machine, new_machine
from tests.render.test_render import PROFILES


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return new_machine(tmp_path_factory.mktemp("home"), uv=True)


@pytest.fixture(scope="session")
def original(template: Path, machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that can be chosen, locked and committed. Never change it: `service` is for that."""
    service = services.write(template, tmp_path_factory.mktemp("workflows") / "my-service", PROFILES["defaults"])
    services.commit(service, "Start")
    machine.done(service, "make", ".venv/.ready")
    services.commit(service, "Lock")
    return service


@pytest.fixture
def service(original: Path) -> Iterator[Path]:
    yield original
    services.git(original, "reset", "--quiet", "--hard")
    services.git(original, "clean", "--quiet", "-fd")
