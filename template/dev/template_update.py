"""`make template-update`: bring the newest release of the template into this service, for you to read and commit.

Your changes and the template's are merged three ways; nothing is committed or staged. `VERSION=v1.2.0` asks for that
release instead of the newest, `PRERELEASES=1` counts pre-releases. `COPIER` names another way to run Copier.

Exit codes (make itself turns every failure into 2):

    0    up to date already, or updated and `make check` is green
    1    updated, but you and the template changed the same lines: the list says where
    2    not updated: the sentence says why and what to do
    3    updated, but `uv lock` or `make check` failed
    130  interrupted
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ANSWERS = Path(".copier-answers.yml")
UV = os.environ.get("UV") or "uv"
COPIER = shlex.split(os.environ.get("COPIER", "")) or [UV, "tool", "run", "--from", "copier>=9.19,<10", "copier"]
VERSION = os.environ.get("VERSION")
PRERELEASES = ["--prereleases"] if os.environ.get("PRERELEASES") else []

# The tree was clean when the update began, so up to now this loses nothing else.
UNDO = "To undo the update and everything since: git restore --staged --worktree . && git clean -fd ."


class UpdateError(Exception):
    """Why the update stopped, in words for a person, and the exit code that says so."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def main() -> int:
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)
    try:
        # A cache and temporary files of its own: Copier locks neither, and this way an interrupt leaves none behind.
        with tempfile.TemporaryDirectory(prefix="template-update.", ignore_cleanup_errors=True) as private:
            update(Path(private))
    except UpdateError as error:
        print(error, file=sys.stderr)
        return error.code
    except FileNotFoundError as error:
        print(f"{error.filename} was not found. Install it, or put it on PATH, and try again.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nInterrupted. {UNDO if changes() else 'Nothing was changed.'}", file=sys.stderr)
        return 130
    return 0


def update(private: Path) -> None:
    refuse_unsafe_start()
    before = answer("_commit")
    environment = {**os.environ, "TMPDIR": str(private), "COPIER_CACHE_DIR": str(private / "cache")}
    if before == VERSION or (not VERSION and not newer_exists(environment)):
        print(f"Already at {before}.")
        return

    say(f"Updating from {before} to {VERSION or 'the newest release'}…")
    rejected_before = rejected()
    # Three lines of context, Copier's default, put some edits into the wrong one of several alike blocks without a
    # word. With the whole file as context it is a true three-way merge.
    options = ["--defaults", "--quiet", "--conflict", "inline", "--context-lines", "100000", *PRERELEASES]
    copier(["update", *options, *(["--vcs-ref", VERSION] if VERSION else [])], environment)
    for path in unmerged():
        settle_pins(path)
    report(before, private / "cache")

    if conflicts := sorted({*unmerged(), *(rejected() - rejected_before)}):
        raise UpdateError(1, f"\n{conflict_message(conflicts)}\n{UNDO}")
    if run([UV, "lock", "--quiet", "--python", sys.executable]).returncode:
        raise UpdateError(3, f"Updated, but the dependencies do not resolve: see pyproject.toml. {UNDO}")
    say("\nChecking the result: make check")
    if run(["make", "--no-print-directory", "check"]).returncode:
        raise UpdateError(3, f"Updated, but `make check` fails: repair what it names, then commit. {UNDO}")
    print(f"\nUpdated from {before} to {answer('_commit')}; the check is green. Read `git diff`, then commit.")


def refuse_unsafe_start() -> None:
    """An update is only safe where git can tell the owner's work from the template's."""
    commit = "git add --all && git commit -m 'Start'"
    if git_status("rev-parse", "--git-dir"):
        raise UpdateError(2, f"This folder is not under git, which keeps your work safe: git init && {commit}")
    if git_status("rev-parse", "--verify", "--quiet", "HEAD"):
        raise UpdateError(2, f"Nothing has been committed here yet, so your work could not be told apart: {commit}")
    if not ANSWERS.is_file():
        raise UpdateError(
            2,
            f"{ANSWERS} is missing, and it says which template this service comes from. "
            f"Find it in the history (git log --all -- {ANSWERS}) and commit it again.",
        )
    if conflicts := unmerged():
        raise UpdateError(2, "An earlier update or merge is unfinished.\n" + conflict_message(conflicts))
    dirty = [path for _, path in changes()]
    if dirty == ["uv.lock"]:
        raise UpdateError(
            2, "uv.lock is not committed, and the update locks anew: git add uv.lock && git commit -m 'Lock'"
        )
    if dirty:
        raise UpdateError(
            2,
            f"These changes are not committed:\n{listing(dirty)}\nCommit them (git add --all && git commit) or put "
            "them aside (git stash --include-untracked), so that the update can always be undone.",
        )


def newer_exists(environment: Mapping[str, str]) -> bool:
    # An update that brings nothing costs as much as one that does, so ask first. The exit code would not tell a newer
    # release (2) from a wrong option or a failing uv (2 as well).
    say("Asking the template for a newer release…")
    answered = copier(["check-update", "--output-format", "json", *PRERELEASES], environment)
    return bool(json.loads(answered)["update_available"])


