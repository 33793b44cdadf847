"""`make adopt SERVICE=../their-service`: bring the template into a repository that exists, on a branch of its own.

Nothing is overwritten: a file that both have is a conflict that git knows, with both sides in it. What was there before
is not held to the new checks until its owner takes it off the lists in pyproject.toml. `ONLY=ci`, `ONLY=docs` or
`ONLY=infra` brings a slice, and may be repeated; `ANSWERS=answers.yml` and `SRC` are those of `make service`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import copier
import yaml
from copier.errors import CopierError
from pathspec import PathSpec
from plumbum.commands.processes import ProcessExecutionError

from tools.service import ROOT, read_answers

BRANCH = "adopt-template"
ANSWERS = ".copier-answers.yml"
# As the update command names the two sides, so that it refuses to start before they are resolved.
LABELS = ["-L", "before updating", "-L", "nothing", "-L", "after updating"]
UNION = {".gitignore", ".dockerignore"}
EXAMPLE = ["src/app/orders/", "tests/orders/", "migrations/versions/"]
SLICES = {
    "ci": [".github/", ".pre-commit-config.yaml", ".squawk.toml"],
    "docs": ["/*.md", "/docs/", "/legal/"],
    "infra": ["/infra/", "/ops/", "/tests/infra/", "/tests/ops/", "/dev/ops.mk"],
}
NEXT = {
    "ci": "The workflows call targets of make: give your Makefile those that it lacks (git grep 'make ' .github).",
    "docs": "Read them, and make what they promise true, or delete it.",
    "infra": "Read infra/README.md: what is there first is imported into Terraform's state, or stays out of it.",
    "": "make check, then make readiness: it lists what is proven, and what is open, the gravest first.",
}
HISTORY = """\
Your revisions stay, and the example domain was left out for them. Move them to migrations/versions. What has no name
in them would get one by rule in a new database: give it the name that it has in yours (`\\d invoices` in psql shows
"invoices_pkey"; so sa.PrimaryKeyConstraint("id", name="invoices_pkey")). Let your models say the same names, derive
from app.chassis.data.model.Model, and stand in modules named models.py below src/app."""
CODE = """\
Your code of before is on the lists `From before the template` in pyproject.toml, and no new rule is held against it:
move it below src/app, a router at a time (src/app/routes.py), and take it off the lists."""
REPLACED = {"alembic.ini", "poetry.lock", "requirements.txt"}
VERSIONS = "migrations/versions"
RULES = ".squawk.toml"
ROUTES = "src/app/routes.py"
NO_ROUTES = b"""\
\"\"\"The routes this service serves. Add your routers to the list.\"\"\"

from fastapi import APIRouter

