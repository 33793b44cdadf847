"""Histories of services, made up by the hundred: `make histories N=500 SEED=0`.

A service of some release with some answers, some acts of its owner, and an update to a later release, with the code of
`make template-update` in process. Afterwards every file is compared with what a careful person would have made of it
(tests/update/merges.py). What fails is cut down to the acts that it takes, and printed as a history to read. For every
hundred histories also a year, or two, of an owner who does as they were told, and must never be needed.
"""

import contextlib
import importlib.util
import io
import json
import multiprocessing
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import copier
import yaml

from tests import releases
from tests.services import Answers, commit, git
from tests.update import acts, merges, novelties, remembering
from tests.update.kept import kept, owned, skipped

NOW = "v1000.0.0"
NEXT = [f"v1000.{number}.0" for number in range(1, 11)]
ANSWERS: dict[str, dict[str, Answers]] = {
    "v0.1.0": {"defaults": {}, "3.12": {"python_version": "3.12"}},
    "v0.2.0": {
        "defaults": {},
        "keys, cache": {"authentication": "api-keys", "features": ["cache"], "python_version": "3.14"},
        "nobody, personal data": {"authentication": "none", "compliance_level": "personal-data"},
        "regulated": {"compliance_level": "regulated", "features": ["cache"], "python_version": "3.12"},
    },
}
LATEST: dict[str, Answers] = {
    "defaults": {},
    "least": {"authentication": "none", "features": []},
    "keys, jobs": {"authentication": "api-keys", "features": ["jobs"], "compliance_level": "personal-data"},
    "cloud": {"cloud": "aws", "features": ["upstream"], "python_version": "3.12"},
    "most": {"cloud": "aws", "features": ["jobs", "upstream", "cache", "uploads"], "compliance_level": "regulated"},
}


@dataclass(frozen=True)
class History:
    """What happens to one service."""

    start: str
    answers: str
    target: str
    acts: tuple[tuple[str, int], ...]


@dataclass
class Outcome:
    """What became of it."""

    told: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    """Kind of the act whose file is in conflict."""
    merged: int = 0
    """Files that both sides changed, and that were merged without one."""


def build(template: Path) -> Path:
    """Clone the template with every release, the working tree as the newest, and some after it."""
    releases.clone(template)
    releases.copy_working_tree(template)
    releases.release(template, NOW)
    for number, version in enumerate(NEXT, 1):
        novelties.develop(template, version, number)
    return template


def made_up(seed: int, starts: Sequence[str]) -> History:
    random = Random(seed)
    start = random.choice([*starts, NOW, NOW])
    answers = random.choice(list(ANSWERS.get(start, LATEST)))
    target = random.choice(NEXT[:3] if start == NOW else [NOW, NOW, NEXT[0]])
    names = [random.choice(list(acts.ACTS)) for _ in range(random.randint(1, 9))]
    return History(start, answers, target, tuple((name, random.randrange(10**6)) for name in names))


