"""The values that each question can have, read from copier.yml: the matrix grows with it."""

from pathlib import Path

from tests import services
from tests.answers.questions import GOOD
from tests.matrix.pairs import covering
from tests.services import Answers

YES, NO = "yes", "no"


def values(template: Path) -> dict[str, list[str]]:
    """Each choice of a question; each feature for itself, chosen or not; of free text the default and another."""
    worker = services.ask(template)
    found: dict[str, list[str]] = {}
    for name, question in worker.template.questions_data.items():
        if question.get("when") is False:
            continue
        choices = question.get("choices")
        options = [str(each) for each in (choices.values() if isinstance(choices, dict) else choices or [])]
        if question.get("multiselect"):
            found |= {f"{name}: {option}": [NO, YES] for option in options}
        else:
            found[name] = options or ["", str(GOOD[name])]
    return found


def answers(row: dict[str, str]) -> Answers:
    """What a person would answer: nothing where the default will do, or where nobody asks."""
    given: dict[str, str | list[str]] = {}
    for name, value in row.items():
        question, is_feature, option = name.partition(": ")
        if is_feature:
            chosen = given.setdefault(question, [])
            assert isinstance(chosen, list)
            chosen += [option] if value == YES else []
        elif value and (row["cloud"] == "aws" or question not in {"region", "domain"}):
            given[question] = value
    return given


def matrix(template: Path) -> list[Answers]:
    """Answers in which every two meet."""
    return [answers(row) for row in covering(values(template))]
