"""Writes a service unless there is one, and measures it: `python -m bench --help`."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import copier

from bench import life, page

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--service", type=Path, help="a service that is there (with authentication by OpenID Connect)")
    parser.add_argument("--write", action="store_true", help="measure all there is, and write docs/measures.md")
    parser.add_argument("--brief", action="store_true", help="with --write: no gate, no requests, fewer rounds")
    arguments, others = parser.parse_known_args()
    if arguments.write:
        write(brief=arguments.brief)
        return
    if arguments.service:
        measure(arguments.service, others)
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        service = Path(folder) / "service"
        copier.run_copy(str(ROOT), service, data={"authentication": "oidc"}, defaults=True, quiet=True, vcs_ref="HEAD")
        measure(service, others)


def measure(service: Path, arguments: list[str]) -> None:
    subprocess.run(["make", "--silent", ".venv/.ready"], cwd=service, check=True)
    command = [".venv/bin/python", str(ROOT / "bench" / "measure.py"), *arguments]
    sys.exit(subprocess.run(command, cwd=service).returncode)


def write(*, brief: bool) -> None:
    rounds = 3 if brief else 5
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        lives = life.measure(Path(folder), rounds, gate=not brief)
        service = Path(folder) / "service-0"
        subprocess.run(["make", "--silent", ".venv/.ready"], cwd=service, check=True)
        python = [".venv/bin/python", "-W", "ignore"]
        start = [*python, str(ROOT / "bench" / "start.py"), "--rounds", str(rounds)]
        starts = json.loads(subprocess.run(start, cwd=service, check=True, stdout=subprocess.PIPE).stdout)
        requests = {}
        if not brief:
            file = Path(folder) / "requests.json"
            command = [*python, str(ROOT / "bench" / "measure.py"), "--json", str(file)]
            subprocess.run(command, cwd=service, check=True)
            requests = json.loads(file.read_text())
    page.write(lives, starts, requests)


if __name__ == "__main__":
    main()
