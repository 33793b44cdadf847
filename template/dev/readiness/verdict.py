"""Joins promises, tests, documents and attestations: what is proven, what is attested, and what is open."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from dev.readiness.attestations import Attestation
from dev.readiness.catalogue import Part, Row
from dev.readiness.documents import Undecided
from dev.readiness.evidence import Evidence


class State(StrEnum):
    """How a row stands."""

    PROVEN = "proven"
    ATTESTED = "attested"
    OPEN = "open"


@dataclass(frozen=True)
class Found:
    """What there is to judge rows by."""

    evidence: Sequence[Evidence] = ()
    attestations: Mapping[str, Attestation] = field(default_factory=dict)
    documents: Mapping[str, str | None] = field(default_factory=dict)
    """fingerprints; None for a document that is not there"""
    undecided: Sequence[Undecided] = ()


@dataclass(frozen=True)
class Verdict:
    """How a row stands, and why."""

    row: Row
    state: State
    why: str
    evidence: list[Evidence]
    attestation: Attestation | None


def judge(row: Row, found: Found, today: date) -> Verdict:
    """Return how the row stands. A failed test is stronger than anybody's word; a skipped one says nothing."""
    evidence = [each for each in found.evidence if each.row == row.id]
    passed = [each for each in evidence if each.outcome == "passed"]
    unproven = sorted(row.parts - {each.part for each in passed})
    attestation = found.attestations.get(row.id)
    lacks = next(_lacks(row, found, evidence, unproven, today), None)
    if lacks:
        return Verdict(row, State.OPEN, lacks, evidence, attestation)
    if attestation and (unproven or row.reviewed):
        return Verdict(row, State.ATTESTED, f"{attestation.by}, until {attestation.until}", evidence, attestation)
    return Verdict(row, State.PROVEN, f"{len(passed)} test{'s' * (len(passed) > 1)}", evidence, attestation)


def _lacks(row: Row, found: Found, evidence: list[Evidence], unproven: list[Part], today: date) -> Iterator[str]:
    """Yield why it is open, what weighs most first."""
    if failed := [each.test for each in evidence if each.outcome == "failed"]:
        yield _first(failed, "fails")
    if missing := [each for each in row.documents if found.documents.get(each) is None]:
        yield _first(missing, "is missing")
    if Part.CODE in unproven and not row.may_be_attested(Part.CODE):
        skipped = [each.test for each in evidence if each.outcome == "skipped"]
        yield f"{skipped[0]} was skipped" if skipped else "no test proves it"
    if undecided := [str(each) for each in found.undecided if each.file in row.documents]:
        yield f"to decide: {_first(undecided)}"
    if unproven or row.reviewed:
        yield from _lacks_a_word(row, found, unproven, today)


def _lacks_a_word(row: Row, found: Found, unproven: list[Part], today: date) -> Iterator[str]:
    attestation = found.attestations.get(row.id)
    if attestation is None:
        tests = [f"no test of the {' and the '.join(unproven)}"] if unproven else []
        people = f"nobody has reviewed {_first(row.documents)}" if row.reviewed else "nobody vouches for it"
        yield ", and ".join([*tests, people])
    elif not attestation.holds(today):
        when = f"expired on {attestation.until}" if today > attestation.until else f"begins on {attestation.on}"
        yield f"the word of {attestation.by} {when}"
    elif row.reviewed and (
        changed := [each for each in row.documents if attestation.reviewed.get(each) != found.documents[each]]
    ):
        yield _first(changed, f"is not what {attestation.by} reviewed")


def _first(several: Sequence[str], says: str = "") -> str:
    return f"{several[0]} {says}".rstrip() + (f", and {len(several) - 1} more" if several[1:] else "")


def judge_all(rows: Iterable[Row], found: Found, today: date) -> list[Verdict]:
    """Return how every row stands."""
    return [judge(row, found, today) for row in rows]
