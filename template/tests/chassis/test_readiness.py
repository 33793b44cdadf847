"""Readiness is computed: what is not proven is open, whatever anybody says."""

import json
import re
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.environment import PROJECT
from dev.readiness import attestations, catalogue, documents
from dev.readiness.__main__ import draft, lost
from dev.readiness.attestations import Attestation
from dev.readiness.catalogue import Gravity, Part, ReadinessError, Row
from dev.readiness.documents import Undecided
from dev.readiness.evidence import Evidence
from dev.readiness.page import page
from dev.readiness.report import Report
from dev.readiness.verdict import Found, State, judge, judge_all

TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BOTH = frozenset(Part)
TEXT = "docs/text.md"


def row(*parts: Part, **more: Any) -> Row:
    return Row(
        id="some.row",
        promise="It <b>holds</b>",
        gravity=Gravity.LAUNCH,
        parts=frozenset(parts) or frozenset({Part.CODE}),
        **more,
    )


def proof(outcome: str = "passed", file: str = "tests/test_it.py") -> Evidence:
    return Evidence("some.row", f"{file}::test_it", outcome)


def word(on: date = TODAY, days: int = 30, **more: Any) -> Attestation:
    until = on + timedelta(days)
    return Attestation(by="Ada Lovelace", says="I have looked.", evidence="a page", on=on, until=until, **more)


INFRASTRUCTURE = proof(file="tests/infra/test_plan.py")
WRITTEN = row(documents=(TEXT,))
REVIEWED = row(documents=(TEXT,), reviewed=True)
GAP = Undecided(TEXT, 7, "who is called next")


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
    assert judge(promise, Found(evidence, {"some.row": attestation} if attestation else {}), TODAY).state is state


@pytest.mark.parametrize(
    ("promise", "attestation", "fingerprint", "undecided", "state", "why"),
    [
        pytest.param(WRITTEN, None, "a", [], State.PROVEN, "1 test", id="it is there"),
        pytest.param(WRITTEN, None, None, [], State.OPEN, f"{TEXT} is missing", id="it is not"),
        pytest.param(WRITTEN, None, "a", [GAP], State.OPEN, f"to decide: {TEXT}:7 who is called next", id="a gap"),
        pytest.param(REVIEWED, None, "a", [], State.OPEN, f"nobody has reviewed {TEXT}", id="unread"),
        pytest.param(REVIEWED, word(reviewed={TEXT: "a"}), "a", [], State.ATTESTED, "Ada", id="read"),
        pytest.param(REVIEWED, word(reviewed={TEXT: "a"}), "a", [GAP], State.OPEN, "to decide", id="read with a gap"),
        pytest.param(REVIEWED, word(reviewed={TEXT: "a"}), "b", [], State.OPEN, "is not what Ada", id="changed since"),
        pytest.param(REVIEWED, word(), "a", [], State.OPEN, "is not what Ada", id="a word about something else"),
    ],
)
def test_a_row_stands_by_its_documents(
    *,
    promise: Row,
    attestation: Attestation | None,
    fingerprint: str | None,
    undecided: list[Undecided],
    state: State,
    why: str,
) -> None:
    words = {"some.row": attestation} if attestation else {}
    verdict = judge(promise, Found([proof()], words, {TEXT: fingerprint}, undecided), TODAY)
    assert verdict.state is state
    assert why in verdict.why


def test_a_place_for_a_decision_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "PROJECT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / TEXT).write_text("# Who\n\nThen call [to decide: who is called next].\n")
    assert [str(each) for each in documents.undecided()] == ["docs/text.md:3 who is called next"]


def test_a_proof_that_is_gone_since_the_last_report_is_named(tmp_path: Path) -> None:
    before = Report("orders", "abc", NOW, judge_all([row()], Found([proof(), INFRASTRUCTURE]), TODAY))
    (tmp_path / "readiness.json").write_text(json.dumps(before.data()))
    assert lost(tmp_path / "readiness.json", [proof("failed")]) == [("some.row", INFRASTRUCTURE.test)]


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
    rows = [row(controls={"SOC 2": ("CC1.1",)}), Row(id="late.row", promise="Some day", gravity=Gravity.LATER)]
    verdicts = judge_all(rows, Found([proof()]), TODAY)
    report = Report("orders", "abc", NOW, verdicts, [GAP], [("late.row", "tests/test_old.py::test_it")])
    text = report.text()
    assert "+ some.row  1 test\n      tests/test_it.py::test_it\n" in text
    assert "Open, later:\n  late.row  no test proves it" in text
    assert "To decide, by a person:\n  docs/text.md:7 who is called next" in text
    assert "is gone:\n  late.row  tests/test_old.py::test_it" in text
    assert "2 promises: 1 proven, 0 attested, 1 open." in text
    assert report.data()["ready"] is False
    assert "It &lt;b&gt;holds&lt;/b&gt;" in page(report)
    assert "SOC 2 CC1.1" in page(report)


def test_a_word_that_ends_soon_is_named() -> None:
    verdicts = judge_all([row(attestable=True)], Found(attestations={"some.row": word(days=29)}), TODAY)
    assert (
        "Expires within 30 days:\n  some.row  Ada Lovelace, until 2026-12-20"
        in Report("orders", "abc", NOW, verdicts).text()
    )


def test_a_word_is_drafted_with_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "PROJECT", tmp_path)
    with pytest.raises(ReadinessError, match="is missing"):
        draft({"some.row": REVIEWED}, "some.row", "Ada Lovelace")
    (tmp_path / "docs").mkdir()
    (tmp_path / TEXT).write_text("# Read me\n")
    drafted = tomllib.loads(draft({"some.row": REVIEWED}, "some.row", 'Ada "Countess" Lovelace'))["some"]["row"]
    assert drafted["by"] == 'Ada "Countess" Lovelace'
    assert drafted["reviewed"] == {TEXT: documents.fingerprint(TEXT)}
    with pytest.raises(ReadinessError, match="proven by tests alone"):
        draft({"some.row": row()}, "some.row", "Ada Lovelace")
