"""Every promise has a sabotage, none is stale, and those that chance picks today are caught. All: `make sabotage`."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests import services
from tests.conftest import ROOT
from tests.infra import cloud
from tests.sabotage.catalogue import ALL, MISSING
from tests.sabotage.sabotage import SERVICES, Sabotage

SAMPLE = 4


@pytest.fixture(scope="module", params=list(SERVICES))
def service(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sabotage") / request.param.replace(" ", "-")
    return services.write(template, folder, SERVICES[request.param])


def rows(service: Path) -> set[str]:
    """The promises of a service, and what each of them is made of."""
    found = set()
    for file in (service / "readiness/catalogue").glob("*.toml"):
        found |= {f"{area}.{name}" for area, rows in tomllib.loads(file.read_text()).items() for name in rows}
    return found


def test_every_promise_is_broken_at_least_once(service: Path) -> None:
    sabotaged = {each.row for each in ALL}
    assert rows(service) - sabotaged == MISSING, "add one to a module in tests/sabotage"
    assert sabotaged - rows(service) == set(), "no such promise"


def test_no_sabotage_is_stale(service: Path) -> None:
    """What is to be replaced is there. Nothing is run."""
    stale = []
    for sabotage in ALL:
        if service.name != sabotage.service.replace(" ", "-"):
            continue
        path = service / sabotage.file
        before = path.read_bytes() if path.exists() else None
        try:
            sabotage.apply(service)
        except ValueError as error:
            stale.append(str(error))
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before)
    assert stale == []


@pytest.mark.slow
def test_no_linter_sees_a_sabotage(service: Path) -> None:
    """One that breaks types as well would be caught by what knows no promise, or by a crash, and prove nothing.

    As many at once as are in different files.
    """
    made = subprocess.run(["make", "test", "ARGS=--version"], cwd=service, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    services.commit(service, "Start")
    ours = [each for each in ALL if each.service.replace(" ", "-") == service.name]
    waiting = [each for each in ours if each.file.endswith(".py")]
    seen = ""
    while waiting:
        together = {each.file: each for each in reversed(waiting)}
        waiting = [each for each in waiting if together[each.file] is not each]
        for each in together.values():
            each.apply(service)
        for command in ("ruff check --quiet --fix", "ruff format --quiet", "ruff check --quiet", "mypy"):
            files = list(together) if command.startswith("ruff") else []
            program, *arguments = command.split()
            ran = subprocess.run(
                [f".venv/bin/{program}", *arguments, *files], cwd=service, capture_output=True, text=True
            )
            seen += ran.stdout if ran.returncode and command in {"ruff check --quiet", "mypy"} else ""
        services.git(service, "reset", "--quiet", "--hard")
        services.git(service, "clean", "--quiet", "-fd")
    assert seen == ""


def test_a_stale_sabotage_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("it = 1\n")
    with pytest.raises(ValueError, match="does not have"):
        Sabotage("a.row", "of yesterday", "file.py", "it = 2", "").apply(tmp_path)
    with pytest.raises(ValueError, match="does not have"):
        Sabotage("a.row", "of a file that is there already", "file.py", "", "new").apply(tmp_path)


@pytest.mark.slow
def test_what_chance_picks_is_caught_and_named() -> None:
    """Another few after each commit; the whole catalogue before each release: docs/releasing.md."""
    if reason := cloud.reason_to_skip():
        pytest.skip(reason)
    seed = services.git(ROOT, "rev-list", "--count", "HEAD").strip()
    command = [sys.executable, "-m", "tests.sabotage", "--sample", str(SAMPLE), "--seed", seed]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
