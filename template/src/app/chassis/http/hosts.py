"""Answers to its own names only: a forged Host ends in links, caches and redirects (OWASP, host header injection)."""

import re
from collections.abc import Sequence
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from app.chassis.http.errors import render


class TrustedHosts:
    """Refuses a request for any other host, for none, or for two.

    Health checks are exempt: load balancers and orchestrators call a replica by its address, and health answers do not
    depend on the host.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        patterns = "|".join(re.escape(host).replace(r"\*", r"[a-z0-9.-]+") for host in hosts)
        self.known = re.compile(rf"({patterns})(:[0-9]{{1,5}})?".encode(), re.IGNORECASE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compare the header with the names."""
        if scope["type"] == "http" and not scope["path"].startswith("/health/"):
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if len(hosts) != 1 or not self.known.fullmatch(hosts[0]):
                response = render(HTTPStatus.BAD_REQUEST, "unknown_host", "This service does not answer to that host.")
                await response(scope, receive, send)
                return
        await self.app(scope, receive, send)
