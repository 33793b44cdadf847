"""How a call to another service can fail, and what a client of ours reads of it."""

import math
from enum import StrEnum
from http import HTTPStatus
from typing import Never

from app.chassis.http.errors import Problem


class Reason(StrEnum):
    """Why there is no answer: read it behind the upstream's name."""

    UNREACHABLE = "cannot be reached"
    SLOW = "does not answer in time"
    BROKEN = "broke off its answer"
    FAILED = "failed"
    NONSENSE = "gave an answer that makes no sense"
    LIMITED = "asks us to come back later"
    REFUSED = "does not take what we ask of it"
    OPEN = "failed too often, and is left alone for a moment"
    BUSY = "is busy with other requests of ours"
    LATE = "cannot answer any more in the time that is left"


FAILURES = frozenset({Reason.UNREACHABLE, Reason.SLOW, Reason.BROKEN, Reason.FAILED, Reason.NONSENSE})
"""What speaks against the upstream's health. A refusal does not: it is awake, and knows its mind."""
WORTH_A_RETRY = FAILURES | {Reason.LIMITED}
NOT_ASKED = frozenset({Reason.OPEN, Reason.BUSY, Reason.LATE})
"""What says nothing of the upstream: we did not ask, or did not wait."""


class UpstreamUnavailable(Problem):
    """An upstream does not do its part. Left alone it becomes a 503 that says so.

    What was asked may have been done nevertheless: only an idempotency key makes it safe to ask again.
    `hint` is for our logs, and holds nothing that was sent or received.
    """

    def __init__(self, upstream: str, reason: Reason, hint: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "upstream_unavailable",
            f"The upstream {upstream} {reason}. Try again.",
            headers={"Retry-After": str(max(1, math.ceil(retry_after or 0)))},
        )
        self.upstream = upstream
        self.reason = reason
        self.hint = hint
        self.retry_after = retry_after
        """Seconds, where the upstream or the breaker has named them."""


def refuse(failure: UpstreamUnavailable) -> Never:
    """Do nothing instead: the fallback of a call without which there is no answer."""
    raise failure
