"""`make protect` and `make protect-check`: the rules of `.github` and those that GitHub enforces.

They are the rules for branches in `.github/rulesets`, and in `.github/environments.json` who lets a workflow into which
environment: from these branches alone (any, if none is named), after one of these teams has approved, and nobody
approves what is their own. Talks to GitHub through `gh`, as whoever is logged in; `apply` needs an administrator of the
repository. Exit codes: 0 the rules are as written; 1 they differ, or GitHub refused.
https://docs.github.com/rest/repos/rules, https://docs.github.com/rest/deployments/environments
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RULESETS = Path(".github/rulesets")
ENVIRONMENTS = Path(".github/environments.json")
# gh fills in the names from the repository's remote.
ENDPOINT = "repos/{owner}/{repo}/rulesets"
ENVIRONMENT = "repos/{owner}/{repo}/environments"


def main(action: str) -> int:
    try:
        known = {each["name"]: each["id"] for each in github("GET", f"{ENDPOINT}?includes_parents=false&per_page=100")}
        wrong = [line for file in sorted(RULESETS.glob("*.json")) for line in settle(action, file, known)]
        for name, rules in json.loads(ENVIRONMENTS.read_text(encoding="utf-8")).items():
            wrong += settle_environment(action, name, rules)
    except subprocess.CalledProcessError as error:
        print(f"GitHub refused: {error.stderr.strip()}\nIs `gh auth status` an administrator's?", file=sys.stderr)
        return 1
    except FileNotFoundError:
        print("gh was not found: https://cli.github.com", file=sys.stderr)
        return 1
    print("\n".join(wrong) or "The repository's rules are those of .github.")
    if wrong:
        print("Apply them with: make protect", file=sys.stderr)
    return 1 if wrong else 0


def settle(action: str, file: Path, known: dict[str, int]) -> list[str]:
    """Bring one ruleset to GitHub if that is the action, and return where the two differ."""
    wanted = json.loads(file.read_text(encoding="utf-8"))
    name = wanted["name"]
    if action == "apply":
        method, path = ("PUT", f"{ENDPOINT}/{known[name]}") if name in known else ("POST", ENDPOINT)
        actual = github(method, path, wanted)
    elif name in known:
        actual = github("GET", f"{ENDPOINT}/{known[name]}")
    else:
        return [f"{name}: the repository has no such ruleset"]
    return [f"{name}{line}" for line in differences(wanted, actual)]


def settle_environment(action: str, name: str, rules: dict[str, list[str]]) -> list[str]:
    """Bring one environment to GitHub if that is the action, and return where the two differ."""
    path = f"{ENVIRONMENT}/{name}"
    if action == "apply":
        teams = [github("GET", f"orgs/{{owner}}/teams/{team}")["id"] for team in rules["reviewers"]]
        only_some = {"protected_branches": False, "custom_branch_policies": True}
        body = {
            "prevent_self_review": bool(teams),
            "reviewers": [{"type": "Team", "id": team} for team in teams],
            "deployment_branch_policy": only_some if rules["branches"] else None,
        }
        known = branches(path, github("PUT", path, body))
        for branch in set(rules["branches"]) - known.keys():
            github("POST", f"{path}/deployment-branch-policies", {"name": branch})
        for branch in known.keys() - set(rules["branches"]):
            github("DELETE", f"{path}/deployment-branch-policies/{known[branch]}")
    try:
        actual = github("GET", path)
    except subprocess.CalledProcessError as error:
        if "HTTP 404" in error.stderr:
            return [f"environment {name}: the repository has no such environment"]
        raise
    (guard,) = [each for each in actual["protection_rules"] if each["type"] == "required_reviewers"] or [{}]
    wanted = {**rules, "prevent_self_review": bool(rules["reviewers"])}
    found = {
        "branches": [*branches(path, actual)],
        "reviewers": [each["reviewer"].get("slug", "a person") for each in guard.get("reviewers", [])],
        "prevent_self_review": guard.get("prevent_self_review", False),
    }
    return [f"environment {name}{line}" for line in differences(wanted, found)]


def branches(path: str, environment: dict[str, Any]) -> dict[str, int]:
    """Return the branches that may deploy there, with their ids. None stands for any."""
    if not (environment.get("deployment_branch_policy") or {}).get("custom_branch_policies"):
        return {}
    found = github("GET", f"{path}/deployment-branch-policies")["branch_policies"]
    return {each["name"]: each["id"] for each in found}


def differences(wanted: Any, actual: Any, where: str = "") -> Iterator[str]:
    """Yield each place where GitHub has not what is written. What it adds of its own is not compared, but a rule is."""
    if isinstance(wanted, dict) and isinstance(actual, dict):
        for key, value in wanted.items():
            yield from differences(value, actual.get(key), f"{where}.{key}")
    elif isinstance(wanted, list) and isinstance(actual, list) and len(wanted) == len(actual):
        for index, (one, other) in enumerate(zip(ordered(wanted), ordered(actual), strict=True)):
            yield from differences(one, other, f"{where}[{index}]")
    elif wanted != actual:
        yield f"{where}: {json.dumps(wanted)} is written, {json.dumps(actual)} is there"


def ordered(values: list[Any]) -> list[Any]:
    """GitHub keeps no order."""
    return sorted(
        values, key=lambda each: str(each.get("type", each.get("context"))) if isinstance(each, dict) else each
    )


def github(method: str, path: str, body: object = None) -> Any:
    command = ["gh", "api", "--method", method, "--header", "X-GitHub-Api-Version: 2022-11-28", path]
    given = ["--input", "-"] if body is not None else []
    ran = subprocess.run([*command, *given], input=json.dumps(body), capture_output=True, text=True, check=True)
    return json.loads(ran.stdout.strip() or "null")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
