"""Programs that commands call: gh, docker, terraform."""

import subprocess

from ops.outcome import RefusedError

SECONDS = 15 * 60
WHERE = {
    "docker": "https://docs.docker.com/get-docker",
    "gh": "https://cli.github.com",
    "terraform": "https://developer.hashicorp.com/terraform/install",
}


class FailingError(RefusedError):
    """A program ended with a status other than 0."""


def run(program: str, *arguments: str, given: str | None = None, seconds: int = SECONDS) -> str:
    """Return what it prints. Raises RefusedError if it is not there or not over in time, FailingError if it fails."""
    try:
        ran = subprocess.run(
            [program, *arguments], input=given, capture_output=True, text=True, check=False, timeout=seconds
        )
    except FileNotFoundError:
        raise RefusedError(f"{program} was not found: {WHERE[program]}") from None
    except subprocess.TimeoutExpired:
        raise RefusedError(f"{program} {arguments[0]} was not over after {seconds} s.") from None
    if ran.returncode:
        said = ran.stderr.strip() or ran.stdout.strip()
        raise FailingError(f"{program} {arguments[0]} failed: {said[-2000:]}")
    return ran.stdout