routers: list[APIRouter] = []
"""
FROM_BEFORE = "# From before the template: take a file off this list when it keeps to the rules.\n"
YOURS = "    # --- yours: add below this line ---\n"


def main(service: str, only: str, answers_file: str, source: str) -> None:
    folder = Path(service).expanduser().resolve()
    if not service or not folder.is_dir():
        sys.exit("Say which repository: make adopt SERVICE=../their-service")
    if only and only not in SLICES:
        sys.exit(f"{only}: no such slice. There are {', '.join(SLICES)}; without ONLY, everything.")
    refuse_unsafe_start(folder)
    before = {
        path: (folder / path).read_bytes()
        for path in git(folder, "ls-files", "-z").split("\0")
        if (folder / path).is_file()
    }
    with tempfile.TemporaryDirectory() as temporary:
        rendered = render(Path(temporary) / folder.name, answers(folder, answers_file), source)
    chosen = slice_of(rendered, only, before)
    git(folder, "switch", "--quiet", "--create", f"{BRANCH}{f'-{only}' if only else ''}")
    if not only:
        chosen |= {"pyproject.toml": with_what_was_there(chosen["pyproject.toml"], before, chosen)}
        chosen |= {RULES: with_history(chosen[RULES], before)}
    conflicts = write(folder, chosen, before)
    report(chosen, before, conflicts, only)


def refuse_unsafe_start(folder: Path) -> None:
    try:
        dirty = git(folder, "status", "--porcelain")
        git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
        top = Path(git(folder, "rev-parse", "--show-toplevel").strip())
    except subprocess.CalledProcessError:
        sys.exit(f"{folder} is no git repository with a commit: only there nothing can be lost.")
    if dirty:
        sys.exit(f"{folder} has changes that are not committed: commit them first, or put them aside (git stash -u).")
    if top != folder:
        sys.exit(f"{folder} is not the top of its repository, which is {top}: workflows belong there.")


def answers(folder: Path, file: str) -> dict[str, Any]:
    """Those given, over those of a slice before; jobs and calls are not guessed."""
    remembered = yaml.safe_load((folder / ANSWERS).read_text()) if (folder / ANSWERS).is_file() else {"features": []}
    return {name: value for name, value in remembered.items() if not name.startswith("_")} | read_answers(file)


def render(folder: Path, given: Mapping[str, Any], source: str) -> dict[str, bytes]:
    template: dict[str, Any] = {"src_path": source} if source else {"src_path": str(ROOT), "vcs_ref": "HEAD"}
    try:
        copier.run_copy(**template, dst_path=folder, data=dict(given), defaults=True, quiet=True)
    except (CopierError, ProcessExecutionError, ValueError) as error:
        sys.exit(f"Nothing was changed: {error}")
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def slice_of(rendered: dict[str, bytes], only: str, before: Mapping[str, bytes]) -> dict[str, bytes]:
    if only:
        spec = PathSpec.from_lines("gitignore", [*SLICES[only], f"/{ANSWERS}"])
        return {path: content for path, content in rendered.items() if spec.match_file(path)}
    if not own_history(before):
        return rendered
    # Two histories of one database do not go together, so the example domain stays out.
    spec = PathSpec.from_lines("gitignore", EXAMPLE)
    return {path: content for path, content in rendered.items() if not spec.match_file(path)} | {ROUTES: NO_ROUTES}


def own_history(before: Mapping[str, bytes]) -> list[str]:
    """Return the revisions of Alembic."""
    revision = re.compile(rb"^down_revision\b", re.MULTILINE)
    return [path for path, content in before.items() if path.endswith(".py") and revision.search(content)]


def moved(history: list[str]) -> list[str]:
    """Return where revisions are once they stand in the folder that is read."""
    return [f"{VERSIONS}/{path.rpartition('/')[2]}" for path in history]


def with_history(rules: bytes, before: Mapping[str, bytes]) -> bytes:
    """Hold no revision of before to the rules: what has run cannot be run more carefully."""
    history = moved(own_history(before))
    return rules + (FROM_BEFORE + listed("excluded_paths", history)).encode() if history else rules


def required(before: Mapping[str, bytes]) -> list[str]:
    """Return what the service depends on, by requirements.txt, [project] or Poetry's table."""
    lines = [line.split(" #")[0].strip() for line in before.get("requirements.txt", b"").decode().splitlines()]
    try:
        pyproject = tomllib.loads(before.get("pyproject.toml", b"").decode())
    except tomllib.TOMLDecodeError:
        pyproject = {}
    lines += pyproject.get("project", {}).get("dependencies", [])
    for name, given in pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {}).items():
        details = given if isinstance(given, dict) else {"version": given}
        extras = f"[{','.join(details['extras'])}]" if details.get("extras") else ""
        # A caret's lower bound, as all of ours are: uv.lock has the versions.
        version = re.sub(r"^[\^~](?=\d)|^(?=\d)", ">=", str(details.get("version", "*"))).removeprefix("*")
        if name != "python":
            lines.append(f"{name}{extras}{version}" if {*details} <= {"version", "extras"} else f"-- {name} = {given}")
    return [line for line in lines if line and not line.startswith("#")]


def named(requirement: str) -> str:
    """Return which package it is, or nothing: a line of another kind is its owner's to carry over."""
    found = re.match(r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:[<>=!~;].*)?$", requirement)
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""


def known(pyproject: bytes) -> set[str]:
    """Return what the template depends on, with its own bounds."""
    return {named(each) for each in tomllib.loads(pyproject.decode())["project"]["dependencies"]}


def with_what_was_there(pyproject: bytes, before: Mapping[str, bytes], chosen: Mapping[str, bytes]) -> bytes:
    """Depend on what it depended on, and hold the code of before to none of the new checks yet."""
    text = pyproject.decode()
    wanted = [each for each in required(before) if named(each) not in {"", *known(pyproject)}]
    text = text.replace(YOURS, YOURS + "".join(f"    {json.dumps(line)},\n" for line in wanted), 1)
    text = unused(text, [named(each) for each in wanted])
    old = code_of_before(before, chosen)
    if not old:
        return text.encode()

    patterns = [f"^{re.escape(path)}" for path in old]
    modules = [re.sub(r"^src/|(/__init__)?\.py$", "", path).replace("/", ".") for path in old]
    ignored = f"[[tool.mypy.overrides]]\n{listed('module', modules)}ignore_errors = true\n"
    for before_line, added in {
        "\n[tool.ruff.lint]\n": FROM_BEFORE + listed("extend-exclude", old),
        "\n[[tool.mypy.overrides]]\n": FROM_BEFORE + listed("exclude", patterns),
        "\n[tool.pytest.ini_options]\n": f"\n{ignored}",
        "package_module_name_map": FROM_BEFORE + listed("extend_exclude", patterns),
    }.items():
        text = text.replace(before_line, added + before_line, 1)
    return text.encode()


