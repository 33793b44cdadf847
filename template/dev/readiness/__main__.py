"""`make readiness`: what is proven, what is attested, what is open. Exits with 1 while something is open.

With `attest ROW --by WHO` it drafts somebody's word about a row, for readiness/attestations.toml.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.identity import NAME
from dev.environment import PROJECT
from dev.readiness import attestations, catalogue, documents, evidence, verdict
from dev.readiness.evidence import Evidence
from dev.readiness.page import page
from dev.readiness.report import Report

REPORTS = PROJECT / "reports"
DAYS = 180


def main() -> int:
    """Compute the report, print it, and write it to reports/."""
    parser = argparse.ArgumentParser(prog="python -m dev.readiness", description=__doc__)
    attest = parser.add_subparsers(dest="command").add_parser("attest")
    attest.add_argument("row")
    attest.add_argument("--by", required=True, help="name and role")
    arguments = parser.parse_args()
    try:
        rows = catalogue.load()
        words = attestations.load(rows)  # before the tests: a slip of the pen should not cost a minute
        if arguments.command:
            print(draft(rows, arguments.row, arguments.by))
            return 0
        proofs = evidence.collect()
    except catalogue.ReadinessError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    now = datetime.now(UTC)
    found = verdict.Found(proofs, words, documents.fingerprints(rows), documents.undecided())
    verdicts = verdict.judge_all(rows.values(), found, now.date())
    file = REPORTS / "readiness.json"
    report = Report(NAME, _commit(), now, verdicts, found.undecided, lost(file, proofs))
    REPORTS.mkdir(exist_ok=True)
    file.write_text(json.dumps(report.data(), indent=2) + "\n")
    (REPORTS / "readiness.html").write_text(page(report))
    print(f"\n{report.text()}\nreports/readiness.html shows it, reports/readiness.json has it for programs.")
    return 1 if report.open else 0


def lost(file: Path, proofs: Sequence[Evidence]) -> list[tuple[str, str]]:
    """Return what a report from before counted as proof, and what is not there any more: `(row, test)`."""
    if not file.exists():
        return []
    before = [
        (row["id"], Evidence(row["id"], test, outcome).function)
        for row in json.loads(file.read_text())["rows"]
        for test, outcome in row["tests"].items()
        if outcome == "passed"
    ]
    now = {(each.row, each.function) for each in proofs}
    return [each for each in dict.fromkeys(before) if each not in now]


def draft(rows: dict[str, catalogue.Row], id_: str, by: str) -> str:
    """Return somebody's word about a row, for attestations.toml, without what they say. Raises ReadinessError."""
    row = rows.get(id_)
    if row is None or not row.takes_a_word:
        raise catalogue.ReadinessError(f"{id_} is {'proven by tests alone' if row else 'no row of the catalogue'}.")
    today = datetime.now(UTC).date()
    lines = [f"[{id_}]", f"by = {json.dumps(by, ensure_ascii=False)}", 'says = ""', 'evidence = ""', f"on = {today}"]
    lines.append(f"until = {today + timedelta(DAYS)}")
    if row.reviewed:
        read = documents.fingerprints({id_: row})
        if missing := [each for each, fingerprint in read.items() if fingerprint is None]:
            raise catalogue.ReadinessError(f"{missing[0]} is missing, and nobody can have read it.")
        lines += [f'reviewed."{document}" = "{fingerprint}"' for document, fingerprint in read.items()]
    return "\n".join(lines)


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False).stdout

    commit = git("rev-parse", "--short=12", "HEAD").strip() or "none"
    return f"{commit} with changes" if git("status", "--porcelain") else commit


if __name__ == "__main__":
    sys.exit(main())
