"""What must hold for every file of a service. Each check returns what is wrong, a line for each problem."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

OLDEST_PYTHON = "py312"
MAY_BE_EMPTY = {"__init__.py", "py.typed"}
# Where a service may say how it was made: what updates need.
MAY_NAME_THE_TEMPLATE = {
    ".copier-answers.yml",
    "docs/ownership.md",
    "Makefile",
    "dev/template_update.py",
    "dev/template_answers.py",
    "dev/template_pull_request.py",
}
BRACKETS = re.compile(r"#\{|\}#|#%|%#|#\||\|#")


def files(service: Path) -> Iterator[tuple[str, str]]:
    """Path and content of every file."""
    for path in sorted(service.rglob("*")):
        if path.is_file() and ".git" not in path.parts:
            yield path.relative_to(service).as_posix(), path.read_text(encoding="utf-8")


def no_leftovers(service: Path) -> list[str]:
    problems = [f"{name}: is still a template" for name, _ in files(service) if name.endswith(".jinja")]
    return problems + [
        f"{name}: {found[0]} left over" for name, text in files(service) if (found := BRACKETS.search(text))
    ]


def tidy(service: Path) -> list[str]:
    problems = []
    for name, text in files(service):
        if not text.strip() and Path(name).name not in MAY_BE_EMPTY:
            problems.append(f"{name}: empty")
        if text and not text.endswith("\n"):
            problems.append(f"{name}: no newline at the end")
        if text.endswith("\n\n"):
            problems.append(f"{name}: empty lines at the end")
        if re.search(r"[ \t]$", text, re.MULTILINE):
            problems.append(f"{name}: space at the end of a line")
        if "\n\n\n\n" in text:
            problems.append(f"{name}: three empty lines in a row")
    return problems


def looks_hand_written(service: Path) -> list[str]:
    return [
        f"{name}: mentions {found[0]}"
        for name, text in files(service)
        if name not in MAY_NAME_THE_TEMPLATE and (found := re.search("seaworthy|copier", text, re.IGNORECASE))
    ]


def parses(service: Path) -> list[str]:
    parsers: dict[str, Callable[[str], object]] = {
        ".toml": tomllib.loads,
        ".json": json.loads,
        ".yml": lambda text: list(yaml.safe_load_all(text)),
        ".yaml": lambda text: list(yaml.safe_load_all(text)),
    }
    problems = []
    for name, text in files(service):
        if parse := parsers.get(Path(name).suffix):
            try:
                parse(text)
            except (ValueError, yaml.YAMLError) as error:
                problems.append(f"{name}: {error}")
        if name.endswith(".sh"):
            problems += output(["sh", "-n", name], service)
    # Its own configuration says nothing about other versions of Python than the chosen one.
    return problems + ruff(service, "check", "--isolated", "--select=E9", f"--target-version={OLDEST_PYTHON}")


def formatted(service: Path) -> list[str]:
    return ruff(service, "format", "--check")


def linted(service: Path) -> list[str]:
    return ruff(service, "check")


def ruff(service: Path, *arguments: str) -> list[str]:
    options = ["--no-cache", "--quiet", "--output-format=concise"]
    return output([sys.executable, "-m", "ruff", *arguments, *options], service)


def output(command: list[str], service: Path) -> list[str]:
    """What a program says if it fails."""
    result = subprocess.run(command, cwd=service, capture_output=True, text=True)
    return (result.stdout + result.stderr).splitlines() or ["no reason given"] if result.returncode else []


ALL = [no_leftovers, tidy, looks_hand_written, parses, formatted, linted]
