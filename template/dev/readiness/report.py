"""The report, for a terminal and for a program."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dev.readiness.catalogue import Gravity
from dev.readiness.verdict import State, Verdict

MARKS = {State.PROVEN: "+", State.ATTESTED: "~", State.OPEN: "!"}
BLOCKS = {
    Gravity.LAUNCH: "blocks the launch",
    Gravity.GROWTH: "before many use it",
    Gravity.LATER: "later",
}

HOW_TO_CLOSE = """\
A row is closed by a test that carries its id, @pytest.mark.row("the.row"), and that passes; or, where no test can know,
by somebody's word in readiness/attestations.toml."""


@dataclass(frozen=True)
class Report:
    """How every row stood, of which commit, and when."""

    service: str
    commit: str
    at: datetime
    verdicts: Sequence[Verdict]

    @property
    def open(self) -> list[Verdict]:
        """What is open, the gravest first."""
        gravities = list(Gravity)
        found = [each for each in self.verdicts if each.state is State.OPEN]
        return sorted(found, key=lambda each: gravities.index(each.row.gravity))

    @property
    def counts(self) -> dict[State, int]:
        """How many rows stand how."""
        found = Counter(each.state for each in self.verdicts)
        return {state: found[state] for state in State}

    def text(self) -> str:
        """Return it for a person at a terminal: row by row, and at the end what is open."""
        width = max(len(each.row.id) for each in self.verdicts)
        lines = [f"{MARKS[each.state]} {each.row.id:{width}}  {each.why}" for each in self.verdicts]
        for gravity in Gravity:
            graves = [each for each in self.open if each.row.gravity is gravity]
            if graves:
                lines += ["", f"Open, {BLOCKS[gravity]}:"]
                lines += [f"  {each.row.id:{width}}  {each.row.promise}" for each in graves]
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
            "rows": [
                {
                    "id": each.row.id,
                    "promise": each.row.promise,
                    "gravity": each.row.gravity,
                    "state": each.state,
                    "why": each.why,
                    "tests": {found.test: found.outcome for found in each.evidence},
                    "attestation": each.attestation.model_dump(mode="json") if each.attestation else None,
                }
                for each in self.verdicts
            ],
        }
