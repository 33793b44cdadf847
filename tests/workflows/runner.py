"""Executes a workflow's `run:` steps as GitHub would: in order, each with its shell, environment and folder.

What `uses:` does beforehand is the caller's: a clean checkout, tools on PATH. Expressions are looked up in `contexts`;
one that is not there is an error, not an empty string. Of conditions it knows the one that a way back needs.
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
ON_FAILURE = {"failure()", "failure() || cancelled()"}


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
    outputs: dict[str, str] = field(default_factory=dict)
    """What it puts out, after `run`."""

    def run(self) -> list[subprocess.CompletedProcess[str]]:
        """Run the steps until one fails, then those that are there for that. Returns those that ran."""
        workflow = load(self.checkout / self.workflow)
        job = workflow["jobs"][self.name]
        defaults = {**workflow.get("defaults", {}).get("run", {}), **job.get("defaults", {}).get("run", {})}
        contexts, failed, ran = {**self.contexts}, False, []
        for step in job["steps"]:
            assert "continue-on-error" not in step, "this runner does not know it"
            if "run" not in step:
                continue
            assert step.get("if") in {None, *ON_FAILURE}, "this runner knows no other conditions"
            if ("if" in step) is not failed:
                continue
            env = {**workflow.get("env", {}), **job.get("env", {}), **step.get("env", {})}
            known = {key: value(str(text), contexts) for key, text in env.items()}
            done, outputs = self.step(defaults | step, known, contexts)
            contexts |= {f"steps.{step.get('id')}.outputs.{key}": text for key, text in outputs.items()}
            failed = failed or done.returncode != 0
            ran.append(done)
        if not failed:
            self.outputs = {key: value(text, contexts) for key, text in job.get("outputs", {}).items()}
        return ran

    def step(
        self, step: Mapping[str, str], env: Mapping[str, str], contexts: Mapping[str, str]
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        with tempfile.TemporaryDirectory() as folder:
            script, output = Path(folder) / "step.sh", Path(folder) / "output"
            script.write_text(value(step["run"], contexts))
            output.touch()
            github = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(output)}
            done = subprocess.run(
                [part.replace("{0}", str(script)) for part in SHELLS[step.get("shell")].split()],
                cwd=self.checkout / step.get("working-directory", "."), stdin=subprocess.DEVNULL,
                env={**self.environment, **github, **env},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=self.timeout,
            )  # fmt: skip
            return done, dict(line.split("=", 1) for line in output.read_text().splitlines())


def value(text: str, contexts: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: contexts[found[1]], text)
