"""The probe, as part of other commands: with the credentials of the environment, and told to a person."""

import argparse
import base64
import hashlib
import io
import json
import zipfile
from pathlib import Path

from ops import probe
from ops.command import Operation
from ops.outcome import FailedError, Outcome

ATTEMPTS = 3
PAUSE_SECONDS = 10


def credentials(operation: Operation) -> dict[str, str] | None:
    """Return the probe's credentials. Raises FailedError if they are not what the probe wants."""
    name = operation.environment.probe.secret
    wanted = (
        'the walk in ops/probe.py says what it wants: {"authorization": "Bearer …"}, or null where nobody is asked.'
    )
    try:
        secret = json.loads(operation.aws.secrets.get_secret_value(SecretId=name)["SecretString"])
        return None if secret is None else {str(key): str(value) for key, value in secret.items()}
    except operation.aws.secrets.exceptions.ResourceNotFoundException:
        raise FailedError(f"The secret {name} has no value: {wanted}") from None
    except (ValueError, AttributeError):
        raise FailedError(f"The secret {name} is not JSON: {wanted}") from None


def walk(operation: Operation) -> list[probe.Step]:
    """Walk once."""
    wanted = operation.environment.probe
    return probe.walk(wanted.url, wanted.path, credentials(operation))


def check(operation: Operation) -> None:
    """Walk until it goes well, ATTEMPTS times at most. Raises FailedError."""
    for attempt in range(1, ATTEMPTS + 1):
        steps = walk(operation)
        if probe.is_good(steps):
            operation.say(f"probe: {', '.join(f'{step.name} {step.milliseconds} ms' for step in steps)}")
            return
        operation.say(f"probe: {steps[-1]}")
        if attempt < ATTEMPTS:
            operation.clock.sleep(PAUSE_SECONDS)
    raise FailedError(f"A user's walk fails at “{steps[-1].name}”: {steps[-1].found}.")


def install(operation: Operation) -> None:
    """Bring this release's probe to the external check. Called twice, it finds it there."""
    wanted = operation.environment.probe
    packed = package()
    functions = operation.aws.functions(wanted.region)
    now = functions.get_function_configuration(FunctionName=wanted.function)["CodeSha256"]
    if now != base64.b64encode(hashlib.sha256(packed).digest()).decode():
        functions.update_function_code(FunctionName=wanted.function, ZipFile=packed)


def package() -> bytes:
    """Return the probe as a zip, always the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        entry = zipfile.ZipInfo("probe.py")
        entry.external_attr = 0o644 << 16
        packed.writestr(entry, Path(probe.__file__).read_bytes())
    return content.getvalue()


def command(operation: Operation, arguments: argparse.Namespace) -> Outcome:
    """Walk once, and say how it went."""
    wanted = operation.environment.probe
    if arguments.dry_run:
        print(f"Would walk through {wanted.url} to {wanted.path}, with what {wanted.secret} says.")
        return Outcome.DONE
    steps = walk(operation)
    print(*steps, sep="\n")
    good = probe.is_good(steps)
    print(f"{wanted.url} {'serves' if good else 'DOES NOT SERVE'}.")
    return Outcome.DONE if good else Outcome.UNDONE
