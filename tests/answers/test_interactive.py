"""The same answers, typed by a person on a terminal."""

import re
import sys
from pathlib import Path

import pexpect
import yaml

from tests.answers.questions import BAD, GOOD

ENTER, CLEAR_LINE, REDRAW, UP, DOWN, SPACE = "\r", "\x01\x0b", "\x0c", "\x1b[A", "\x1b[B", " "

# Lists to choose from, where nothing is typed: how to get from the default to the good answer.
CHOICES = {
    "authentication": DOWN,
    "features": SPACE + (DOWN + SPACE) * 2,
    "compliance_level": DOWN,
    "cloud": UP,
    "region": DOWN * 3,
    "python_version": UP,
}


def test_a_person_is_asked_again_until_the_answer_is_good(template: Path, tmp_path: Path) -> None:
    service = tmp_path / "service"
    command = ["-m", "copier", "copy", "--vcs-ref=HEAD", str(template), str(service)]
    # One line is wide enough for the longest refusal.
    terminal = pexpect.spawn(sys.executable, command, dimensions=(40, 700), encoding="utf-8", timeout=30)
    for question, good in GOOD.items():
        if question in CHOICES:
            terminal.send(CHOICES[question] + ENTER)
            continue
        # An answer that was taken would leave the next one to another question, and nothing below would fit.
        for answer in filter(str.isprintable, BAD[question]):
            terminal.send(CLEAR_LINE + answer + ENTER + REDRAW)
            terminal.expect(f"{re.escape(answer)}.*'{question}': .*for example ")
        terminal.send(f"{CLEAR_LINE}{good}{ENTER}")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    answers = yaml.safe_load((service / ".copier-answers.yml").read_text())
    assert {name: answers[name] for name in GOOD} == GOOD
