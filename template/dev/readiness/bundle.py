"""`make evidence`: what an auditor takes along, as one archive that says of every file what is in it.

It holds the report of `make readiness`, which has just run, the promises and what they answer to, people's words and
the documents they have read, what the image contains, and from which commit all of it is. SHA256SUMS has every file.
"""

import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dev.environment import PROJECT
from dev.readiness.catalogue import ReadinessError

REPORTS = PROJECT / "reports"
EVIDENCE = ("reports/readiness.json", "reports/readiness.html", "reports/sbom.json")
FOLDERS = ("readiness", "legal", "docs", ".github/rulesets")
OPTIONAL = ("reports/restore-drill-aws.json", "uv.lock")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the archive of the same files is the same


def bundle(project: Path = PROJECT) -> Path:
    """Write the archive and return where it is. Raises ReadinessError."""
    files = dict(_files(project))
    readiness = json.loads(files["reports/readiness.json"])
    files["controls.csv"] = _controls(readiness["rows"]).encode()
    files["commit.txt"] = _commits(project).encode()
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    files["SHA256SUMS"] = sums.encode()
    archive = project / "reports" / f"evidence-{readiness['at'][:10]}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in sorted(files.items()):
            target.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    return archive


def _files(project: Path) -> Iterator[tuple[str, bytes]]:
    for name in EVIDENCE:
        if not (project / name).exists():
            raise ReadinessError(f"{name} is missing: make evidence writes it first.")
        yield name, (project / name).read_bytes()
    paths = [path for folder in FOLDERS for path in sorted((project / folder).rglob("*")) if path.is_file()]
    for path in [*paths, *(project / name for name in OPTIONAL)]:
        if path.exists():
            yield path.relative_to(project).as_posix(), path.read_bytes()


def _controls(rows: list[dict[str, Any]]) -> str:
    """Return a line for each control and promise: how it stands, and what says so."""
    lines = [
        [framework, control, row["id"], row["promise"], row["state"], row["why"], _functions(row["tests"])]
        for row in rows
        for framework, controls in row["controls"].items()
        for control in controls
    ]
    table = io.StringIO()
    csv.writer(table).writerows([["framework", "control", "promise", "text", "state", "why", "proof"], *sorted(lines)])
    return table.getvalue()


def _functions(tests: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(test.partition("[")[0] for test in tests))


def _commits(project: Path) -> str:
    git = ["git", "log", "-20", "--format=%H %cI %an %s"]
    status = ["git", "status", "--porcelain"]
    said = [
        subprocess.run(each, cwd=project, capture_output=True, text=True, check=False).stdout for each in (git, status)
    ]
    return f"{said[0]}\nNot committed:\n{said[1] or 'nothing'}\n"


def main() -> int:
    """Write it, and say where."""
    try:
        archive = bundle()
    except ReadinessError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    print(f"{archive.relative_to(PROJECT)} is what an auditor takes along.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
