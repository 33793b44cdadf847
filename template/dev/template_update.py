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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ANSWERS = Path(".copier-answers.yml")
OWNERSHIP = Path("docs/ownership.md")
LABELS = ["-L", "before updating", "-L", "last update", "-L", "after updating"]
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
    return run_command(update)


def run_command(command: Callable[[Path], None]) -> int:
    """Run it with a folder of its own, and say what stopped it. Returns the exit code."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)
    try:
        # A cache and temporary files of its own: Copier locks neither, and this way an interrupt leaves none behind.
        with tempfile.TemporaryDirectory(prefix="template-update.", ignore_cleanup_errors=True) as private:
            command(Path(private))
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
    environment = private_environment(private)
    if before == VERSION or (not VERSION and not newer_exists(environment)):
        print(f"Already at {before}.")
        return

    say(f"Updating from {before} to {VERSION or 'the newest release'}…")
    rejects = merge([*PRERELEASES, *(["--vcs-ref", VERSION] if VERSION else [])], environment)
    after = answer("_commit")
    # A remote template was mirrored into the cache; a local one is where the answers say.
    template = next((private / "cache").glob("*.git"), Path(answer("_src_path")).expanduser())
    print(news(template, before, after))
    followed = follow(template, before, after, private)
    finish(f"Updated from {before} to {after}", [*rejects, *followed])


def private_environment(private: Path) -> dict[str, str]:
    """Return the environment for Copier: what it writes for the time of an update need not survive a power cut."""
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    return {
        **os.environ,
        "TMPDIR": str(private),
        "COPIER_CACHE_DIR": str(private / "cache"),
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": "core.fsync",
        f"GIT_CONFIG_VALUE_{count}": "none",
    }


def merge(what: Sequence[str], environment: Mapping[str, str]) -> set[str]:
    """Have Copier merge a release, or other answers. Returns what it could not even merge with markers."""
    # Three lines of context, Copier's default, put some edits into the wrong one of several alike blocks without a
    # word. With the whole file as context it is a true three-way merge.
    options = ["--defaults", "--quiet", "--conflict", "inline", "--context-lines", "100000"]
    before = rejected()
    copier(["update", *options, *what], environment)
    for path in unmerged():
        settle_pins(path)
    return rejected() - before


def finish(done: str, rejects: Sequence[str]) -> None:
    """Say what came, lock, and check the result."""
    words = {"??": "new", " D": "deleted", " M": "changed", " T": "changed"}
    for code, path in changes():
        print(f"  {'conflict' if path in rejects else words.get(code, 'conflict'):9}{path}")

    if conflicts := sorted({*unmerged(), *rejects}):
        raise UpdateError(1, f"\n{conflict_message(conflicts)}\n{UNDO}")
    if run([UV, "lock", "--quiet", "--python", sys.executable]).returncode:
        raise UpdateError(3, f"{done}, but the dependencies do not resolve: see pyproject.toml. {UNDO}")
    say("\nChecking the result: make check")
    if run(["make", "--no-print-directory", "check"]).returncode:
        raise UpdateError(3, f"{done}, but `make check` fails: repair what it names, then commit. {UNDO}")
    print(f"\n{done}; the check is green. Read `git diff`, then commit.")


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


def news(template: Path, before: str, after: str) -> str:
    """Return the template's own words since then, if it has a changelog."""
    lines = git_in(template, "diff", "--unified=0", before, after, "--", "CHANGELOG.md").splitlines()
    return "\n".join(line[1:] for line in lines if re.match(r"\+(?!\+\+)", line))


