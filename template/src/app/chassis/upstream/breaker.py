"""A circuit breaker: who keeps failing is left alone for a while (M. Nygard, Release It!)."""

import contextlib
import random
import time
from collections import deque
from collections.abc import Iterator

import structlog

from app.chassis.upstream.failures import FAILURES, NOT_ASKED, Reason, UpstreamUnavailable

log = structlog.get_logger()


class Breaker:
    """Of one upstream, in one process.

    It opens when, of the calls of the last `window_seconds`, `failures` and at least half have failed. Nobody calls for
    `open_seconds` then; after that one call at a time does, and the first that works closes the breaker.
    """

    def __init__(self, name: str, *, failures: int, window_seconds: float, open_seconds: float) -> None:
        self._name = name
        self._failures = failures
        self._window_seconds = window_seconds
        self._open_seconds = open_seconds
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=20 * failures)  # when, and whether it failed
        self._open_until: float | None = None
        self._probe: object | None = None

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """Make a call in this context. Raises UpstreamUnavailable at once while the breaker is open."""
        call = object()
        if self._open_until is not None:
            self._claim_probe(call)
        try:
            yield
        except UpstreamUnavailable as failure:
            if failure.reason not in NOT_ASKED:
                self._note(call, failed=failure.reason in FAILURES)
            raise
        else:
            self._note(call, failed=False)
        finally:
            if self._probe is call:  # cancelled, or it has shown nothing: the next one is the probe
                self._probe = None

    def _claim_probe(self, call: object) -> None:
        seconds = (self._open_until or 0) - time.monotonic()
        if seconds > 0 or self._probe is not None:
            raise UpstreamUnavailable(self._name, Reason.OPEN, retry_after=max(seconds, 1))
        self._probe = call

    def _note(self, call: object, *, failed: bool) -> None:
        now = time.monotonic()
        if self._open_until is not None:
            if self._probe is not call:
                return  # it began before the breaker opened, and is no news
            if failed:
                self._open(now)
            else:
                self._open_until = None
                log.info("upstream is back", upstream=self._name)
            return
        self._outcomes.append((now, failed))
        if not failed:
            return
        recent = [outcome for at, outcome in self._outcomes if now - at < self._window_seconds]
        if sum(recent) >= max(self._failures, len(recent) / 2):
            log.warning("upstream is left alone", upstream=self._name, failures=sum(recent), calls=len(recent))
            self._outcomes.clear()
            self._open(now)

    def _open(self, now: float) -> None:
        # A tenth more or less, so that replicas do not come back all at once.
        self._open_until = now + self._open_seconds * random.uniform(0.9, 1.1)  # noqa: S311
