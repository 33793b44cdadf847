"""A machine of a service's owner: no configuration, no environment of ours, uv only if they have it."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

OURS = (
    "VIRTUAL_ENV",
    "PYTHON",
    "PYTEST",
    "COPIER",
    "GIT_CONFIG",
    "MAKE",
    "MFLAGS",
    "UV_",
    "PORT",
    "DATABASE_URL",
    "CI",
)


@dataclass
class Machine:
    environment: dict[str, str]

    def run(self, folder: Path, *command: str, timeout: int = 900) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout,
        )  # fmt: skip

    def done(self, folder: Path, *command: str) -> str:
        """Run a command that must succeed."""
        result = self.run(folder, *command)
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}\n{result.stderr}"
        return result.stdout


def new_machine(home: Path, *, uv: bool) -> Machine:
    home.mkdir(exist_ok=True)
    folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "uv").exists()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment |= {"HOME": str(home), "UV_PYTHON_DOWNLOADS": "never"}
    environment["PYENV_ROOT"] = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    if uv:
        (home / "bin").mkdir()
        for program in ("uv", "uvx"):
            (home / "bin" / program).symlink_to(Path(find_uv_bin()).with_name(program))
        folders.insert(0, str(home / "bin"))
        environment["UV_CACHE_DIR"] = subprocess.run(
            [find_uv_bin(), "cache", "dir"], check=True, capture_output=True, text=True
        ).stdout.strip()
    return Machine(environment | {"PATH": os.pathsep.join(folders)})


def python(version: str) -> str | None:
    """Return the path of this version, if it runs here. pyenv has a stub on PATH for each, and it may refuse to run."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which(f"python{version}"), *map(str, pyenv.glob(f"versions/{version}.*/bin/python"))]
    runs = (path for path in candidates if path and not subprocess.run([path, "-V"], capture_output=True).returncode)
    return next(runs, None)


def has_python(version: str) -> bool:
    return python(version) is not None
