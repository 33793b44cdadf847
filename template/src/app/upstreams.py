"""The services that this one calls. Add yours: a setting for its address, a field and a line below.

A route asks for `CalledUpstreams`, a job has `work.upstreams`.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.chassis.upstream import client
from app.chassis.upstream.client import Upstream
from app.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Upstreams:
    """One client each, for the life of the process."""

    payments: Upstream


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Upstreams]:
    """Yield the clients, which connect on first use. What an upstream may cost us is its `client.Policy`."""
    async with (
        client.opened("payments", settings.payments_url, settings.payments_key) as payments,
    ):
        yield Upstreams(payments=payments)


async def _upstreams(request: Request) -> Upstreams:
    upstreams: Upstreams = request.app.state.upstreams
    return upstreams


CalledUpstreams = Annotated[Upstreams, Depends(_upstreams)]
"""Ask for it in a route."""
