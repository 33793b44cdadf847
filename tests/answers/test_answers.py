"""Every bad answer is refused with an example of a good one, however given; odd good ones are kept as they are."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests import services
from tests.answers.questions import BAD, GOOD, ODD_DESCRIPTIONS
from tests.conftest import Render

CASES = [(question, answer) for question, answers in BAD.items() for answer in answers]


def test_every_question_has_bad_and_good_answers(template: Path) -> None:
    assert services.questions(template) == list(BAD) == list(GOOD)


@pytest.mark.parametrize(("question", "answer"), CASES)
def test_a_bad_answer_is_refused_with_an_example(template: Path, question: str, answer: str) -> None:
    with pytest.raises(ValueError, match=f"'{question}': ") as refused:
        services.ask(template, {question: answer})
    message = str(refused.value).split("': ", 1)[1]
    if "is not in ['" in message:  # a choice: Copier lists all of them
        return
    advice, found, example = message.rpartition("for example ")
    assert found, f"no example: {message}"
    assert len(re.findall(r"[.!?)] ", advice)) <= 1, f"longer than two sentences: {message}"
    services.ask(template, {question: example.removesuffix(".")})  # the example must be good itself


@pytest.mark.parametrize("question", BAD)
def test_the_command_line_refuses_it_too(template: Path, tmp_path: Path, question: str) -> None:
    answer = BAD[question][-1]
    command = [sys.executable, "-m", "copier", "copy", "--defaults", "--vcs-ref=HEAD", f"--data={question}={answer}"]
    result = subprocess.run([*command, template, tmp_path / "service"], capture_output=True, text=True)
    assert result.returncode != 0
    assert re.search(f"'{question}': .*(for example|is not in)", result.stderr, re.DOTALL)
    assert not (tmp_path / "service").exists()


@pytest.mark.parametrize(
    "name", ["o", "ox", "aws", "awsome", "aws-orders", "ssm", "ssm-orders", "internal-orders", "sthree-x"]
)
def test_a_name_that_aws_refuses_is_refused_there_only(template: Path, name: str) -> None:
    with pytest.raises(ValueError, match="'cloud': AWS refuses names"):
        services.ask(template, {"name": name, "cloud": "aws"})
    services.ask(template, {"name": name, "cloud": "none"})  # a service from before may have it


@pytest.mark.parametrize("name", ["laws", "raws-orders", "internals", "amzn"])
def test_a_name_that_only_sounds_like_it_is_taken(template: Path, name: str) -> None:
    services.ask(template, {"name": name, "cloud": "aws"})


def test_good_answers_are_kept(render: Render) -> None:
    answers = yaml.safe_load((render(**GOOD) / ".copier-answers.yml").read_text())
    assert {name: value for name, value in answers.items() if not name.startswith("_")} == GOOD


@pytest.mark.parametrize("description", ODD_DESCRIPTIONS)
def test_an_odd_description_arrives_as_it_was_written(render: Render, description: str) -> None:
    service = render(description=description)
    assert tomllib.loads((service / "pyproject.toml").read_text())["project"]["description"] == description
    assert yaml.safe_load((service / ".copier-answers.yml").read_text())["description"] == description
    identity: dict[str, str] = {}
    exec((service / "src/app/identity.py").read_text(), identity)  # noqa: S102
    assert identity["DESCRIPTION"] == description


@pytest.mark.parametrize(
    ("folder", "name"),
    [("order-intake", "order-intake"), ("Order Intake!", "order-intake"), ("2nd-try", "nd-try"), ("json", "my-service"),
     ("x" * 30, "my-service"), ("注文", "my-service")],
)  # fmt: skip
def test_the_folder_suggests_the_name(template: Path, folder: str, name: str) -> None:
    assert services.ask(template, folder=f"/nowhere/{folder}").answers.combined["name"] == name
