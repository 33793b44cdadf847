"""Writes a service unless there is one, and measures it: `python -m bench --help`."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import copier

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--service", type=Path, help="a service that is there (with authentication by OpenID Connect)")
    arguments, others = parser.parse_known_args()
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


if __name__ == "__main__":
    main()
