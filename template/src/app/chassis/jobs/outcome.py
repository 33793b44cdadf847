"""How an attempt at a job can end, and how long to wait before the next."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

FIRST_WAIT_SECONDS = 4
LONGEST_WAIT_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Done:
    """It succeeded."""

    name: ClassVar = "done"


@dataclass(frozen=True, slots=True)
class Again:
    """It is to be tried again, after this time."""

    name: ClassVar = "again"

    after: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It is a dead letter now. The detail may hold personal data."""

    name: ClassVar = "given_up"

    reason: str
    detail: str = field(default="", repr=False)


type Outcome = Done | Again | GivenUp


def wait(attempt: int) -> timedelta:
    """Return how long to wait after this attempt, the first being 1: exponential backoff with full jitter
    (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter).
    """
    longest = min(FIRST_WAIT_SECONDS * 2 ** min(attempt - 1, 20), LONGEST_WAIT_SECONDS)
    return timedelta(seconds=random.uniform(0, longest))  # noqa: S311 (spreads load, keeps no secret)
