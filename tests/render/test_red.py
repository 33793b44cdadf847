"""The checks of this folder can fail: each break of a template file turns the check that is there for it red."""

from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from tests import services
from tests.render import checks

MAIN, README, CONFIGURATION = "src/app/main.py.jinja", "README.md.jinja", "pyproject.toml.jinja"

BREAKS: list[tuple[str, str, Callable[[Path], list[str]]]] = [
    (MAIN, "def broken(:\n", checks.parses),
    (MAIN, "\n\nif True:\n    print(t'from a newer Python')\n", checks.parses),
    (MAIN, "x = {  'a':1 }\n", checks.formatted),
    (MAIN, "\nimport os\n", checks.linted),
    (CONFIGURATION, "\nbroken = = 1\n", checks.parses),
    (".pre-commit-config.yaml", "broken: [\n", checks.parses),
    ("dev/setup.sh", "if true; then\n", checks.parses),
    (README, "Trailing space \n", checks.tidy),
    (README, "no newline", checks.tidy),
    (README, "#{ '#{' }#\n", checks.no_leftovers),
    (README, "Made with Copier.\n", checks.looks_hand_written),
]


def append(template: Path, file: str, text: str) -> None:
    path = template / "template" / file
    path.write_text(path.read_text() + text)
    services.commit(template, "Break it")


@pytest.mark.parametrize(("file", "text", "check"), BREAKS)
def test_a_break_is_found(
    edited: Path, tmp_path: Path, file: str, text: str, check: Callable[[Path], list[str]]
) -> None:
    append(edited, file, text)
    problems = check(services.write(edited, tmp_path / "service"))
    assert any(problem.startswith(file.removesuffix(".jinja")) for problem in problems), problems


def test_an_empty_file_and_a_forgotten_suffix_are_found(edited: Path, tmp_path: Path) -> None:
    (edited / "template/empty.txt").touch()
    (edited / "template/README.md.jinja.jinja").write_text("#{ name }#\n")
    services.commit(edited, "Break it")
    service = services.write(edited, tmp_path / "service")
    assert "empty.txt: empty" in checks.tidy(service)
    assert "README.md.jinja: is still a template" in checks.no_leftovers(service)


@pytest.mark.parametrize("text", ["#{ undeclared }#\n", "#% if nmae %#x#% endif %#\n"])
def test_an_undeclared_variable_writes_nothing(edited: Path, tmp_path: Path, text: str) -> None:
    append(edited, README, text)
    with pytest.raises(UndefinedError, match="undefined"):
        services.write(edited, tmp_path / "service")
    assert not (tmp_path / "service").exists()
