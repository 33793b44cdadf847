"""Readiness is computed: what is not proven is open, whatever anybody says."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dev.environment import PROJECT
from dev.readiness import attestations, catalogue
from dev.readiness.attestations import Attestation
from dev.readiness.catalogue import Gravity, Part, ReadinessError, Row
from dev.readiness.evidence import Evidence
from dev.readiness.page import page
from dev.readiness.report import Report
from dev.readiness.verdict import State, judge, judge_all

TODAY = date(2026, 11, 21)
BOTH = frozenset(Part)


def row(*parts: Part, attestable: bool = False) -> Row:
    return Row(
        id="some.row",
        promise="It <b>holds</b>",
        gravity=Gravity.LAUNCH,
        parts=frozenset(parts) or frozenset({Part.CODE}),
        attestable=attestable,
    )


def proof(outcome: str = "passed", file: str = "tests/test_it.py") -> Evidence:
    return Evidence("some.row", f"{file}::test_it", outcome)


def word(on: date = TODAY, days: int = 30) -> Attestation:
    return Attestation(by="Ada Lovelace", says="I have looked.", evidence="a page", on=on, until=on + timedelta(days))


INFRASTRUCTURE = proof(file="tests/infra/test_plan.py")


@pytest.mark.parametrize(
    ("promise", "evidence", "attestation", "state"),
    [
        pytest.param(row(), [proof()], None, State.PROVEN, id="a test passed"),
        pytest.param(row(), [], None, State.OPEN, id="no test"),
        pytest.param(row(), [], word(), State.OPEN, id="a word does not do where a test can"),
        pytest.param(row(), [proof(), proof("failed")], None, State.OPEN, id="one of them failed"),
        pytest.param(row(), [proof("skipped")], None, State.OPEN, id="skipped proves nothing"),
        pytest.param(row(attestable=True), [], word(), State.ATTESTED, id="a word"),
        pytest.param(row(attestable=True), [], word(TODAY - timedelta(31)), State.OPEN, id="an expired word"),
        pytest.param(row(attestable=True), [], word(TODAY + timedelta(1)), State.OPEN, id="a word that begins later"),
        pytest.param(row(attestable=True), [proof("failed")], word(), State.OPEN, id="a word against a test"),
        pytest.param(row(*BOTH), [proof()], None, State.OPEN, id="half of it"),
        pytest.param(row(*BOTH), [INFRASTRUCTURE], word(), State.OPEN, id="the other half"),
        pytest.param(row(*BOTH), [proof()], word(), State.ATTESTED, id="half of it and a word"),
        pytest.param(row(*BOTH), [proof(), INFRASTRUCTURE], None, State.PROVEN, id="both halves"),
    ],
)
def test_a_row_stands_by_its_proof(
    promise: Row, evidence: list[Evidence], attestation: Attestation | None, state: State
) -> None:
    assert judge(promise, evidence, attestation, TODAY).state is state


def test_every_row_that_a_test_names_is_in_the_catalogue() -> None:
    """A slip in an id would prove nothing, and nobody would see it."""
    marked = {
        row
        for file in (PROJECT / "tests").rglob("test_*.py")
        for marks in re.findall(r"mark\.row\(([^)]*)\)", file.read_text())
        for row in re.findall(r'"([^"]+)"', marks)
    }
    assert marked - catalogue.load().keys() == set()


def test_the_words_in_the_file_are_understood() -> None:
    attestations.load(catalogue.load())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[some.row", "Expected ']'"),
        ('[some]\nby = "Ada"', "needs a name too"),
        ("[other.row]", "is no row"),
        ('[some.row]\nby = "Ada"', "says: field required; evidence: field required"),
        (
            '[some.row]\nby = "Ada"\nsays = "I have looked."\nevidence = "a page"\non = 2026-01-01\nuntil = 2028-01-01',
            "a year later at most",
        ),
        ("[code.alone]", "nobody's word counts"),
    ],
)
def test_a_slip_in_the_file_is_explained(text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "PROJECT", tmp_path)
    file = tmp_path / "attestations.toml"
    file.write_text(text)
    with pytest.raises(ReadinessError, match=re.escape(says)):
        attestations.load({"some.row": row(attestable=True), "code.alone": row()}, file)


def test_the_report_tells_what_is_open_and_how_grave() -> None:
    rows = {"some.row": row(), "late.row": Row(id="late.row", promise="Some day", gravity=Gravity.LATER)}
    verdicts = judge_all(rows, [proof()], {}, TODAY)
    report = Report("orders", "abc", datetime(2026, 11, 21, 12, tzinfo=UTC), verdicts)
    assert "+ some.row  1 test" in report.text()
    assert "Open, later:\n  late.row  Some day" in report.text()
    assert "2 promises: 1 proven, 0 attested, 1 open." in report.text()
    assert report.data()["ready"] is False
    assert "It &lt;b&gt;holds&lt;/b&gt;" in page(report)
