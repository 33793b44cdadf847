"""The report, for a terminal and for a program."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dev.readiness.catalogue import Gravity
from dev.readiness.documents import Undecided
from dev.readiness.verdict import State, Verdict

MARKS = {State.PROVEN: "+", State.ATTESTED: "~", State.OPEN: "!"}
BLOCKS = {
    Gravity.LAUNCH: "blocks the launch",
    Gravity.GROWTH: "before many use it",
    Gravity.LATER: "later",
}
SOON = timedelta(days=30)

HOW_TO_CLOSE = """\
A row is closed by a test that carries its id, @pytest.mark.row("the.row"), and that passes; by a decision, where its
document waits for one; or, where no test can know, by somebody's word in readiness/attestations.toml, which
`make attest ROW=the.row BY="Ada Lovelace, counsel"` drafts."""


@dataclass(frozen=True)
class Report:
    """How every row stood, of which commit, and when."""

    service: str
    commit: str
    at: datetime
    verdicts: Sequence[Verdict]
    undecided: Sequence[Undecided] = ()
    lost: Sequence[tuple[str, str]] = ()
    """rows, and tests that proved them in the report before and are not there now"""

    @property
    def open(self) -> list[Verdict]:
        """What is open, the gravest first."""
        gravities = list(Gravity)
        found = [each for each in self.verdicts if each.state is State.OPEN]
        return sorted(found, key=lambda each: gravities.index(each.row.gravity))

    @property
    def open_by_gravity(self) -> dict[Gravity, list[Verdict]]:
        """The same, for each gravity that some row has."""
        found = {gravity: [each for each in self.open if each.row.gravity is gravity] for gravity in Gravity}
        return {gravity: verdicts for gravity, verdicts in found.items() if verdicts}

    @property
    def counts(self) -> dict[State, int]:
        """How many rows stand how."""
        found = Counter(each.state for each in self.verdicts)
        return {state: found[state] for state in State}

    @property
    def expiring(self) -> list[Verdict]:
        """Rows whose attestation ends soon."""
        today = self.at.date()
        return [
            each
            for each in self.verdicts
            if each.state is State.ATTESTED and each.attestation and each.attestation.until <= today + SOON
        ]

    def text(self) -> str:
        """Return it for a person at a terminal: row by row with what proves it, and at the end what is open."""
        width = max(len(each.row.id) for each in self.verdicts)
        lines = []
        for each in self.verdicts:
            lines.append(f"{MARKS[each.state]} {each.row.id:{width}}  {each.why}")
            lines += [f"      {proof}" for proof in proofs(each)]
        for gravity, verdicts in self.open_by_gravity.items():
            lines += ["", f"Open, {BLOCKS[gravity]}:"]
            lines += [f"  {each.row.id:{width}}  {each.why}" for each in verdicts]
        lines += _list("To decide, by a person:", [str(each) for each in self.undecided])
        lines += _list("Expires within 30 days:", [f"{each.row.id:{width}}  {each.why}" for each in self.expiring])
        lines += _list(
            "Proved it in the last report, and is gone:", [f"{row:{width}}  {test}" for row, test in self.lost]
        )
        if self.open:
            lines += ["", HOW_TO_CLOSE]
        counts = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        return "\n".join([*lines, "", f"{len(self.verdicts)} promises: {counts}."])

    def data(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "service": self.service,
            "commit": self.commit,
            "at": self.at.isoformat(),
            "ready": not self.open,
            "counts": self.counts,
            "undecided": [str(each) for each in self.undecided],
            "rows": [
                {
                    "id": each.row.id,
                    "promise": each.row.promise,
                    "gravity": each.row.gravity,
                    "state": each.state,
                    "why": each.why,
                    "tests": {found.test: found.outcome for found in each.evidence},
                    "documents": each.row.documents,
                    "controls": each.row.controls,
                    "attestation": each.attestation.model_dump(mode="json") if each.attestation else None,
                }
                for each in self.verdicts
            ],
        }


def proofs(verdict: Verdict) -> list[str]:
    """Return what speaks for a row: test functions, documents, somebody's word."""
    outcomes: dict[str, set[str]] = {}
    for each in verdict.evidence:
        outcomes.setdefault(each.function, set()).add(each.outcome)
    found = [f"{test}{'' if ends == {'passed'} else f' ({min(ends)})'}" for test, ends in outcomes.items()]
    found += verdict.row.documents
    if verdict.state is State.ATTESTED and verdict.attestation:
        found.append(f"{verdict.attestation.says} {verdict.attestation.evidence}")
    return found


def _list(title: str, lines: list[str]) -> list[str]:
    return ["", title, *(f"  {each}" for each in lines)] if lines else []
