"""Executes a workflow's `run:` steps as GitHub would: in order, each with its shell, environment and folder.

What `uses:` does beforehand is the caller's: a clean checkout, tools on PATH. Expressions are looked up in `contexts`;
one that is not there is an error, not an empty string.
https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
"""

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# What GitHub calls where `shell:` is not given, and where it is.
SHELLS = {None: "bash -e {0}", "bash": "bash --noprofile --norc -eo pipefail {0}", "sh": "sh -e {0}"}


def load(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(re.sub(r"^on:", '"on":', file.read_text(), flags=re.MULTILINE))
    return content


@dataclass
class Job:
    checkout: Path
    workflow: str
    name: str
    environment: Mapping[str, str]
    contexts: Mapping[str, str] = field(default_factory=dict)
    timeout: int = 900

    def run(self) -> list[subprocess.CompletedProcess[str]]:
        """Run the steps until one fails. Returns those that ran."""
        workflow = load(self.checkout / self.workflow)
        job = workflow["jobs"][self.name]
        defaults = {**workflow.get("defaults", {}).get("run", {}), **job.get("defaults", {}).get("run", {})}
        ran = []
        for step in job["steps"]:
            if "run" not in step:
                continue
            assert not {"if", "continue-on-error"} & {*step}, "this runner knows no conditions"
            env = {**workflow.get("env", {}), **job.get("env", {}), **step.get("env", {})}
            ran.append(self.step(defaults | step, {key: self.value(str(value)) for key, value in env.items()}))
            if ran[-1].returncode:
                break
        return ran

    def step(self, step: Mapping[str, str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
            script.write(self.value(step["run"]))
            script.flush()
            command = [part.replace("{0}", script.name) for part in SHELLS[step.get("shell")].split()]
            return subprocess.run(
                command, cwd=self.checkout / step.get("working-directory", "."), stdin=subprocess.DEVNULL,
                env={**self.environment, "CI": "true", "GITHUB_ACTIONS": "true", **env},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=self.timeout,
            )  # fmt: skip

    def value(self, text: str) -> str:
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: self.contexts[found[1]], text)
