"""`make template-answers ANSWERS="features=[jobs,upstream] cloud=aws"`: answer the template's questions differently.

The service stays at its version of the template; what the answers change is merged as an update is, and nothing is
committed. What they would take away is said first, and needs `CONFIRM=1` or a yes. Files that are yours
(docs/ownership.md) are neither written nor deleted: those that use what goes are named.

Exit codes are those of `make template-update`.
"""

import ast
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dev import template_update
from dev.template_update import ANSWERS, UpdateError, answer, copier, git, is_yours, listing, say

CHASSIS_MIGRATIONS = "migrations/chassis/"
WRITTEN = {"legal/records.md": "src/app/chassis/privacy/records.py"}
"""What make writes, and from which code: without it nobody can write them again."""
REMAINS = '''"""What remains of {name}: its tables, in the databases that had them.

Alembic does not run where a database remembers a revision that is gone, so this one is still known and does nothing.
Delete it when every database has forgotten it, which leaves the tables alone:
`alembic downgrade {branch}@base`.
"""

from collections.abc import Sequence

{identity}

def upgrade() -> None:
    """Nothing: the tables are not used."""


def downgrade() -> None:
    """Nothing: the tables, where there are any, stay."""
'''


def main() -> int:
    """Change the answers. Returns the exit code."""
    return template_update.run_command(lambda private: change(shlex.split(os.environ.get("ANSWERS", "")), private))


def change(given: list[str], private: Path) -> None:
    """Say what would go, ask, merge, and check."""
    names = [re.match(r"(?:[a-z]\w*)(?==)", pair) for pair in given]
    if not given or None in names:
        raise UpdateError(2, 'Say which answers change: make template-answers ANSWERS="features=[jobs,upstream]"')
    template_update.refuse_unsafe_start()
    before, environment = answer("_commit"), template_update.private_environment(private)
    say(f"Rendering {before} with the answers so far, and with the new ones…")
    data = [part for pair in given for part in ("--data", pair)]
    old = rendered(private / "old", [], environment)
    new = rendered(private / "new", data, environment)
    asked = re.findall(r"^([a-z]\w*):", (private / "new" / ANSWERS).read_text(encoding="utf-8"), re.MULTILINE)
    if unknown := [name[0] for name in names if name and name[0] not in asked]:
        raise UpdateError(2, f"No such question: {', '.join(unknown)}. The questions are {', '.join(asked)}.")
    if old == new:
        print("These are the answers already.")
        return
    refuse_remains([path for path in new.keys() - old.keys() if path.startswith(CHASSIS_MIGRATIONS)])
    gone = {path: old[path] for path in sorted(old.keys() - new.keys()) if Path(path).is_file() and not is_yours(path)}
    records = [path for path, writer in WRITTEN.items() if writer in gone and Path(path).is_file()]
    gone |= {path: Path(path).read_bytes() for path in records}
    if gone and not agreed(gone, old):
        raise UpdateError(2, "\nNothing was changed. To go on: the same with CONFIRM=1.")

    rejects = template_update.merge(["--vcs-ref", before, *data], environment)
    for path, content in gone.items():
        if path.startswith(CHASSIS_MIGRATIONS):
            Path(path).write_text(remains(path, content.decode()), encoding="utf-8")
    for path in records:
        Path(path).unlink()
    template_update.finish(f"Answered {shlex.join(given)}", sorted(rejects))


def rendered(folder: Path, data: list[str], environment: Mapping[str, str]) -> dict[str, bytes]:
    """Return every file that a new service with these answers has."""
    answers = folder.with_suffix(".yml")
    lines = ANSWERS.read_text(encoding="utf-8").splitlines(keepends=True)
    answers.write_text("".join(line for line in lines if not line.startswith("_")), encoding="utf-8")
    options = ["--quiet", "--defaults", "--vcs-ref", answer("_commit"), "--data-file", str(answers), *data]
    copier(["copy", *options, answer("_src_path"), str(folder)], environment)
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def refuse_remains(arriving: Iterable[str]) -> None:
    """Databases made while the tables were unused believe that they have them: only their owner knows which."""
    if there := [path for path in arriving if Path(path).is_file()]:
        branch = Path(there[0]).stem
        raise UpdateError(
            2,
            f"The template would write these, which remain from before:\n{listing(there)}\n"
            f"A database made since then believes that it has the tables: there, `alembic downgrade {branch}@base`.\n"
            "Then delete the files, commit, and ask again; where the tables are, they are used again.",
        )


def agreed(gone: Mapping[str, bytes], old: Mapping[str, bytes]) -> bool:
    """Say what goes, and ask."""
    edited = [path for path, content in gone.items() if Path(path).read_bytes() != content]
    print(f"These go, {len(gone)} files of the template:")
    print(listing([f"{path}{' (edited by you)' if path in edited else ''}" for path in gone]))
    if using := list(uses(gone, old)):
        print(f"These of yours use what goes, and stay: change or delete them.\n{listing(using)}")
    if tables := [path for path in gone if path.startswith(CHASSIS_MIGRATIONS)]:
        print(f"The tables of these stay in every database, with their data:\n{listing(tables)}")
    if os.environ.get("CONFIRM"):
        return True
    return sys.stdin.isatty() and input("Go on? [y/N] ").strip().lower() in {"y", "yes"}


def uses(gone: Iterable[str], old: Mapping[str, bytes]) -> Iterator[str]:
    """Yield your files that import what goes: those that the template did not write, and those that you changed."""
    modules = {module(path) for path in gone if path.endswith(".py")}
    for path in git("ls-files", "-z", "--", "*.py"):
        content = Path(path).read_bytes()
        if path in gone or (content == old.get(path) and not is_yours(path)):
            continue
        if found := sorted(modules & set(imported(content))):
            yield f"{path}: {', '.join(found)}"


def module(path: str) -> str:
    return path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(content: bytes) -> Iterator[str]:
    """Yield the modules, and what may be one, that a file imports."""
    try:
        nodes = list(ast.walk(ast.parse(content)))
    except SyntaxError:
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def remains(path: str, text: str) -> str:
    """Return the revision without what it did."""
    identity = re.findall(r"^(?:revision|down_revision|branch_labels|depends_on): .*\n", text, re.MULTILINE)
    branch = Path(path).stem
    return REMAINS.format(name=branch.replace("_", " "), branch=branch, identity="".join(identity))


if __name__ == "__main__":
    sys.exit(main())
