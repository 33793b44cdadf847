"""Joins promises, tests and attestations: what is proven, what is attested, and what is open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from dev.readiness.attestations import Attestation
from dev.readiness.catalogue import Part, Row
from dev.readiness.evidence import Evidence


class State(StrEnum):
    """How a row stands."""

    PROVEN = "proven"
    ATTESTED = "attested"
    OPEN = "open"


@dataclass(frozen=True)
class Verdict:
    """How a row stands, and why."""

    row: Row
    state: State
    why: str
    evidence: list[Evidence]
    attestation: Attestation | None


def judge(row: Row, evidence: list[Evidence], attestation: Attestation | None, today: date) -> Verdict:
    """Return how the row stands. A failed test is stronger than anybody's word; a skipped one says nothing."""

    def verdict(state: State, why: str) -> Verdict:
        return Verdict(row, state, why, evidence, attestation)

    failed = [each.test for each in evidence if each.outcome == "failed"]
    if failed:
        return verdict(State.OPEN, f"{failed[0]} fails" + (f", and {len(failed) - 1} more" if failed[1:] else ""))
    proven = {each.part for each in evidence if each.outcome == "passed"}
    missing = sorted(row.parts - proven)
    if not missing:
        count = sum(each.outcome == "passed" for each in evidence)
        return verdict(State.PROVEN, f"{count} {'tests' if count > 1 else 'test'}")
    if Part.CODE in missing and not row.may_be_attested(Part.CODE):
        skipped = [each.test for each in evidence if each.outcome == "skipped"]
        return verdict(State.OPEN, f"{skipped[0]} was skipped" if skipped else "no test proves it")
    if attestation is None:
        return verdict(State.OPEN, f"no test of the {' and the '.join(missing)}, and nobody vouches for it")
    if not attestation.holds(today):
        when = f"expired on {attestation.until}" if today > attestation.until else f"begins on {attestation.on}"
        return verdict(State.OPEN, f"the word of {attestation.by} {when}")
    return verdict(State.ATTESTED, f"{attestation.by}, until {attestation.until}")


def judge_all(
    rows: Mapping[str, Row], evidence: Iterable[Evidence], attestations: Mapping[str, Attestation], today: date
) -> list[Verdict]:
    """Return how every row stands."""
    by_row: dict[str, list[Evidence]] = {}
    for each in evidence:
        by_row.setdefault(each.row, []).append(each)
    return [judge(row, by_row.get(row.id, []), attestations.get(row.id), today) for row in rows.values()]
