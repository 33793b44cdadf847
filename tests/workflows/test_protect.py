"""`make protect` and `make protect-check`, against a GitHub that keeps rulesets as it does: with more in them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import services
from tests.update.histories import replace

# Answers `gh api` for the rulesets of a repository, from a file; adds what GitHub adds, in an order of its own.
GH = """#!{python}
import json, pathlib, sys
arguments = sys.argv[1:]
kept = pathlib.Path(__file__).with_name("rulesets.json")
rulesets = json.loads(kept.read_text()) if kept.exists() else []
method, path = arguments[arguments.index("--method") + 1], arguments[-1 if arguments[-1] != "-" else -3]
assert path.startswith("repos/{{owner}}/{{repo}}/rulesets"), path
last = path.partition("?")[0].rpartition("/")[2]
if kept.with_name("refuse").exists():
    sys.exit("gh: Must have admin rights to Repository. (HTTP 403)")
if method == "GET":
    found = [each for each in rulesets if str(each["id"]) == last]
    print(json.dumps(found[0] if found else [{{"id": each["id"], "name": each["name"]}} for each in rulesets]))
else:
    new = json.load(sys.stdin) | {{"id": int(last) if method == "PUT" else 7, "source_type": "Repository"}}
    new["rules"].reverse()
    for rule in new["rules"]:
        rule["ruleset_id"] = 7
    kept.write_text(json.dumps([each for each in rulesets if each["id"] != new["id"]] + [new]))
    print(json.dumps(new))
"""


@pytest.fixture
def service(template: Path, tmp_path: Path) -> Path:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "gh").write_text(GH.format(python=sys.executable))
    (bin_ / "gh").chmod(0o755)
    return services.write(template, tmp_path / "service")


def protect(service: Path, action: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{service.parent}/bin{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "dev.protect", action]
    return subprocess.run(command, cwd=service, env=environment, capture_output=True, text=True)


def kept(service: Path) -> Path:
    return service.parent / "bin/rulesets.json"


def test_applied_compared_and_changed(service: Path) -> None:
    unprotected = protect(service, "check")
    assert unprotected.returncode == 1
    assert "main: the repository has no such ruleset" in unprotected.stdout
    assert "make protect" in unprotected.stderr

    for _ in range(2):  # the second time it is there already
        assert protect(service, "apply").returncode == 0
    assert len(json.loads(kept(service).read_text())) == 1
    assert protect(service, "check").returncode == 0

    replace(service / ".github/rulesets/main.json", '"required_linear_history"', '"required_signatures"')
    assert protect(service, "check").returncode == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"active"', '"disabled"'),
        ('"required_approving_review_count": 1', '"required_approving_review_count": 0'),
        ('"context": "audit"', '"context": "audits"'),
        ('{"type": "deletion", "ruleset_id": 7}, ', ""),
        ('"bypass_actors": []', '"bypass_actors": [{"actor_id": 5, "actor_type": "RepositoryRole"}]'),
    ],
)
def test_somebody_loosened_the_rules(service: Path, old: str, new: str) -> None:
    protect(service, "apply")
    text = kept(service).read_text()
    rules = json.dumps(json.loads(text))
    if old not in rules:  # the last rule has no comma behind it
        old, new = ', {"type": "deletion", "ruleset_id": 7}', ""
    assert old in rules
    kept(service).write_text(rules.replace(old, new))
    loosened = protect(service, "check")
    assert loosened.returncode == 1
    assert "is written" in loosened.stdout


def test_a_refusal_is_said(service: Path) -> None:
    (service.parent / "bin/refuse").touch()
    refused = protect(service, "apply")
    assert refused.returncode == 1
    assert "admin rights" in refused.stderr
    assert "Traceback" not in refused.stderr
