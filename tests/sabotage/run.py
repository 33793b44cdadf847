"""Breaks services, and sees what catches it."""

import os
import re
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Self, TypeVar

from tests import services
from tests.sabotage.sabotage import CI_SETUP, READINESS, SERVICES, SMALLER, Sabotage

# What `make readiness` says when every test has passed that there is: only words are left to judge.
WORDS = """
import sys
from datetime import UTC, datetime
from dev.readiness import attestations, catalogue, documents, verdict
from dev.readiness.evidence import Evidence

rows = catalogue.load()
row = rows[sys.argv[1]]
proofs = [Evidence(row.id, f"tests/{folder}test_it.py::test_it", "passed") for folder in ("", "infra/")]
proofs = [each for each in proofs if each.part in row.parts and not row.attestable]
found = verdict.Found(proofs, attestations.load(rows), documents.fingerprints(rows), documents.undecided())
judged = verdict.judge(row, found, datetime.now(UTC).date())
print(f"{row.id}: {judged.state}, {judged.why}")
raise SystemExit(judged.state is verdict.State.OPEN)
"""
# A database server with all migrations, as long as its standard input is open.
SERVER = """
import sys
from alembic import command
from dev import database, environment, postgres

environment.load(".env.example")
with postgres.temporary() as server:
    with database.address(database.create(server, "template_migrated")):
        command.upgrade(database.alembic(), "heads")
    print(server, flush=True)
    sys.stdin.read()
"""
# What is broken there decides what the server has: it gets one of its own.
MAKES_THE_DATABASE = ("migrations/", "src/app/chassis/data/migrations.py", "src/app/chassis/data/roles.py", "dev/")
SECONDS = 900
Item = TypeVar("Item")
WITHOUT_DATABASE = ("tests/infra", "tests/test_supply_chain.py", "tests/ops")


@dataclass(frozen=True)
class Caught:
    """What became of a sabotage."""

    sabotage: Sabotage
    by: str
    """The first test that failed, or the command."""
    seconds: float
    problem: str
    """Why it does not count, with what was printed. Empty: it was caught, the row named, and the way to the place shown."""
    gate: str = ""
    """What the whole of `make check` said, if it was asked."""


