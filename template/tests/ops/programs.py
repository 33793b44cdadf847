"""Stand-ins for programs that commands call: they note how they were called, and answer as a test wants."""

import os
from pathlib import Path

import pytest

# Finds an attestation as `gh attestation verify` does, by the hash of the file, in the list `gh.signed`.
# `gh api` and `gh issue` answer with the file `gh.answer`.
GH = """
if [ "$1 $2" != "attestation verify" ]; then
    cat "$0.answer" 2>/dev/null || { echo "gh: Not Found (HTTP 404)" >&2; exit 1; }
    exit 0
fi
hash=$(sha256sum "$3" | cut -d " " -f 1)
shift 3
while [ $# -gt 0 ]; do
    case "$1" in
    --repo) repo=$2; shift 2 ;;
    --signer-workflow) workflow=$2; shift 2 ;;
    --source-ref) ref=$2; shift 2 ;;
    --predicate-type) predicate=$2; shift 2 ;;
    --deny-self-hosted-runners) hosted=yes; shift ;;
    *) echo "unknown flag: $1" >&2; exit 64 ;;
    esac
done
[ "$hosted" = yes ] && grep -qxF "$hash $repo $workflow $ref $predicate" "$0.signed" && exit 0
echo "Error: no attestations found for subject sha256:$hash" >&2
exit 1
"""


class Programs:
    """A folder of programs, first on PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def add(self, name: str, script: str = "") -> Path:
        """Add a program."""
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "$*" >> "$0.calls"\n{script}')
        path.chmod(0o755)
        return path

    def calls(self, name: str) -> list[str]:
        """How it was called."""
        noted = self.folder / f"{name}.calls"
        return noted.read_text().splitlines() if noted.exists() else []

    def answer(self, name: str, text: str) -> None:
        """Let it answer this."""
        (self.folder / f"{name}.answer").write_text(text)
