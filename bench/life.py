"""How long a person waits: for a new service, for an update, for its gate. Runs in the template's environment."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import copier

ROOT = Path(__file__).parents[1]
ME = {"GIT_AUTHOR_NAME": "Bench", "GIT_AUTHOR_EMAIL": "bench@example.com"}
ME |= {"GIT_COMMITTER_NAME": "Bench", "GIT_COMMITTER_EMAIL": "bench@example.com", "GIT_CONFIG_GLOBAL": os.devnull}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, env=os.environ | ME
    ).stdout


def seconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def measure(folder: Path, rounds: int, *, gate: bool) -> dict[str, list[float]]:
    """Generate, update and check in turn."""
    os.environ |= ME
    template = _template(folder / "template")
    found: dict[str, list[float]] = {"generation": [], "update": [], "gate, the first time": [], "gate": []}
    for round_ in range(rounds):
        service = folder / f"service-{round_}"

        def write(service: Path = service) -> None:
            copier.run_copy(str(template), service, defaults=True, quiet=True, vcs_ref="v1")

        def update(service: Path = service) -> None:
            copier.run_update(service, defaults=True, quiet=True, overwrite=True, vcs_ref="v2")

        def check(service: Path = service) -> None:
            subprocess.run(["make", "--silent", "check"], cwd=service, check=True, stdout=subprocess.DEVNULL)

        found["generation"].append(seconds(write))
        git(service, "init", "--quiet")
        git(service, "add", "--all")
        git(service, "commit", "--quiet", "--message", "Start")
        found["update"].append(seconds(update))
        if gate and round_ < 2:  # the long ones
            found["gate, the first time"].append(seconds(check))
            found["gate"].append(seconds(check))
    return found


def _template(copy: Path) -> Path:
    """The working tree as release v1, and a v2 that changes a few files."""
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    git(copy, "init", "--quiet")
    for release in ("v1", "v2"):
        for file in copy.glob("template/src/app/chassis/http/*.py") if release == "v2" else ():
            file.write_text("# v2\n" + file.read_text())  # a line that formatters and linters let be
        git(copy, "add", "--all", "--force")
        git(copy, "commit", "--quiet", "--message", release)
        git(copy, "tag", release)
    return copy
