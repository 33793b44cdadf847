"""CI's own steps, executed: in a fresh clone, on a clean machine, as the workflows say them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.gate.machine import new_machine
from tests.update.histories import append
from tests.workflows.runner import Job, load
from tests.workflows.test_workflows import KEY, SECRET

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("gate")]

# What `uses:` does, and who does it here.
STEPS = {
    "actions/checkout": "the clone",
    "astral-sh/setup-uv": "uv on the machine's PATH",
}


@pytest.fixture
def checkout(original: Path, tmp_path: Path) -> Path:
    services.git(tmp_path, "clone", "--quiet", original.as_uri(), "checkout")
    return tmp_path / "checkout"


def job(checkout: Path, workflow: str, name: str, **more: str) -> Job:
    path = f".github/workflows/{workflow}.yml"
    used = {step["uses"].partition("@")[0] for step in load(checkout / path)["jobs"][name]["steps"] if "uses" in step}
    assert used <= STEPS.keys(), "say how this action's work is done here"
    machine = new_machine(checkout.parent / "home", uv=True)
    return Job(checkout, path, name, {**machine.environment, **more})


def test_ci(checkout: Path) -> None:
    ran = job(checkout, "ci", "check").run()
    assert [step.returncode for step in ran] == [0, 0], ran[-1].stdout


def test_ci_stops_at_what_the_check_wrote(checkout: Path) -> None:
    (checkout / "Makefile").write_text("check:\n\t@echo >> README.md\n")
    services.commit(checkout, "A check that scribbles, and is quick")
    ran = job(checkout, "ci", "check").run()
    assert ran[-1].returncode == 1, "make check may not write into what is committed"
    assert "README.md" in ran[-1].stdout


def test_secrets_of_every_commit(checkout: Path) -> None:
    (clean,) = job(checkout, "security", "secrets").run()
    assert clean.returncode == 0, clean.stdout
    append(checkout / "leak.txt", f"key = {KEY}\nsecret = {SECRET}\n")
    services.commit(checkout, "Oh")
    (checkout / "leak.txt").unlink()
    services.commit(checkout, "Hide it")
    (leaked,) = Job(checkout, ".github/workflows/security.yml", "secrets", {**clean_environment(checkout)}).run()
    assert leaked.returncode != 0
    assert "leak.txt" in leaked.stdout
    assert SECRET not in leaked.stdout


def clean_environment(checkout: Path) -> dict[str, str]:
    return new_machine(checkout.parent / "home-2", uv=True).environment


@contextmanager
def osv(vulnerable: str) -> Iterator[str]:
    """A vulnerability database that knows one package."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            found = [
                {"vulns": [{"id": "GHSA-test"}]} if each["package"]["name"] == vulnerable else {} for each in queries
            ]
            self.answer({"results": found})

        def do_GET(self) -> None:
            package = {"package": {"name": vulnerable, "ecosystem": "PyPI"}}
            ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
            self.answer(
                {
                    "id": "GHSA-test",
                    "modified": "2026-01-01T00:00:00Z",
                    "summary": "A hole.",
                    "affected": [package | {"ranges": ranges}],
                }
            )

        def answer(self, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize(("vulnerable", "code"), [("nothing", 0), ("starlette", 2)])
def test_audit(checkout: Path, vulnerable: str, code: int) -> None:
    with osv(vulnerable) as url:
        (ran,) = audit(checkout, url)
    assert ran.returncode == code, ran.stdout
    assert ("GHSA-test" in ran.stdout) is bool(code)


def test_an_audit_that_could_not_ask_is_red(checkout: Path) -> None:
    (ran,) = audit(checkout, "http://127.0.0.1:1")
    assert ran.returncode != 0, ran.stdout


def audit(checkout: Path, url: str) -> list[Any]:
    """Run the step with a uv that asks our database."""
    audit = job(checkout, "security", "audit")
    uv = checkout.parent / "home/bin/uv"
    real = uv.resolve()
    uv.unlink()
    uv.write_text(f'#!/bin/sh\n[ "$1" = audit ] && set -- "$@" --service-url {url}\nexec {real} "$@"\n')
    uv.chmod(0o755)
    return audit.run()
