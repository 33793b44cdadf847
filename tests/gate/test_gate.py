"""A new service passes its own `make check` on its owner's machine, and its first day leaves nothing but uv.lock."""

import json
from pathlib import Path

import pytest

from tests import services
from tests.gate.machine import Machine, has_python, new_machine
from tests.render.test_render import PROFILES


def is_clean(service: Path) -> bool:
    return services.git(service, "status", "--porcelain") == ""


def made_by_the_first(answers: services.Answers) -> list[str]:
    """What the first `make check` writes for its owner to commit."""
    return ["uv.lock"] if answers.get("compliance_level", "baseline") == "baseline" else ["legal/records.md", "uv.lock"]


# One at a time: each runs tests of its own on every core.
@pytest.mark.xdist_group("gate")
@pytest.mark.parametrize(
    ("version", "profile", "uv"),
    [
        ("3.13", "defaults", True),
        ("3.12", "longest", False),
        pytest.param("3.13", "shortest", True, marks=pytest.mark.slow),
        ("3.14", "shortest", True),
    ],
)
def test_check_is_green_and_the_second_leaves_nothing(
    template: Path, tmp_path: Path, version: str, profile: str, uv: bool
) -> None:
    answers = {**PROFILES[profile], "python_version": version}
    service = services.write(template, tmp_path / "service", answers)
    services.commit(service, "Start")
    machine = new_machine(tmp_path / "home", uv=uv)
    if not has_python(version):
        assert version != "3.13", "the default version must be on the machine that runs these tests"
        assert_missing_python_is_explained(machine, service, version)
        return

    machine.done(service, "make", "check")
    made = made_by_the_first(answers)
    assert services.git(service, "status", "--porcelain").splitlines() == [f"?? {path}" for path in made]
    machine.done(service, "git", "add", *made)
    machine.done(service, "git", "commit", "--quiet", "--message", "Lock")  # through the hooks that are now installed
    machine.done(service, "make", "check")
    assert is_clean(service)
    assert (service / ".uv").exists() is not uv
    if profile == "defaults":
        assert_check_can_fail(machine, service)
        assert_readiness_is_computed(machine, service)


def assert_missing_python_is_explained(machine: Machine, service: Path, version: str) -> None:
    result = machine.run(service, "make", "check")
    assert result.returncode != 0
    assert f"needs Python {version}" in result.stderr
    assert is_clean(service)


def assert_check_can_fail(machine: Machine, service: Path) -> None:
    """What CI must stop, stops here: bad format, lint, types, a test, a lock that does not fit."""
    for file, text, gate in [
        ("src/app/routes.py", "x = {  }\n", "routes.py"),
        ("src/app/routes.py", "\nimport os\n", "E402"),
        ("src/app/routes.py", '\n\ndef number() -> int:\n    """Lie."""\n    return "text"\n', "return-value"),
        (
            "tests/orders/test_orders.py",
            '\n\ndef test_red() -> None:\n    """Fail."""\n    assert len("red") == 0\n',
            "test_red",
        ),
        ("pyproject.toml", '\n[tool.uv.sources]\nstarlette = { path = "nowhere" }\n', "nowhere"),
    ]:
        path = service / file
        before = path.read_text()
        path.write_text(before + text)
        result = machine.run(service, "make", "check")
        assert result.returncode != 0
        assert gate in result.stdout + result.stderr, result.stdout + result.stderr
        path.write_text(before)


def assert_readiness_is_computed(machine: Machine, service: Path) -> None:
    """A promise whose proof is taken away is open, and named."""
    for proof in (service / "tests").rglob("*.py"):
        proof.write_text(proof.read_text().replace('@pytest.mark.row("error.secret")\n', ""))
    result = machine.run(service, "make", "readiness")
    assert result.returncode != 0
    assert "! error.secret " in result.stdout
    rows = {row["id"]: row["state"] for row in json.loads((service / "reports/readiness.json").read_text())["rows"]}
    assert rows["error.secret"] == "open"
    assert rows["error.shape"] == rows["data.rollback"] == rows["security.authn"] == "proven"
    assert "<title>Readiness of service</title>" in (service / "reports/readiness.html").read_text()
    services.git(service, "checkout", "--quiet", "tests")