def follow(template: Path, before: str, after: str, private: Path) -> list[str]:
    """Bring the template's changes to where files have moved, which Copier does not see. Returns the conflicts.

    You moved a file: what the template changed in the old place is merged into the new one. The template moved a file
    (`hooks/renames.txt` there): what you changed in the old place is merged into the new one, and the old one goes.
    """
    conflicts = []
    for line in git_in(template, "show", f"{after}:hooks/renames.txt").splitlines():
        old, _, new = line.partition(" -> ")
        base = git_in(template, "show", f"{before}:template/{old}")
        if new and base and Path(old).is_file() and Path(new).is_file():
            theirs = Path(new).read_text(encoding="utf-8")
            if merged(Path(old), base, theirs, private):
                conflicts.append(new)
            Path(old).replace(new)
    listed = git_in(template, "diff", "--name-only", "--no-renames", before, after, "--", "template")
    for old in sorted(set(re.findall(r"^template/(.+?)(?:\.jinja)?$", listed, re.MULTILINE))):
        here = None if Path(old).exists() or is_yours(old) else moved_to(old)
        if not here:
            continue
        base, theirs = (git_in(template, "show", f"{each}:template/{old}") for each in (before, after))
        if not base or not theirs:
            print(f"You moved {old} to {here}: what the template changed in it is not there.")
        elif merged(Path(here), base, theirs, private):
            conflicts.append(here)
    return conflicts


def is_yours(path: str) -> bool:
    """Is it in the first row of docs/ownership.md?"""
    table = OWNERSHIP.read_text(encoding="utf-8") if OWNERSHIP.is_file() else ""
    row = re.search(r"^\| \*\*yours\*\* \|(.*?)\|", table, re.MULTILINE)
    return any(f"{path}/".startswith(f"{each.rstrip('/')}/") for each in re.findall(r"`(.+?)`", row[1] if row else ""))


def moved_to(path: str) -> str | None:
    """Return where a file of this service's history is now."""
    if Path(path).exists():
        return None
    gone = run(["git", "log", "-1", "--format=%H", "--no-renames", "--diff-filter=D", "--", path], capture=True).stdout
    if not gone:
        return None
    names = git("show", "-z", "--format=", "--name-status", "--find-renames=80%", "--relative", gone.strip())
    renames = {names[index + 1]: names[index + 2] for index, name in enumerate(names) if re.fullmatch(r"R\d+", name)}
    new = renames.get(path)
    return (new if Path(new).is_file() else moved_to(new)) if new else None


def merged(file: Path, base: str, theirs: str, private: Path) -> bool:
    """Merge into the file, three ways, and tell whether that left a conflict."""
    sides = [private / "base", private / "theirs"]
    for side, text in zip(sides, (base, theirs), strict=True):
        side.write_text(text, encoding="utf-8")
    return run(["git", "merge-file", *LABELS, str(file), *map(str, sides)], capture=True).returncode != 0


def git_in(template: Path, *arguments: str) -> str:
    """Return what git says of the template, and nothing where it refuses."""
    ran = run(["git", "-C", str(template), *arguments], capture=True)
    return "" if ran.returncode else ran.stdout


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
    """Resolve a file's conflicts that are about pins: the newer of each pair wins."""
    file = Path(path)
    merge_apart_from_pins(path)
    text = file.read_text(encoding="utf-8")
    settled = CONFLICT.sub(lambda found: newer_pins(found["ours"], found["theirs"]) or found[0], text)
    file.write_text(settled, encoding="utf-8")
    if not CONFLICT.search(settled):
        # No longer a conflict for git either: a change like the others.
        git("reset", "--quiet", "--", path)


def merge_apart_from_pins(path: str) -> None:
    """Merge a file again as if all sides had the newest pins: then what is beside a pin collides with it no more."""
    sides = [run(["git", "show", f":{stage}:./{path}"], capture=True).stdout for stage in (2, 1, 3)]
    ours, theirs = ({pin["name"]: pin for pin in PIN.finditer(side)} for side in (sides[0], sides[2]))
    newest = {name: max(pin, theirs[name], key=version)[0] for name, pin in ours.items() if name in theirs}
    # A name that a side pins at several versions is for a person.
    several = {
        name for side in sides for name in newest if len({p[0] for p in PIN.finditer(side) if p["name"] == name}) > 1
    }
    if not all(sides) or not newest.keys() - several:
        return
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("ours", "base", "theirs")]
        for file, side in zip(files, sides, strict=True):
            text = PIN.sub(lambda pin: pin[0] if pin["name"] in several else newest.get(pin["name"], pin[0]), side)
            file.write_text(text, encoding="utf-8")
        run(["git", "merge-file", *LABELS, *map(str, files)], capture=True)
        Path(path).write_bytes(files[0].read_bytes())


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
