"""Run inside a service, with its own Python: what `make readiness` says of each row when one of its proofs is deleted.

No test is run: every test that carries a row counts as passed, and everybody vouches for what a person may vouch for.
Prints, by row, the proofs, and what was wrong.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dev.readiness import catalogue, documents
from dev.readiness.__main__ import lost
from dev.readiness.attestations import Attestation
from dev.readiness.catalogue import Row
from dev.readiness.evidence import Evidence
from dev.readiness.report import Report
from dev.readiness.verdict import Found, State, judge_all

NOW = datetime.now(UTC)


class Collected:
    evidence: list[Evidence]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.evidence = [
            Evidence(row, item.nodeid, "passed")
            for item in session.items
            for mark in item.iter_markers("row")
            for row in mark.args
        ]


def report(rows: Iterable[Row], evidence: list[Evidence], vouching: Iterable[Row] = ()) -> Report:
    fingerprints = documents.fingerprints({row.id: row for row in rows})
    words = {
        row.id: Attestation(
            by="Ada", says="I have looked.", evidence="a page", on=NOW.date(), until=NOW.date() + timedelta(30),
            reviewed={name: fingerprints[name] or "" for name in row.documents},
        )
        for row in vouching
    }  # fmt: skip
    # A document that `make check` writes need not be there yet.
    found = Found(evidence, words, {name: each or "" for name, each in fingerprints.items()})
    return Report("service", "none", NOW, judge_all(rows, found, NOW.date()))


def wrong(row: Row, rows: list[Row], evidence: list[Evidence], before: Path) -> Iterable[str]:
    own = [each for each in evidence if each.row == row.id]
    if not own and not row.takes_a_word:
        yield "no test carries it, and nobody may vouch for it"
    stands = report([row], own, [row] if row.takes_a_word else []).verdicts[0]
    if stands.state is State.OPEN:
        yield f"open with all of its proofs: {stands.why}"
    for part in row.parts:
        rest = [each for each in evidence if each.row != row.id or each.part is not part]
        text = report(rows, rest).text()
        if f"! {row.id} " not in text or f"\n  {row.id} " not in text.partition("\nOpen, ")[2]:
            yield f"not named as open without its tests of the {part}"
    for function in {each.function for each in own}:
        rest = [each for each in evidence if each.row != row.id or each.function != function]
        if (row.id, function) not in lost(before, rest):
            yield f"not named when {function} alone is deleted"


def main() -> None:
    collected = Collected()
    options = ["--collect-only", "-q", "-p", "no:cacheprovider", "-n", "0", "-m", "row"]
    with contextlib.redirect_stdout(sys.stderr):
        status = pytest.main(options, plugins=[collected])
    if status:
        sys.exit(f"The tests cannot be collected: {status}")
    rows = list(catalogue.load().values())
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "readiness.json"
        before.write_text(json.dumps(report(rows, collected.evidence).data()))
        found = {
            row.id: {
                "proofs": sorted({each.function for each in collected.evidence if each.row == row.id}),
                "wrong": list(wrong(row, rows, collected.evidence, before)),
            }
            for row in rows
        }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