def report(before: str, cache: Path) -> None:
    """Say what came: the template's own words if it has a changelog, then each file."""
    # A remote template was mirrored into the cache; a local one is where the answers say.
    template = next(cache.glob("*.git"), Path(answer("_src_path")).expanduser())
    compared = ["diff", "--unified=0", before, answer("_commit"), "--", "CHANGELOG.md"]
    news = run(["git", "-C", str(template), *compared], capture=True).stdout
    print("\n".join(line[1:] for line in news.splitlines() if re.match(r"\+(?!\+\+)", line)))
    words = {"??": "new", " D": "deleted", " M": "changed", " T": "changed"}
    for code, path in changes():
        print(f"  {words.get(code, 'conflict'):9}{path}")


def conflict_message(paths: Sequence[str]) -> str:
    return (
        f"You and the template changed the same lines of:\n{listing(paths)}\n"
        "In each, your lines stand under `<<<<<<< before updating`, the template's above `>>>>>>> after updating`;\n"
        "docs/ownership.md says whose the file is. Keep what is right, delete the markers, `git add` each file, run\n"
        f"`{UV} lock` and `make check`, then commit."
    )


# Dependabot and the template both move these, on the same line: `uses: name@commit # v1.2.3`, `image:1.2.3@sha256:…`.
PIN = re.compile(
    r"(?P<name>[\w./-]+)(?::(?P<tag>[\w.-]+))?@(?P<digest>sha256:[0-9a-f]{64}|[0-9a-f]{40})(?: # v?(?P<version>\S+))?"
)
CONFLICT = re.compile(
    r"^<<<<<<< before updating\n(?P<ours>.*?)(?:^\|{7}.*?)?^=======\n(?P<theirs>.*?)^>>>>>>> after updating\n",
    re.MULTILINE | re.DOTALL,
)


def settle_pins(path: str) -> None:
    """Resolve a file's conflicts whose two sides differ in nothing but pins: the newer of each pair wins."""
    file = Path(path)
    text = file.read_text(encoding="utf-8")
    settled = CONFLICT.sub(lambda found: newer_pins(found["ours"], found["theirs"]) or found[0], text)
    if settled == text:
        return
    file.write_text(settled, encoding="utf-8")
    if not CONFLICT.search(settled):
        # No longer a conflict for git either: a change like the others.
        git("reset", "--quiet", "--", path)


def newer_pins(ours: str, theirs: str) -> str | None:
    """Return the lines with the newer pins, or None where something else differs too.

    Of two digests of one tag nothing says which is newer: the service's stays, and Dependabot moves it on.
    """
    pairs = list(zip(PIN.finditer(ours), PIN.finditer(theirs), strict=False))
    if PIN.sub("@", ours) != PIN.sub("@", theirs) or any(one["name"] != other["name"] for one, other in pairs):
        return None
    newest = iter([other[0] if version(other) > version(one) else one[0] for one, other in pairs])
    return PIN.sub(lambda _: next(newest), ours)


def version(pin: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", pin["version"] or pin["tag"] or ""))


def listing(paths: Sequence[str]) -> str:
    return "\n".join(f"  {path}" for path in paths)


def answer(key: str) -> str:
    found = re.search(rf"^{key}: *['\"]?(.+?)['\"]?$", ANSWERS.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise UpdateError(2, f"{ANSWERS} lacks {key}, which Copier wrote there. Bring it back: git log -p -- {ANSWERS}")
    return found[1]


def changes() -> list[tuple[str, str]]:
    status = git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", ".")
    return [(entry[:2], entry[3:]) for entry in status]


def unmerged() -> list[str]:
    return git("diff", "--name-only", "-z", "--diff-filter=U", "--relative")


def rejected() -> set[str]:
    """What Copier could not even merge with markers; ignored files too, for `*.rej` often is."""
    return set(git("ls-files", "--others", "-z", "--", "*.rej"))


def git(*arguments: str) -> list[str]:
    return [item for item in run(["git", *arguments], capture=True).stdout.split("\0") if item]


def git_status(*arguments: str) -> int:
    return run(["git", *arguments], capture=True).returncode


def copier(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    ran = run([*COPIER, *arguments], environment, capture=True)
    if ran.returncode:
        # The cause stands at the end. Of a traceback only the last line is for people, and git's words are in a column.
        lines = [line for line in ran.stderr.splitlines() if re.match(r"(?!Traceback)\S|\s*\|\s*\S", line)]
        cause = listing([re.sub(r"^(Stderr:)?\s*\|\s*", "", line) for line in lines[-4:]])
        raise UpdateError(
            2,
            f"Copier could not do `{arguments[0]}` with {answer('_src_path')}:\n{cause}\n"
            + (UNDO if changes() else "Nothing was changed. Is the template reachable, and the release there?"),
        )
    return ran.stdout


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, capture: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command; an interrupt returns only after the command has stopped writing into the tree."""
    pipe = subprocess.PIPE if capture else None
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            out, err = process.communicate()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out or "", err or "")


def say(text: str) -> None:
    """Before a command that takes a while or prints for itself."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
