"""What all commands share: arguments, progress for a person, signals, and the exit status."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from boto3 import Session
from botocore.exceptions import BotoCoreError, ClientError

from ops.aws import Aws, connect
from ops.environment import Environment, load
from ops.outcome import FailedError, InterruptedByUserError, Outcome, RefusedError

IDENTITY = Path(__file__).parent.parent / "infra" / "identity.json"


class Clock:
    """The time, and waiting."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True)
class Operation:
    """What an operation works with."""

    aws: Aws
    environment: Environment
    clock: Clock

    def say(self, text: str) -> None:
        """Tell a person."""
        print(f"{self.clock.now():%H:%M:%S}  {text}", flush=True)


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser with what every command takes."""
    arguments = argparse.ArgumentParser(
        prog=f"python -m {module}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("environment", help="staging or prod")
    arguments.add_argument("--dry-run", action="store_true", help="look at everything, change nothing")
    return arguments


def run(
    arguments: argparse.Namespace,
    carry_out: Callable[[Operation, argparse.Namespace], Outcome],
    aws: Aws | None = None,
    clock: Clock | None = None,
) -> Outcome:
    """Carry out a command. The last lines say what is so now, the status says it to programs."""
    try:
        aws = aws or connect(Session(region_name=json.loads(IDENTITY.read_text())["region"]))
        operation = Operation(aws, load(aws, arguments.environment), clock or Clock())
        with interruptible():
            return carry_out(operation, arguments)
    except (RefusedError, FailedError) as error:
        print(f"Refused: {error}\nNothing was changed.", file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(f"AWS did not answer as it should: {error}\nNothing was changed.", file=sys.stderr)
    except InterruptedByUserError as error:
        print(f"{error}\nNothing was changed.", file=sys.stderr)
    return Outcome.REFUSED


def interruptible() -> AbstractContextManager[None]:
    """Turn SIGINT and SIGTERM, which CI sends when a run is cancelled, into InterruptedByUserError."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise InterruptedByUserError(f"Interrupted by {signal.Signals(number).name}.")

    return _signals(interrupt)


def uninterruptible() -> AbstractContextManager[None]:
    """Pass over SIGINT and SIGTERM: what must be put back is put back."""
    return _signals(lambda *_: print("It is ending already: wait for its last lines.", flush=True))


@contextmanager
def _signals(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = {each: signal.signal(each, handler) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, earlier in before.items():
            signal.signal(each, earlier)
