"""How a command ends, for people and for programs."""

from enum import IntEnum

from botocore.exceptions import BotoCoreError, ClientError


class Outcome(IntEnum):
    """The exit status."""

    DONE = 0
    """What was asked for is so: the new release serves, the drill has passed."""
    UNDONE = 1
    """It failed, and all is as it was: the old release serves."""
    REFUSED = 2
    """Nothing was touched."""
    UNKNOWN = 3
    """It failed, and so did the way back: somebody has to look, now."""


class RefusedError(Exception):
    """It cannot begin. The message says why, and what to do."""


class FailedError(Exception):
    """A step failed. The message says what was found."""


class InterruptedByUserError(Exception):
    """Somebody, or CI, wants it to end."""


def told(error: Exception) -> str:
    """Return what to tell a person of it."""
    is_ours = isinstance(error, RefusedError | FailedError | InterruptedByUserError | ClientError | BotoCoreError)
    return str(error) if is_ours else repr(error)
