"""`make versions IN=../checkouts`: which service is on which version of the template, the oldest first.

Reads the `.copier-answers.yml` at the top of every folder below, which a shallow clone of each service is enough for.
"""

import os
import sys
from pathlib import Path
from typing import Any

import yaml
from packaging.version import InvalidVersion, Version

ANSWERS = ".copier-answers.yml"


def main(folder: str) -> None:
    found = sorted(Path(folder or ".").expanduser().glob(f"*/{ANSWERS}"))
    if not found:
        sys.exit(
            f"No folder in {folder or '.'} has a {ANSWERS}: clone the services there, make versions IN=../checkouts"
        )
    services = {path.parent.name: read(path) for path in found}
    width = max(len(name) for name in services)
    for name, answers in sorted(services.items(), key=lambda item: order(item[1])):
        chosen = ", ".join(answers.get("features") or ["no features"])
        print(f"{name:{width}}  {answers.get('_commit', '?'):12}  {answers.get('compliance_level', '?')}, {chosen}")


def read(path: Path) -> dict[str, Any]:
    answers = yaml.safe_load(path.read_text(encoding="utf-8"))
    return answers if isinstance(answers, dict) else {}


def order(answers: dict[str, Any]) -> Version:
    """What is between two releases (`v1.2.0-3-gabcdef`) counts as the older one, and what is no version as none."""
    try:
        return Version(str(answers.get("_commit", "")).split("-")[0])
    except InvalidVersion:
        return Version("0")


if __name__ == "__main__":
    main(os.environ.get("IN", ""))
