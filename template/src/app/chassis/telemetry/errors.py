"""Exceptions that nobody foresaw are told to whoever repairs them, where the settings name a Sentry."""

from collections.abc import Callable

Send = Callable[[BaseException, dict[str, str]], None]


class _Sending:
    """How exceptions are sent, if they are."""

    send: Send | None = None


def send_with(send: Send | None) -> None:
    """Send exceptions with this. None: send none."""
    _Sending.send = staticmethod(send) if send else None


def capture(error: BaseException, **facts: str) -> None:
    """Send the exception, unless that was done where it passed before. What is bound to the log goes with it."""
    if _Sending.send and not hasattr(error, "_captured"):
        error._captured = True  # type: ignore[attr-defined]  # noqa: SLF001 (where it goes, so does this)
        _Sending.send(error, facts)
