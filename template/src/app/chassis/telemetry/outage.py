"""Says once that something is not sent, instead of every time."""

import structlog

log = structlog.get_logger()


class Outage:
    """Logs when sending begins to fail, and when it works again."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.lasts = False

    def note(self, *, sent: bool) -> None:
        """Note how a sending went."""
        if not sent and not self.lasts:
            log.warning("telemetry is not sent", what=self.what)
        elif sent and self.lasts:
            log.info("telemetry is sent again", what=self.what)
        self.lasts = not sent
