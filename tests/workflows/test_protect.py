"""`make protect` and `make protect-check`, against a GitHub that keeps rulesets as it does: with more in them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import services
from tests.update.histories import replace

# Answers `gh api` for the rulesets and environments of a repository, from files; adds what GitHub adds, in an order of
# its own.
GH = """#!{python}
import json, pathlib, sys
arguments = sys.argv[1:]
folder = pathlib.Path(__file__).parent
method, path = arguments[arguments.index("--method") + 1], arguments[-1 if arguments[-1] != "-" else -3]
place, _, rest = path.partition("?")[0].removeprefix("repos/{{owner}}/{{repo}}/").partition("/")
kept = folder / f"{{place}}.json"
known = json.loads(kept.read_text()) if kept.exists() else []
last = rest.rpartition("/")[2]
body = json.load(sys.stdin) if arguments[-1] == "-" else None
if (folder / "refuse").exists():
    sys.exit("gh: Must have admin rights to Repository. (HTTP 403)")
if path == "orgs/{{owner}}/teams/platform":
    print(json.dumps({{"id": 5, "slug": "platform"}}))
elif place == "rulesets" and method == "GET":
    found = [each for each in known if str(each["id"]) == last]
    print(json.dumps(found[0] if found else [{{"id": each["id"], "name": each["name"]}} for each in known]))
elif place == "rulesets":
    new = body | {{"id": int(last) if method == "PUT" else 7, "source_type": "Repository"}}
    new["rules"].reverse()
    for rule in new["rules"]:
        rule["ruleset_id"] = 7
    kept.write_text(json.dumps([each for each in known if each["id"] != new["id"]] + [new]))
    print(json.dumps(new))
elif place == "environments":
    known = known or {{}}
    name, _, more = rest.partition("/")
    if method == "PUT":
        rules = [{{"type": "branch_policy"}}] if body["deployment_branch_policy"] else []
        if body["reviewers"]:
            assert body["reviewers"] == [{{"type": "Team", "id": 5}}]
            reviewers = [{{"type": "Team", "reviewer": {{"slug": "platform", "id": 5}}}}]
            self_review = body["prevent_self_review"]
            rules.append({{"type": "required_reviewers", "prevent_self_review": self_review, "reviewers": reviewers}})
        policies = known.get(name, {{"policies": []}})["policies"]
        known[name] = {{"name": name, "protection_rules": rules, "policies": policies}}
        known[name]["deployment_branch_policy"] = body["deployment_branch_policy"]
    elif name not in known:
        sys.exit("gh: Not Found (HTTP 404)")
    elif method == "POST":
        known[name]["policies"].append(body | {{"id": len(known[name]["policies"]) + 1}})
    elif method == "DELETE":
        known[name]["policies"] = [each for each in known[name]["policies"] if str(each["id"]) != last]
    kept.write_text(json.dumps(known))
    answer = known[name]
    print("" if method == "DELETE" else json.dumps({{"branch_policies": answer["policies"]}} if more else answer))
else:
    sys.exit(f"gh: Not Found (HTTP 404): {{path}}")
"""


@pytest.fixture(scope="module")
def written(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return services.write(template, tmp_path_factory.mktemp("protect") / "service", {"cloud": "aws"})


@pytest.fixture
def service(written: Path, tmp_path: Path) -> Path:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "gh").write_text(GH.format(python=sys.executable))
    (bin_ / "gh").chmod(0o755)
    return shutil.copytree(written, tmp_path / "service")


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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"type": "required_reviewers"', '"type": "wait_timer"'),
        ('"prevent_self_review": true', '"prevent_self_review": false'),
        ('"slug": "platform"', '"slug": "interns"'),
        ('"name": "main", "id": 1', '"name": "*", "id": 1'),
        ('"custom_branch_policies": true', '"custom_branch_policies": false'),
    ],
)
def test_somebody_opened_an_environment(service: Path, old: str, new: str) -> None:
    assert protect(service, "apply").returncode == 0
    environments = service.parent / "bin/environments.json"
    prod = json.dumps(json.loads(environments.read_text())["prod"])
    assert old in prod
    environments.write_text(
        json.dumps(json.loads(environments.read_text()) | {"prod": json.loads(prod.replace(old, new))})
    )
    opened = protect(service, "check")
    assert opened.returncode == 1
    assert "environment prod." in opened.stdout
    assert protect(service, "apply").returncode == 0, "it is closed again"
    assert protect(service, "check").returncode == 0


def test_an_environment_that_is_not_there(service: Path) -> None:
    """GitHub makes one of any name, unprotected, when a workflow first reads it."""
    protect(service, "apply")
    replace(service / ".github/environments.json", '"plan"', '"plans"')
    checked = protect(service, "check")
    assert "environment plans: the repository has no such environment" in checked.stdout


def test_a_refusal_is_said(service: Path) -> None:
    (service.parent / "bin/refuse").touch()
    refused = protect(service, "apply")
    assert refused.returncode == 1
    assert "admin rights" in refused.stderr
    assert "Traceback" not in refused.stderr