@cache
def command(template: Path) -> ModuleType:
    """Import the code of `make template-update`, with Copier in process."""
    spec = importlib.util.spec_from_file_location("template_update", template / "template/dev/template_update.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def in_process(arguments: Sequence[str], _: Any) -> str:
        version = arguments[arguments.index("--vcs-ref") + 1]
        copier.run_update(".", defaults=True, overwrite=True, quiet=True, context_lines=100_000, vcs_ref=version)
        return ""

    module.__dict__["copier"] = in_process
    return module


def written(template: Path, version: str, answers: Answers, folder: Path) -> Path:
    copier.run_copy(str(template), folder, dict(answers), vcs_ref=version, defaults=True, quiet=True)
    return folder


def texts(service: Path) -> dict[str, str]:
    files = (file for file in service.rglob("*") if file.is_file() and ".git" not in file.relative_to(service).parts)
    return {file.relative_to(service).as_posix(): file.read_text(encoding="utf-8") for file in files}


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def run(template: Path, history: History) -> Outcome:
    """Let it happen."""
    with tempfile.TemporaryDirectory() as temporary, remembering.remembered():
        folder = Path(temporary)
        answers = ANSWERS.get(history.start, LATEST)[history.answers]
        service = written(template, history.start, answers, folder / "old" / "service")
        base = texts(service)
        commit(service, "Start")
        outcome = Outcome()
        doers: dict[str, str] = {}
        before = base
        for name, seed in history.acts:
            told = acts.ACTS[name](service, Random(seed))
            after = texts(service)
            doers |= {path: name for path in {*before, *after} if before.get(path) != after.get(path)}
            before = after
            if told:
                outcome.told.append(told)
        git(service, "add", "--all")
        git(service, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", "Edits")
        ours = texts(service)
        update(template, history, service, folder, outcome)
        result = texts(service)
        theirs = texts(written(template, history.target, answers_of(service), folder / "new" / "service"))
        compare(template, history, (base, ours, theirs, result), doers, outcome)
        unmerged = {*git(service, "diff", "--name-only", "--diff-filter=U").splitlines()}
        marked = {path for path, text in result.items() if merges.MARKER.search(text)}
        if missing := (marked - unmerged) - outcome_followed(outcome):
            outcome.problems.append(f"{missing}: markers that nothing announces")
        return outcome


YEARS: dict[str, Answers] = {"v0.1.0": {}, NOW: LATEST["most"]}
"""From the first release; and where everything is, from the newest."""


def year(template: Path, start: str, random: Random) -> Outcome:
    """Every month to now and on: Dependabot's pins, what an owner adds as they were told to, an update.

    It ends with the first month in which somebody is needed, and its told has a line for every month.
    """
    versions = [*releases.releases(), NOW, *NEXT]
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as temporary, remembering.remembered():
        folder = Path(temporary)
        service = written(template, start, YEARS[start], folder / "service")
        commit(service, "Start")
        before = start
        for month, version in enumerate(versions[versions.index(start) + 1 :]):
            base = texts(written(template, before, answers_of(service), folder / f"{month}" / "service"))
            (service / "uv.lock").write_text(f"version = {month}\n")
            done = [each(service, random) for each in [acts.dependabot, *random.sample(acts.POLITE, 3)]]
            commit(service, f"Month {month}")
            ours = texts(service)
            history = History(before, "", version, ())
            update(template, history, service, folder, outcome)
            result = texts(service)
            theirs = texts(written(template, version, answers_of(service), folder / f"{month}n" / "service"))
            compare(template, history, (base, ours, theirs, result), {}, outcome)
            outcome.told.append(f"{version}: {', '.join(filter(None, done))}")
            unmerged = git(service, "diff", "--name-only", "--diff-filter=U").splitlines()
            outcome.conflicts += [path for path in unmerged if path not in outcome.conflicts]
            if outcome.problems or outcome.conflicts:
                break
            commit(service, f"Template {version}")
            before = version
    return outcome


def answers_of(service: Path) -> Answers:
    remembered = yaml.safe_load((service / ".copier-answers.yml").read_text())
    return {name: value for name, value in remembered.items() if not name.startswith("_")}


FOLLOWED = "followed: "


def outcome_followed(outcome: Outcome) -> set[str]:
    return {line.removeprefix(FOLLOWED) for line in outcome.told if line.startswith(FOLLOWED)}


def update(template: Path, history: History, service: Path, folder: Path, outcome: Outcome) -> None:
    module = command(template)
    with inside(service), contextlib.redirect_stdout(io.StringIO()):
        rejects = module.merge(["--vcs-ref", history.target], {})
        followed = module.follow(template, history.start, history.target, folder)
    outcome.problems += [f"{path}: rejected" for path in rejects]
    outcome.told += [f"{FOLLOWED}{path}" for path in followed]


def compare(
    template: Path, history: History, trees: tuple[dict[str, str], ...], doers: dict[str, str], outcome: Outcome
) -> None:
    base, ours, theirs, result = trees
    every = {*base, *ours, *theirs, *result} - {".copier-answers.yml"}
    rules = git(template, "show", f"{history.target}:copier.yml")
    alone = owned(every, kept(rules))
    seeds = owned(every, skipped(rules))
    plain = {path.removeprefix("template/") for path in git(template, "ls-files", "template").splitlines()}
    moved = {path.replace("/moved/", "/"): path for path in ours if "/moved/" in path}
    for path in sorted(every):
        b, o, t, r = (tree.get(path) for tree in trees)
        if path in moved.values():
            old = path.replace("/moved/", "/")
            b, t = base.get(old), theirs.get(old)
            if old not in plain:
                t = b
        if path in alone or (o is not None and (t is None or t == b)):
            good = r == o
        elif path in seeds:
            good = r == (t if o is None else o)
        elif o is None:
            # Deleted or moved stays so; what the owner never had comes.
            good = r == (None if b is not None else t)
        elif o in (b, t):
            good = r == t
        elif r is None:
            good = False
        else:
            found = merges.problems(path, b or "", o, t or "", r)
            outcome.problems += found
            if merges.MARKER.search(r):
                outcome.conflicts.append(doers.get(path, "move") + (" (both added)" if b is None else ""))
            else:
                outcome.merged += 1
            continue
        if not good:
            state = ["nothing" if each is None else f"{len(each)} characters" for each in (b, o, t, r)]
            outcome.problems.append(f"{path}: base {state[0]}, ours {state[1]}, theirs {state[2]}, merged {state[3]}")


def shrunk(template: Path, history: History) -> tuple[History, Outcome]:
    """Leave acts out as long as it still fails."""
    outcome = run(template, history)
    smaller = True
    while smaller:
        smaller = False
        for index in range(len(history.acts)):
            fewer = replace(history, acts=history.acts[:index] + history.acts[index + 1 :])
            tried = run(template, fewer)
            if tried.problems:
                history, outcome, smaller = fewer, tried, True
                break
    return history, outcome


def tell(history: History, outcome: Outcome) -> str:
    lines = [f"A service of {history.start} ({history.answers}), updated to {history.target}. Its owner:"]
    return "\n".join(
        [
            *lines,
            *(f"  - {line}" for line in outcome.told),
            *(f"  ! {line}" for line in outcome.problems),
            f"  {history}",
        ]
    )


def one(arguments: tuple[Path, int, tuple[str, ...]]) -> tuple[int, History, Outcome | str]:
    template, seed, starts = arguments
    history = made_up(seed, starts)
    try:
        return seed, history, run(template, history)
    except Exception as error:  # noqa: BLE001 - a history that cannot even be run is a finding
        return seed, history, f"{type(error).__name__}: {error}"


def many(template: Path, seeds: Sequence[int], processes: int) -> tuple[list[str], Counter[str]]:
    """Run them, and return what failed, each cut down, and numbers."""
    starts = tuple(releases.releases())
    failed: list[str] = []
    numbers = Counter[str]()
    with multiprocessing.Pool(processes) as pool:
        for seed, history, outcome in pool.imap_unordered(one, [(template, seed, starts) for seed in seeds]):
            numbers["histories"] += 1
            if numbers["histories"] % 50 == 0:
                print(f"{numbers['histories']} of {len(seeds)}, {len(failed)} failed", file=sys.stderr, flush=True)
            numbers[f"from {history.start}"] += 1
            numbers["acts"] += len(history.acts)
            if isinstance(outcome, str):
                failed.append(f"seed {seed}: {outcome}\n  {history}")
                continue
            numbers["files merged that both sides changed"] += outcome.merged
            numbers["histories with a conflict"] += bool(outcome.conflicts)
            numbers.update(f"conflict: {kind}" for kind in outcome.conflicts)
            if outcome.problems:
                failed.append(
                    f"seed {seed}: " + (tell(*shrunk(template, history)) if len(failed) < 8 else tell(history, outcome))
                )
    return failed, numbers


def one_year(arguments: tuple[Path, str, int]) -> tuple[str, Outcome]:
    template, start, seed = arguments
    return start, year(template, start, Random(seed))


def years(template: Path, seeds: Sequence[int], processes: int) -> tuple[list[str], dict[str, Counter[str]]]:
    """Let years go by from every start, and return those in which somebody was needed, and numbers."""
    failed: list[str] = []
    numbers = {start: Counter[str]() for start in YEARS}
    with multiprocessing.Pool(processes) as pool:
        each = [(template, start, seed) for start in YEARS for seed in seeds]
        for (_, _, seed), (start, outcome) in zip(each, pool.map(one_year, each, chunksize=1), strict=True):
            months = [line for line in outcome.told if not line.startswith(FOLLOWED)]
            needed = [*outcome.problems, *(f"{path}: a conflict" for path in outcome.conflicts)]
            numbers[start].update({"years": 1, "updates": len(months), "conflicts": len(outcome.conflicts)})
            numbers[start]["files merged that both sides changed"] += outcome.merged
            if needed:
                story = [f"A year from {start}, seed {seed}:", *(f"  - {line}" for line in months)]
                failed.append("\n".join([*story, *(f"  ! {line}" for line in needed)]))
    return failed, numbers


def main() -> int:
    count, first = (int(os.environ.get(name) or default) for name, default in (("N", 500), ("SEED", 0)))
    with tempfile.TemporaryDirectory(prefix="histories.") as temporary:
        os.environ[remembering.MEMORY] = f"{temporary}/memory"
        template = build(Path(temporary) / "template")
        processes = int(os.environ.get("PROCESSES") or os.cpu_count() or 1)
        failed, numbers = many(template, range(first, first + count), processes)
        needed, regular = years(template, range(first, first + max(1, count // 100)), processes)
    for text in [*failed, *needed]:
        print(re.sub(r"(?m)^(.{600}).*", r"\1…", text))
    print(json.dumps(dict(sorted(numbers.items())), indent=2))
    print(json.dumps({f"years from {start}": dict(each) for start, each in regular.items()}, indent=2))
    print(f"{len(failed)} of {count} histories failed; in {len(needed)} of the years somebody was needed.")
    return bool(failed or needed)


if __name__ == "__main__":
    import tests.conftest  # nothing of this machine's configuration

    assert tests.conftest
    sys.exit(main())
