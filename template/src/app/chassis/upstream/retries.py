"""Asking again, where it is safe, likely to help, and no burden to an upstream that is burdened already."""

import structlog
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from app.chassis.upstream.failures import WORTH_A_RETRY, UpstreamUnavailable

log = structlog.get_logger()

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""What may be asked twice (RFC 9110, 9.2.2). Anything else only with an idempotency key."""
WAIT_SECONDS = 0.1
"""Before the first retry, doubled for each more: and up to as much again by chance, so that callers spread."""
MAX_WAIT_SECONDS = 1.0

SHARE = 0.1
BURST = 10.0


class RetryBudget:
    """Lets a tenth of the calls be retries, and a few more at first.

    Else an upstream that fails under load would get a multiple of that load (https://sre.google/sre-book/addressing-cascading-failures/).
    """

    def __init__(self) -> None:
        self._tokens = BURST

    def call(self) -> None:
        """Count a first attempt."""
        self._tokens = min(BURST, self._tokens + SHARE)

    def take(self) -> bool:
        """Tell whether there may be a retry, which is counted then."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def decide(failure: Exception, budget: RetryBudget, seconds_left: float) -> bool | float:
    """Tell whether to ask again: True for after the usual pause, a number for after so many seconds."""
    if not isinstance(failure, UpstreamUnavailable) or failure.reason not in WORTH_A_RETRY:
        return False
    wait = failure.retry_after
    if seconds_left <= (MAX_WAIT_SECONDS if wait is None else wait) or not budget.take():
        return False
    return True if wait is None else wait


def _log(details: RetryDetails) -> None:
    # stamina's own line is a warning, and has the arguments of whatever is retried, secrets too.
    cause = details.caused_by
    facts: dict[str, str] = {"reason": type(cause).__name__}
    if isinstance(cause, UpstreamUnavailable):
        facts = {"upstream": cause.upstream, "reason": cause.reason.value, "hint": cause.hint}
    log.info("retrying", attempt=details.retry_num + 1, seconds=round(details.wait_for, 2), **facts)


set_on_retry_hooks([_log])
