"""Workflows and what surrounds them: the auditors find nothing, nothing is hidden from them, each break is found."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import services
from tests.conftest import ROOT, Render
from tests.render.test_render import PROFILES
from tests.update.histories import append, replace

pytestmark = pytest.mark.xdist_group("workflows")

CI, SECURITY, UPDATE = (f".github/workflows/{name}.yml" for name in ("ci", "security", "template-update"))
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
RULESET = ".github/rulesets/main.json"
KEY = "AKIA" + "Z7QXK3PLM5RTWUVB"
SECRET = "wJa9kq2LmTz+Vb7H" + "cXyRfP0sNdGeUi4oQ1tZxW3B"

# Prints the rows of the tests that failed: what `make readiness` will read.
ROWS = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        print("".join(f"\\nROW {mark.args[0]}\\n" for mark in item.iter_markers("row")))
    return report
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_actionlint_and_the_auditors_find_nothing(original: Path, render: Render, profile: str) -> None:
    service = render(**PROFILES[profile])
    workflows = sorted((service / ".github/workflows").glob("*.yml"))
    bin_ = original / ".venv/bin"
    for command in (
        [Path(sys.executable).with_name("actionlint"), *workflows],
        [bin_ / "zizmor", "--offline", "--persona", "pedantic", "--no-config", service / ".github"],
        [bin_ / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows],
        [bin_ / "check-jsonschema", "--builtin-schema", "vendor.dependabot", service / ".github/dependabot.yml"],
        [bin_ / "hadolint", "--no-fail", "--format", "tty", service / "Dockerfile"],
    ):
        ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=original)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        if "hadolint" in str(command[0]) or "actionlint" in str(command[0]):
            assert ran.stdout == ""


def test_the_templates_own_workflow_too(original: Path) -> None:
    """It eats its own food."""
    workflows = [str(path) for path in sorted((ROOT / ".github/workflows").glob("*.yml"))]
    for command in (
        [str(Path(sys.executable).with_name("actionlint"))],
        [str(original / ".venv/bin/zizmor"), "--offline"],
    ):
        ran = subprocess.run([*command, *workflows], capture_output=True, text=True, cwd=original)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_nothing_is_hidden_from_the_auditors(render: Render) -> None:
    service = render()
    hidden = re.compile(
        r"(zizmor|hadolint|kingfisher|actionlint|deptry)\W+(ignore|disable|allow)|--(ignore|exclude-rule)\b"
    )
    files = [
        service / "Dockerfile",
        service / "Makefile",
        service / "pyproject.toml",
        service / ".pre-commit-config.yaml",
    ]
    files += [path for path in (service / ".github").rglob("*") if path.is_file()]
    assert [str(path) for path in files if hidden.search(path.read_text())] == []
    assert [
        path for path in service.rglob("*") if re.search(r"zizmor\.ya?ml|hadolint|actionlint|kingfisher", path.name)
    ] == []


def swap(file: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda service: replace(service / file, old, new)


def leak(service: Path) -> None:
    append(service / "src/app/orders/leak.py", f'KEY = "{KEY}"\nSECRET = "{SECRET}"\n')


# The row, and the breaks that must turn it red.
BREAKS: list[tuple[str, Callable[[Path], None]]] = [
    ("supply.actions", swap(CI, CHECKOUT, "actions/checkout@v7")),
    ("supply.actions", swap(CI, " # v7.0.1", "")),
    ("supply.actions", swap(CI, "contents: read # the code", "contents: write # the code")),
    ("supply.actions", swap(CI, "permissions: {}", "permissions: write-all")),
    ("supply.actions", swap(CI, "persist-credentials: false", "persist-credentials: true")),
    ("supply.actions", swap(CI, "    timeout-minutes: 20\n", "")),
    ("supply.actions", swap(CI, "run: make check", 'run: make check "${{ github.event.pull_request.title }}"')),
    ("deliver.same-gate", swap(CI, "run: make check", "run: .venv/bin/pytest")),
    ("deliver.same-gate", swap("Makefile", "\t@$(BIN)/mypy\n", "")),
    ("deliver.ci", swap(CI, "    runs-on: ubuntu-24.04\n", "")),
    ("deliver.ci", swap(CI, "    name: check\n", "    name: tests\n")),
    ("deliver.ci", swap(RULESET, '{"context": "check", "integration_id": 15368},', "")),
    ("deliver.ci", swap(RULESET, '"required_approving_review_count": 1', '"required_approving_review_count": 0')),
    ("deliver.ci", swap(RULESET, '"active"', '"evaluate"')),
    ("deliver.ci", swap(".github/CODEOWNERS", "* @", "docs/ @")),
    ("deliver.template", swap(UPDATE, '- cron: "23 5 * * 1"', '- cron: "23 5 1 1 *"')),
    ("deliver.template", swap(UPDATE, "run: make template-update-branch", "run: make template-update")),
    ("deliver.template", swap("README.md", "## Every day\n", "<<<<<<< before updating\n## Every day\n")),
    ("supply.audit", swap(SECURITY, "run: make audit", "run: make audit || true")),
    ("supply.audit", swap("Makefile", "audit --locked", "audit --no-dev --locked")),
    ("supply.audit", swap(SECURITY, '- cron: "17 4 * * *"', '- cron: "17 4 * * 0"')),
    ("supply.sast", swap(SECURITY, "codeql-action/analyze", "codeql-action/autobuild")),
    ("supply.image-scan", swap(SECURITY, "severity-cutoff: high", "severity-cutoff: critical")),
    ("supply.image-scan", swap(SECURITY, "fail-build: true", "fail-build: false")),
    ("supply.updates", swap(".github/dependabot.yml", "package-ecosystem: uv", "package-ecosystem: pip")),
    ("supply.updates", swap(".github/dependabot.yml", "    cooldown: {default-days: 7}\n", "")),
    ("supply.updates", swap(".github/dependabot.yml", "interval: weekly", "interval: sometimes")),
    ("supply.unused", swap("pyproject.toml", '    "alembic>=1.20",\n', '    "alembic>=1.20",\n    "trustme>=1.2",\n')),
    ("supply.unused", swap("pyproject.toml", '    "orjson>=3.13",\n', "")),
    ("supply.locked", swap("Dockerfile", "uv sync --locked --no-dev --no-editable", "uv sync --no-dev --no-editable")),
    ("supply.locked", swap("Makefile", "lock --quiet --check", "lock --quiet")),
    ("security.secrets", leak),
    ("security.secrets", swap(SECURITY, "run: make secrets", "run: make help")),
    ("security.container", swap("Dockerfile", "USER 10001\n", "")),
    ("security.container", swap("Dockerfile", "USER 10001\n", "USER root\n")),
    ("security.container", lambda service: drop(service / "Dockerfile", r"@sha256:[0-9a-f]{64}")),
    ("security.container", lambda service: drop(service / "Dockerfile", r"HEALTHCHECK .*\n")),
    (
        "security.container",
        swap("Dockerfile", "WORKDIR /app\nCOPY --from=build", "RUN cd /tmp && curl x\nWORKDIR app\nCOPY --from=build"),
    ),
    ("ops.review", swap(".github/pull_request_template.md", "7. **How is it taken back?**", "")),
]


def drop(file: Path, pattern: str) -> None:
    text = file.read_text()
    assert re.search(pattern, text)
    file.write_text(re.sub(pattern, "", text))


def red(service: Path, *tests: str, project: Path | None = None) -> tuple[set[str], str]:
    """Run a service's own tests, those of `project` with its environment. Returns the rows that they found wanting."""
    project = project or service
    plugin = service.parent / "plugin"
    plugin.mkdir(exist_ok=True)
    (plugin / "failed_rows.py").write_text(ROWS)
    # None of these tests needs the database: the address of one that is not there saves its start.
    path = f"{plugin}{os.pathsep}{project / 'src'}"
    environment = {**os.environ, "PYTHONPATH": path, "TEST_DATABASE_URL": "postgresql://x@127.0.0.1:1"}
    options = ["-q", "-p", "failed_rows", "-s", *(tests or ["tests/test_supply_chain.py"])]
    ran = subprocess.run(
        [service / ".venv/bin/pytest", *options],
        cwd=project,
        env=environment | {"TEST_DATABASE_MIGRATED": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    return set(re.findall(r"^ROW (\S+)$", ran.stdout, re.MULTILINE)), ran.stdout


def test_a_new_service_is_green(service: Path) -> None:
    rows, printed = red(service)
    assert rows == set(), printed


@pytest.mark.slow
@pytest.mark.parametrize(("row", "break_it"), BREAKS, ids=[f"{row}-{number}" for number, (row, _) in enumerate(BREAKS)])
def test_a_break_is_found_and_named(service: Path, row: str, break_it: Callable[[Path], None]) -> None:
    break_it(service)
    rows, printed = red(service)
    assert row in rows, printed


@pytest.mark.parametrize(("level", "approvals"), [("baseline", 1), ("personal-data", 1), ("regulated", 2)])
def test_how_many_must_approve(render: Render, level: str, approvals: int) -> None:
    ruleset = (render(compliance_level=level) / RULESET).read_text()
    assert f'"required_approving_review_count": {approvals}' in ruleset


def test_pins_are_known(render: Render) -> None:
    """One version of an action everywhere, in the service and here."""
    pins: dict[str, set[str]] = {}
    service = render(cloud="aws")
    for file in [*(service / ".github/workflows").glob("*.yml"), *(ROOT / ".github/workflows").glob("*.yml")]:
        for name, pin in re.findall(r"uses: ([\w-]+/[\w-]+)\S*@(\S+ # \S+)", file.read_text()):
            pins.setdefault(name, set()).add(pin)
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}
    assert services.git(ROOT, "ls-files").count(".github/workflows/") >= 1