class Shipyard:
    """Services of a template, a folder each, set up as their owner would."""

    def __init__(self, template: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self.template, self.folder, self.environment = template, folder, {**os.environ, **environment}
        self._lock = Lock()
        self._servers: dict[Path, tuple[subprocess.Popen[str], str]] = {}
        self._provider: tuple[subprocess.Popen[str], str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers.values():
            server[0].communicate()
        if self._provider:
            self._provider[0].kill()
            self._provider[0].communicate()

    def service(self, name: str, worker: int = 0) -> Path:
        """Return this service of this worker. The first time it is written, and committed with its lock file."""
        folder = self.folder / f"{name.replace(' ', '-')}-{worker}"
        if not folder.exists():
            with self._lock:  # Copier's cache has none
                services.write(self.template, folder, (SERVICES | SMALLER)[name])
            self.run(folder, "git", "init", "--quiet")
            made = self.run(folder, "make", "test", "ARGS=--version")  # all that tests need, and no test
            if made.returncode:
                raise RuntimeError(made.stdout)
            services.commit(folder, "Start")
        return folder

    def run(self, folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        # Sessions that share a folder for temporary files stumble over each other when they clear it up.
        temporary = folder.with_name(f"{folder.name}.tmp")
        temporary.mkdir(exist_ok=True)
        environment = self.environment | {"PYTEST_DEBUG_TEMPROOT": str(temporary)} | environment
        return subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=SECONDS, errors="replace",
        )  # fmt: skip

    def _server(self, service: Path) -> str:
        """Return the address of the server that all runs of this service share: starting one takes longer than a test."""
        if service not in self._servers:
            process = subprocess.Popen(
                [".venv/bin/python", "-c", SERVER], cwd=service, env=self.environment, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert process.stdout
            self._servers[service] = process, process.stdout.readline().strip()
        return self._servers[service][1]

    def _reattach(self, service: Path) -> str:
        """Return what has Terraform use a provider that is running: to start one takes longer than what is asked of it."""
        with self._lock:
            if not self._provider:
                infra = self.folder / "provider"
                shutil.copytree(service / "infra", infra, dirs_exist_ok=True)
                self.run(infra, "terraform", "-chdir=service", "init", "-backend=false", "-input=false")
                (program,) = infra.glob("service/.terraform/providers/*/hashicorp/aws/*/*/terraform-provider-aws*")
                process = subprocess.Popen(
                    [program, "-debug"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
                )
                assert process.stdout
                lines = (line.strip().removeprefix("TF_REATTACH_PROVIDERS=") for line in process.stdout)
                self._provider = process, next(line.strip("'") for line in lines if line.startswith("'{"))
            return self._provider[1]

    def red(self, sabotages: Iterable[Sabotage]) -> dict[tuple[str, str], str]:
        """Run what proves these rows, unbroken. Returns what is red already: service and row, and what was printed."""
        found: dict[tuple[str, str], str] = {}
        for name in sorted({each.service for each in sabotages}):
            rows = sorted({each.row for each in sabotages if each.service == name and not is_command(each)})
            if rows:
                service, options = self.service(name), [f"--row={row}" for row in rows]
                infra = any(each.tests.startswith("tests/infra") for each in sabotages if each.service == name)
                environment = {"TF_REATTACH_PROVIDERS": self._reattach(service)} if infra else {}
                ran = self.run(service, ".venv/bin/pytest", "-q", "-n", "3", *options, **environment)
                named = [row for row in rows if _names(ran.stdout, row)]
                found |= {(name, row): ran.stdout for row in (named or rows if ran.returncode else [])}
        return found

    def attempt(self, sabotage: Sabotage, worker: int = 0) -> Caught:
        """Break it, run what can catch it, and mend it."""
        service = self.service(sabotage.service, worker)
        began = time.monotonic()
        try:
            before = self._check(service, sabotage).stdout if sabotage.tests == READINESS else ""
            self._break(service, sabotage)
            ran = self._check(service, sabotage)
            seconds = time.monotonic() - began
            printed, by = ran.stdout, _first(ran.stdout, sabotage)
            problem = ""
            if ran.returncode == 0 or not by or printed == before:
                problem = f"not caught\n{printed[-3000:]}"
            elif not _names(printed, sabotage.row):
                problem = f"caught, and the row is not named\n{printed[-3000:]}"
            elif not _leads(sabotage, printed):
                problem = f"caught, and nothing leads to the place\n{printed[-3000:]}"
            return Caught(sabotage, by, seconds, problem)
        except ValueError as error:
            return Caught(sabotage, "", 0, f"stale: {error}")
        except subprocess.TimeoutExpired:
            return Caught(sabotage, "", SECONDS, "it hung")
        finally:
            self._mend(service)

    def gate(self, sabotage: Sabotage, worker: int = 0) -> str:
        """Say what the whole of `make check` says of it. An exclamation mark stands before what must not be."""
        service = self.service(self.smallest(sabotage, worker), worker)
        try:
            self._break(service, sabotage)
            ran = self.run(service, "make", "check")
        except subprocess.TimeoutExpired:  # all that was found until then shall not be lost
            return "! hung"
        finally:
            self._mend(service)
        if ran.returncode == 0:
            return "! was green"
        if not _names(ran.stdout, sabotage.row):
            return f"! was red, and did not name the row\n{ran.stdout[-3000:]}"
        return "red, and names the row"

    def smallest(self, sabotage: Sabotage, worker: int = 0) -> str:
        """Return the name of the first service that can be broken so, and would prove it."""
        tests = [each.split("::")[0] for each in sabotage.tests.split()]
        for name in SMALLER:
            service = self.service(name, worker)
            path = service / sabotage.file
            fits = path.exists() and sabotage.old in path.read_text() if sabotage.old else path.parent.exists()
            if fits and _proofs(service, sabotage.row) and all((service / each).exists() for each in tests):
                return name
        return sabotage.service

    def _mend(self, service: Path) -> None:
        self.run(service, "git", "reset", "--quiet", "--hard")
        self.run(service, "git", "clean", "--quiet", "-fd")

    def _break(self, service: Path, sabotage: Sabotage) -> None:
        """Break it, and do what `make fix` does: no formatter shall catch it, nor an import that is left over."""
        sabotage.apply(service)
        if sabotage.file.endswith(".py"):
            self.run(service, ".venv/bin/ruff", "check", "--quiet", "--fix", sabotage.file)
            self.run(service, ".venv/bin/ruff", "format", "--quiet", sabotage.file)

        if sabotage.file.endswith((".tf", ".tfvars")):
            self.run(service, "terraform", "fmt", sabotage.file)

    def _check(self, service: Path, sabotage: Sabotage) -> subprocess.CompletedProcess[str]:
        match sabotage.tests:
            case "readiness":
                return self.run(service, ".venv/bin/python", "-c", WORDS, sabotage.row)
            case "setup":
                return self.run(service, "make", ".venv/.ready", CI="true")
        tests = sabotage.tests.split() or _proofs(service, sabotage.row)
        environment = {}
        if all(each.startswith(WITHOUT_DATABASE) for each in tests):
            environment = {"TEST_DATABASE_URL": "postgresql://x@127.0.0.1:1", "TEST_DATABASE_MIGRATED": "yes"}
            if any(each.startswith("tests/infra") for each in tests):
                environment["TF_REATTACH_PROVIDERS"] = self._reattach(service)
        elif not sabotage.file.startswith(MAKES_THE_DATABASE):
            environment = {"TEST_DATABASE_URL": self._server(service), "TEST_DATABASE_MIGRATED": "yes"}
        return self.run(service, ".venv/bin/pytest", "-q", "-x", f"--row={sabotage.row}", *tests, **environment)


def _proofs(service: Path, row: str) -> list[str]:
    """The files of tests that name the row: collecting all takes longer than running these."""
    found = [path for path in (service / "tests").rglob("test_*.py") if f'"{row}"' in path.read_text()]
    return [str(path.relative_to(service)) for path in sorted(found)]


def _names(printed: str, row: str) -> bool:
    return bool(re.search(rf"^{re.escape(row)}(: |$)", printed, re.MULTILINE))


def is_command(sabotage: Sabotage) -> bool:
    return sabotage.tests in {READINESS, CI_SETUP}


def _first(printed: str, sabotage: Sabotage) -> str:
    if is_command(sabotage):
        return {READINESS: "make readiness", CI_SETUP: "make check"}[sabotage.tests]
    found = re.search(r"^(?:FAILED|ERROR) (\S+?)(?:\[.*)?(?: - .*)?$", printed, re.MULTILINE)
    return found[1] if found else ""


def _leads(sabotage: Sabotage, printed: str) -> bool:
    """Does what was printed mention the file, or what stands where it was broken?"""
    path = Path(sabotage.file)
    changed = {word for line in (sabotage.old, sabotage.new) for word in re.findall(r"[A-Za-z][\w-]{4,}", line)}
    places = {sabotage.file, path.name, f"{path.parent.name}.{path.stem}", *changed}
    kept = {place for line in re.findall(r"^    kept by (.*)$", printed, re.MULTILINE) for place in line.split(", ")}
    return any(place in printed for place in places) or any(path.is_relative_to(place) for place in kept)


def run_all(
    shipyard: Shipyard,
    sabotages: list[Sabotage],
    workers: int,
    tell: Callable[[Caught], None],
    gates: frozenset[Sabotage] = frozenset(),
) -> list[Caught]:
    """Break one after the other, a service for each worker; then those of `gates` again, for the whole check."""
    done, gated, lock = dict[Sabotage, Caught](), dict[Sabotage, str](), Lock()

    def attempt(sabotage: Sabotage, worker: int) -> None:
        caught = shipyard.attempt(sabotage, worker)
        with lock:
            done[sabotage] = caught
            tell(caught)

    def gate(sabotage: Sabotage, worker: int) -> None:
        told = shipyard.gate(sabotage, worker)
        with lock:
            gated[sabotage] = told
            print(f"gate: {sabotage.row}: {sabotage.what}: {told}", flush=True)

    _spread(sabotages, workers, attempt)
    # A whole gate keeps processors busy by itself. Those that take longest begin, or one of them would end alone.
    sizes = [*SMALLER, *SERVICES]
    largest_first = sorted(gates, key=lambda each: (-sizes.index(shipyard.smallest(each)), each.row))
    _spread(largest_first, min(workers, os.cpu_count() or 1), gate)
    return [_with_gate(done[each], gated.get(each, "")) for each in sabotages]


def _with_gate(caught: Caught, told: str) -> Caught:
    problem = f"{caught.problem}\nthe whole gate {told}".strip() if told.startswith("!") else caught.problem
    return replace(caught, gate=told, problem=problem)


def _spread(items: Iterable[Item], workers: int, do: Callable[[Item, int], None]) -> None:
    waiting, lock = deque(items), Lock()

    def work(worker: int) -> None:
        while True:
            with lock:
                if not waiting:
                    return
                item = waiting.popleft()
            do(item, worker)

    with ThreadPoolExecutor(workers) as pool:
        for each in [pool.submit(work, worker) for worker in range(workers)]:
            each.result()
