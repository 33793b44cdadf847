"""`make service` says in one sentence each what is wrong, writes nothing then, and overwrites nothing ever."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.answers.questions import BAD, GOOD
from tests.conftest import ROOT


@pytest.fixture
def template_with_tools(edited: Path) -> Path:
    """A clone in which `make` uses the environment of these tests."""
    (edited / ".venv").symlink_to(ROOT / ".venv")
    return edited


def make(template: Path, **variables: object) -> tuple[int, str]:
    command = ["make", "--silent", "--assume-old=requirements.txt", "service"]
    given = [f"{name}={value}" for name, value in variables.items()]
    result = subprocess.run([*command, *given], cwd=template, capture_output=True, text=True)
    assert "Traceback" not in result.stderr
    return result.returncode, result.stdout + result.stderr


def test_it_writes_a_service_and_says_what_to_do_next(template_with_tools: Path, tmp_path: Path) -> None:
    status, output = make(template_with_tools, DEST=tmp_path / "order-intake")
    assert status == 0
    assert "name: order-intake" in (tmp_path / "order-intake/.copier-answers.yml").read_text()
    assert "make check" in output
    assert "make dev" in output


def test_it_takes_answers_from_a_file(template_with_tools: Path, tmp_path: Path) -> None:
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(GOOD))
    status, _ = make(template_with_tools, DEST=tmp_path / "service", ANSWERS=tmp_path / "answers.yml")
    assert status == 0
    assert GOOD.items() <= yaml.safe_load((tmp_path / "service/.copier-answers.yml").read_text()).items()


def test_it_reports_every_bad_answer_at_once(template_with_tools: Path, tmp_path: Path) -> None:
    answers = {question: bad[-1] for question, bad in BAD.items()} | {"nmae": "typo"}
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(answers))
    status, output = make(template_with_tools, DEST=tmp_path / "service", ANSWERS=tmp_path / "answers.yml")
    assert status != 0
    for question in answers:
        assert sum(line.startswith(f"{question}: ") for line in output.splitlines()) == 1, output
    assert not (tmp_path / "service").exists()


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ("name:\n", "write a value after the colon"),
        ("name: [a]\n", "cannot be used"),
        ("- name\n", "holds no answers"),
        ("", "holds no answers"),
        ("name: 'a\n", "cannot be read as YAML"),
        (None, "cannot be read as YAML: [Errno 2] No such file"),
    ],
)
def test_it_says_what_is_wrong_with_the_file(
    template_with_tools: Path, tmp_path: Path, content: str | None, advice: str
) -> None:
    if content is not None:
        (tmp_path / "answers.yml").write_text(content)
    status, output = make(template_with_tools, DEST=tmp_path / "service", ANSWERS=tmp_path / "answers.yml")
    assert status != 0
    assert advice in output


def test_it_asks_for_a_new_folder(template_with_tools: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file.txt").write_text("precious")
    for destination, advice in [
        ("", "make service DEST=../my-service"),
        (mine, "not an empty folder"),
        (mine / "file.txt", "not an empty folder"),
        ("here", "inside the template"),
    ]:
        status, output = make(template_with_tools, DEST=destination)
        assert status != 0
        assert advice in output
    assert [path.name for path in mine.iterdir()] == ["file.txt"]


def test_it_takes_another_template(template_with_tools: Path, tmp_path: Path) -> None:
    address = f"git+{template_with_tools.as_uri()}"
    status, _ = make(template_with_tools, DEST=tmp_path / "service", SRC=address)
    assert status == 0
    assert yaml.safe_load((tmp_path / "service/.copier-answers.yml").read_text())["_src_path"] == address
    status, output = make(template_with_tools, DEST=tmp_path / "other", SRC=tmp_path / "nowhere")
    assert status != 0
    assert "No service was written" in output


def test_an_old_python_gets_a_sentence(edited: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.18\nexit 1\n')
    old.chmod(0o755)
    command = ["make", "--silent", "service", f"PYTHON={old}"]
    result = subprocess.run(command, cwd=edited, capture_output=True, text=True)
    assert result.returncode != 0
    assert "needs Python 3.11 or newer" in result.stderr
    assert "Python 3.9.18" in result.stderr
