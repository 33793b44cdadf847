"""Releases that nobody has made yet: the working tree, developed further by chance, but always the same way."""

import ast
import re
from pathlib import Path
from random import Random

from tests import releases
from tests.update.histories import append

OWNERS = re.compile(r"/(orders|versions|__pycache__)/|attestations")


def develop(template: Path, version: str, seed: int, changes: int = 30) -> None:
    """Make the next release of a clone of the template."""
    random = Random(seed)
    every = (file for file in sorted((template / "template").rglob("*")) if file.is_file())
    files = [file for file in every if not OWNERS.search(str(file)) and file.stat().st_size > 100]
    kinds = [python_function, python_line, a_number, words, pins, bounds, block, step, new_file]
    for count in range(changes):
        for _ in range(20):
            if random.choice(kinds)(template / "template", files, random, seed * 100 + count):
                break
    alarm(template / "template", seed)
    changelog = template / "CHANGELOG.md"
    changelog.write_text(f"## {version}\n\n- Release {seed}.\n\n{changelog.read_text()}")
    releases.release(template, version)


def pick(files: list[Path], pattern: str, random: Random) -> Path:
    return random.choice([file for file in files if re.search(pattern, str(file))])


def python_function(_: Path, files: list[Path], random: Random, number: int) -> bool:
    """Between two others."""
    file = pick(files, r"\.py$", random)
    lines = file.read_text().splitlines(keepends=True)
    places = [
        place
        for place, line in enumerate(lines)
        if re.match(r"(async )?def |class ", line) and lines[place - 1] == "\n"
    ]
    if not places:
        return False
    text = f'def novelty_{number}() -> int:\n    """Come with a release."""\n    return {number}\n\n\n'
    place = random.choice(places)
    return rewritten(file, "".join([*lines[:place], text, *lines[place:]]))


def python_line(_: Path, files: list[Path], random: Random, number: int) -> bool:
    file = pick(files, r"\.py(\.jinja)?$", random)
    lines = file.read_text().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if re.match(r"    (return|await|assert|for|if|with)\b", line)]
    if not places:
        return False
    lines.insert(random.choice(places), f"    # Since release {number}.\n")
    return rewritten(file, "".join(lines))


def a_number(_: Path, files: list[Path], random: Random, number: int) -> bool:
    file = pick(files, r"\.(py|tf|toml)$", random)
    text = file.read_text()
    found = list(re.finditer(r"= (\d+)\b", text))
    if not found:
        return False
    chosen = random.choice(found)
    return rewritten(file, f"{text[: chosen.start(1)]}{number}{text[chosen.end(1) :]}")


def words(_: Path, files: list[Path], random: Random, number: int) -> bool:
    file = pick(files, r"(\.md|Makefile|\.example\.jinja|\.gitignore\.jinja)(\.jinja)?$", random)
    lines = file.read_text().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if re.match(r"[A-Z][a-z].{40,}|# .{20,}", line)]
    if not places:
        return False
    place = random.choice(places)
    lines[place] = lines[place].rstrip("\n") + f" ({number})\n"
    return rewritten(file, "".join(lines))


def pins(template: Path, _files: list[Path], _random: Random, number: int) -> bool:
    for file in sorted(template.glob(".github/workflows/*.yml")):
        text = file.read_text()
        for name in set(re.findall(r"uses: (\S+)@", text)):
            digest = Random(f"{name}{number}").randbytes(20).hex()
            text = re.sub(
                rf"({re.escape(name)})@[0-9a-f]{{40}} # v(\d+)\.\d+\.\d+", rf"\1@{digest} # v\2.{number}.0", text
            )
        file.write_text(text)
    return True


def bounds(template: Path, _files: list[Path], random: Random, number: int) -> bool:
    file = template / "pyproject.toml.jinja"
    found = random.choice(re.findall(r'^    "[\w\[\]-]+>=([\d.]+)",\n', file.read_text(), re.MULTILINE))
    return rewritten(file, file.read_text().replace(f'>={found}"', f'>={found}.{number}"', 1))


def block(_: Path, files: list[Path], random: Random, number: int) -> bool:
    file = pick(files, r"infra/service/[a-z_]+\.tf$", random)
    lines = file.read_text().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if line.startswith('resource "')]
    if not places:
        return False
    lines.insert(random.choice(places), f'resource "terraform_data" "novelty_{number}" {{\n  input = {number}\n}}\n\n')
    return rewritten(file, "".join(lines))


def step(_: Path, files: list[Path], random: Random, number: int) -> bool:
    file = pick(files, r"workflows/.*\.yml$", random)
    lines = file.read_text().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if line.startswith("      - name: ")]
    lines.insert(random.choice(places), f"      - name: Since {number}\n        run: echo {number}\n")
    return rewritten(file, "".join(lines))


def alarm(template: Path, number: int) -> None:
    """With its entry in the runbook, above the owners' line, below which they write theirs."""
    text = f'\nresource "terraform_data" "alarm_{number}" {{\n  input = "${{local.runbook}}alarm-{number}"\n}}\n'
    append(template / "infra/service/alarms.tf", text)
    runbook = template / "docs/runbook.md.jinja"
    above, line, below = runbook.read_text().partition("<!-- yours: add below this line -->")
    runbook.write_text(f"{above}### alarm-{number}\n\nCame with a release.\n\n{line}{below}")


def new_file(template: Path, _files: list[Path], _random: Random, number: int) -> bool:
    if number % 2:
        append(template / f"docs/novelty_{number % 10}.md", f"# Novelty {number}\n\nCame with a release.\n")
    else:
        append(template / f"src/app/chassis/novelty_{number % 10}.py", f'"""Came with release {number}."""\n')
    return True


def rewritten(file: Path, text: str) -> bool:
    if file.suffix == ".py":
        try:
            ast.parse(text)
        except SyntaxError:
            return False
    file.write_text(text)
    return True
