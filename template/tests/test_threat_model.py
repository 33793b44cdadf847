"""The threat model is about what is really there, and what answers a threat is a promise that somebody proves."""

import re

import pytest

from dev.environment import PROJECT
from dev.readiness import catalogue

TEXT = (PROJECT / "docs/threat-model.md").read_text(encoding="utf-8")
DIAGRAM = (PROJECT / "docs/architecture.md").read_text(encoding="utf-8").split("```")[1]
# By shape: what can happen to others, to processes and to stores (Shostack, Threat Modeling, chapter 3).
STRIDE = {'["': "SR", '("': "STRIDE", '[("': "TRID"}

pytestmark = pytest.mark.row("security.threat-model")


def threats() -> dict[str, list[tuple[str, str]]]:
    """Return the letter and the promise of each threat, by element."""
    return {
        section.partition("\n")[0]: re.findall(r"^\| ([STRIDE]) \|.*\| `([a-z.-]+)` \|$", section, re.MULTILINE)
        for section in TEXT.split("\n## ")[1:]
    }


def test_every_element_has_every_threat_of_its_kind() -> None:
    elements = {
        name: shape
        for name, shape in re.findall(r'^ *(\w+)(\[\("|\["|\(")', DIAGRAM, re.MULTILINE)
        if name not in {"aws", "private"}
    }
    found = threats()
    assert elements
    for name, shape in elements.items():
        missing = set(STRIDE[shape]) - {letter for letter, _ in found.get(name, [])}
        assert not missing, f"{name}: nothing about {', '.join(sorted(missing))}"
    assert found.keys() - elements.keys() <= {"What is left, and accepted"}


def test_every_threat_is_answered_by_a_promise() -> None:
    promises = {promise for each in threats().values() for _, promise in each}
    assert promises - catalogue.load().keys() == set()
    assert len(re.findall(r"^\| [STRIDE] \|", TEXT, re.MULTILINE)) == sum(map(len, threats().values()))
