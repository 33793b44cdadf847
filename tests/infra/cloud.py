"""Terraform and its tools, against AWS simulated on this machine."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import MIRROR, ROOT

# Each in an environment of its own: what they pin would decide what the template's tools may be.
MOTO = "moto[server]==5.2.5"
CHECKOV = "checkov==3.3.30"
DOMAIN = "example.com"

SEED = """
import boto3
boto3.client("route53").create_hosted_zone(Name="example.com", CallerReference="test")
"""


def reason_to_skip() -> str | None:
    """Why Terraform cannot be tried here."""
    if shutil.which("terraform") is None:
        return "Terraform is not on this machine"
    if not Path(os.environ.get("TF_CLI_CONFIG_FILE", "")).is_file() and not MIRROR.exists():
        return f"no {MIRROR}: say in TF_CLI_CONFIG_FILE where providers come from (an empty file: from the registry)"
    return None


def run_in(requirement: str) -> list[str]:
    """How to run something with a package that the template does not depend on."""
    uv = Path(sys.executable).with_name("uv")
    return [str(uv), "run", "--quiet", "--no-project", "--python", sys.executable, "--with", requirement]


@dataclass(frozen=True)
class Cloud:
    """The simulator, and what Terraform needs to know to reach it instead of AWS."""

    environment: dict[str, str]

    def terraform(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it there. Nothing is asserted."""
        command = ["terraform", f"-chdir={folder}", *arguments, "-no-color"]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | self.environment, timeout=1500)


@contextmanager
def simulated(folder: Path) -> Iterator[Cloud]:
    """Start a simulator with a DNS zone, and end it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    environment = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": address,
        "HTTP_PROXY": address,  # S3 Control puts the account before the host's name
        "NO_PROXY": "",
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
    }
    python = run_in(MOTO)
    with (folder / "simulator.log").open("w") as log:
        server = subprocess.Popen(
            [*python, "python", "-m", "tests.infra.simulator", str(port)], cwd=ROOT, stdout=log, stderr=log
        )
        try:
            _wait(server, address, folder / "simulator.log")
            seed = os.environ | environment | {"HTTP_PROXY": ""}
            subprocess.run([*python, "python", "-c", SEED], check=True, env=seed, timeout=120)
            yield Cloud(environment)
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/moto-api/", timeout=5):  # noqa: S310
                return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"The simulator did not start: {log.read_text()[-2000:]}")