def unused(text: str, names: list[str]) -> str:
    """What only the code of before needs looks unused while that is not looked at."""
    if not names:
        return text
    key = "per_rule_ignores = { DEP002 = ["
    if key in text:
        return text.replace(key, f"{key}{json.dumps(names)[1:-1]}, ", 1)
    return text.replace("package_module_name_map", f"{key}{json.dumps(names)[1:-1]}] }}\npackage_module_name_map", 1)


def code_of_before(before: Mapping[str, bytes], chosen: Mapping[str, bytes]) -> list[str]:
    """Return the modules that are the owner's, revisions where they are and where they are to be."""
    old = {path for path in before if path.endswith(".py") and path not in chosen}
    return sorted(old | {*moved(own_history(before))})


def listed(name: str, values: list[str]) -> str:
    """Write a list in TOML, whose strings of this kind are those of JSON."""
    return f"{name} = [\n" + "".join(f"    {json.dumps(value)},\n" for value in values) + "]\n"


def write(folder: Path, chosen: Mapping[str, bytes], before: Mapping[str, bytes]) -> list[str]:
    """Write what is new, and return the conflicts, which are marked in the files and in git."""
    conflicts = []
    for path, content in sorted(chosen.items()):
        file, had = folder / path, before.get(path)
        if had == content or (path == ANSWERS and had is not None):
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and had is None:
            sys.exit(f"{path} is there, and not under git: nothing would bring it back. Add it, or move it away.")
        if had is None:
            file.write_bytes(content)
        elif path in UNION:
            missing = [line for line in content.decode().splitlines() if line not in had.decode().splitlines()]
            file.write_text(had.decode().rstrip("\n") + "\n" + "\n".join(missing) + "\n")
        else:
            merge(folder, path, content)
            conflicts.append(path)
    for path in (path for path in chosen if path.endswith(".sh")):
        (folder / path).chmod(0o755)
    return conflicts


def merge(folder: Path, path: str, content: bytes) -> None:
    """Put both sides into the file, and tell git that it is in conflict."""
    with tempfile.TemporaryDirectory() as temporary:
        base, theirs = Path(temporary) / "base", Path(temporary) / "theirs"
        base.touch()
        theirs.write_bytes(content)
        subprocess.run(["git", "merge-file", *LABELS, path, base, theirs], cwd=folder, capture_output=True)
        hash_ = git(folder, "hash-object", "-w", "--", str(theirs)).strip()
    mode, ours = git(folder, "ls-files", "--stage", "--", path).split()[:2]
    stages = f"0 {'0' * 40}\t{path}\n{mode} {ours} 2\t{path}\n{mode} {hash_} 3\t{path}\n"
    subprocess.run(["git", "update-index", "--index-info"], cwd=folder, input=stages.encode(), check=True)


def report(chosen: Mapping[str, bytes], before: Mapping[str, bytes], conflicts: list[str], only: str) -> None:
    new = [path for path in chosen if path not in before]
    print(f"{len(new)} files of the template are new, on a branch of their own; nothing is committed.")
    if conflicts:
        print(f"Both have these {len(conflicts)}; resolve each, and git add it:")
        print("\n".join(f"  {path}" for path in conflicts))
        print("Yours stands under `<<<<<<< before updating`, the template's above `>>>>>>> after updating`.")
    if not only:
        for sentence, things in left(chosen, before).items():
            if things:
                print(sentence + "".join(f"\n  {each}" for each in things))
        if any(path.endswith(".py") and path not in chosen for path in before):
            print(CODE)
    print(f"Then: {NEXT[only]}")


def left(chosen: Mapping[str, bytes], before: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Return what no conflict shows, and somebody has to see to."""
    pyproject = chosen["pyproject.toml"].decode()
    requirements = required(before)
    test = re.compile(r"(?!tests/)(?:.*/)?(?:test_[^/]*|[^/]*_test)\.py")
    return {
        HISTORY: own_history(before),
        "make test does not look for tests here: move them below tests.": [
            path for path in before if test.fullmatch(path)
        ],
        "These requirements were not understood: write them into pyproject.toml.": [
            each for each in requirements if not named(each)
        ],
        "Of these pyproject.toml has the template's versions.": [
            each
            for each in requirements
            if named(each) and re.search("[<>=~!]", each) and json.dumps(each) not in pyproject
        ],
        "Nothing reads these any more: delete them when you miss nothing.": sorted(REPLACED & before.keys()),
    }


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(*(os.environ.get(name, "") for name in ("SERVICE", "ONLY", "ANSWERS", "SRC")))
