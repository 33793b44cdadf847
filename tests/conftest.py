"""What every test stands on: nothing of this machine's configuration, and the working tree as a committed template."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Protocol

import plumbum
import pytest

from tests import services

ROOT = Path(__file__).parents[1]
# Prints a configuration of Terraform that takes providers from this machine. It is not everywhere.
MIRROR = ROOT.parent / "shared/tools/terraform-mirror"

os.environ.update(
    GIT_CONFIG_GLOBAL=os.devnull,
    # Repositories of tests need not survive a power cut, and waiting for the disk is most of what git does.
    GIT_CONFIG_COUNT="1",
    GIT_CONFIG_KEY_0="core.fsync",
    GIT_CONFIG_VALUE_0="none",
    GIT_AUTHOR_NAME="Test",
    GIT_AUTHOR_EMAIL="test@example.com",
    GIT_COMMITTER_NAME="Test",
    GIT_COMMITTER_EMAIL="test@example.com",
    COPIER_SETTINGS_PATH="/nowhere",
    UV_PYTHON_DOWNLOADS="never",
    PYTEST_XDIST_AUTO_NUM_WORKERS="2",  # of a service's check: several run at the same time
)
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of the `make test` that runs this
    os.environ.pop(name, None)
# Where nothing is compiled to stay, as in many images, each process of a service would compile everything again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A job in a shell's background ignores SIGINT, and so would all that tests start, to interrupt it.
signal.signal(signal.SIGINT, signal.default_int_handler)
plumbum.local.env.update(os.environ)  # Copier runs git through plumbum, which keeps the environment it found first


class Render(Protocol):
    def __call__(self, **answers: str | list[str]) -> Path: ...


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    # Copier's cache has no lock, and every worker of xdist is a session.
    os.environ["COPIER_CACHE_DIR"] = plumbum.local.env["COPIER_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


def providers_file(folder: Path) -> str:
    """Where Terraform finds its providers: what the environment says, or this machine's mirror. Empty: nowhere."""
    told = os.environ.get("TF_CLI_CONFIG_FILE", "")
    if Path(told).is_file():
        return told
    if not MIRROR.exists():
        return ""
    found = subprocess.run([MIRROR], capture_output=True, text=True)
    if found.returncode != 0:
        return ""
    path = folder / "terraformrc"
    path.write_text(found.stdout)
    return str(path)


@pytest.fixture(scope="session", autouse=True)
def providers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Here and in the checks of services."""
    if file := providers_file(tmp_path_factory.mktemp("terraform")):
        os.environ["TF_CLI_CONFIG_FILE"] = file


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree, committed: what is tested is what is here now. Never change it: `edited` is for that."""
    copy = tmp_path_factory.mktemp("template")
    for name in services.git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    services.commit(copy, "The working tree")
    return copy


@pytest.fixture
def edited(template: Path, tmp_path: Path) -> Path:
    """A copy of the template to change."""
    return shutil.copytree(template, tmp_path / "template")


@pytest.fixture
def render(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Write a service in a new folder."""

    def write(**answers: str | list[str]) -> Path:
        return services.write(template, tmp_path_factory.mktemp("service") / "my-service", answers)

    return write
