"""`make readiness`: what is proven, what is attested, what is open. Exits with 1 while something is open."""

import json
import subprocess
import sys
from datetime import UTC, datetime

from app.identity import NAME
from dev.environment import PROJECT
from dev.readiness import attestations, catalogue, evidence, verdict
from dev.readiness.page import page
from dev.readiness.report import Report

REPORTS = PROJECT / "reports"


def main() -> int:
    """Compute the report, print it, and write it to reports/."""
    try:
        rows = catalogue.load()
        words = attestations.load(rows)  # before the tests: a slip of the pen should not cost a minute
        found = evidence.collect()
    except catalogue.ReadinessError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    now = datetime.now(UTC)
    report = Report(NAME, _commit(), now, verdict.judge_all(rows, found, words, now.date()))
    REPORTS.mkdir(exist_ok=True)
    (REPORTS / "readiness.json").write_text(json.dumps(report.data(), indent=2) + "\n")
    (REPORTS / "readiness.html").write_text(page(report))
    print(f"\n{report.text()}\nreports/readiness.html shows it, reports/readiness.json has it for programs.")
    return 1 if report.open else 0


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False).stdout

    commit = git("rev-parse", "--short=12", "HEAD").strip() or "none"
    return f"{commit} with changes" if git("status", "--porcelain") else commit


if __name__ == "__main__":
    sys.exit(main())
