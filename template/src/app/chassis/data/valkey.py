"""Valkey: what all replicas share, and can lose at any moment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import AfterValidator, AnyUrl, Field, UrlConstraints, ValidationInfo
from pydantic_settings import BaseSettings
from valkey.asyncio import BlockingConnectionPool, Valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import NoBackoff
from valkey.exceptions import ConnectionError as ValkeyConnectionError

from app.identity import NAME

TIMEOUT_SECONDS = 0.25
"""It answers in less than a millisecond, or something is wrong with it."""
MAX_CONNECTIONS = 20


def _encrypted(value: AnyUrl, info: ValidationInfo) -> AnyUrl:
    if value.scheme != "valkeys" and info.data.get("environment") != "development":
        raise ValueError("takes valkeys:// only, outside development")
    return value


class ValkeySettings(BaseSettings):
    """Where it is."""

    valkey_url: Annotated[
        AnyUrl,
        UrlConstraints(allowed_schemes=["valkey", "valkeys"], host_required=True),
        AfterValidator(_encrypted),
        Field(description="valkeys://user:password@host:port/0, with TLS"),
    ]


@asynccontextmanager
async def connected(settings: ValkeySettings) -> AsyncIterator[Valkey]:
    """Yield a client that connects on first use, and gives up soon: TIMEOUT_SECONDS for each step."""
    verified = {"ssl_check_hostname": True} if settings.valkey_url.scheme == "valkeys" else {}
    pool = BlockingConnectionPool.from_url(
        str(settings.valkey_url),
        client_name=NAME,
        max_connections=MAX_CONNECTIONS,
        timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
        # A connection that the server has closed in the meantime is opened again.
        retry=Retry(NoBackoff(), 1, supported_errors=(ValkeyConnectionError,)),
        **verified,
    )
    client = Valkey.from_pool(pool)
    try:
        yield client
    finally:
        await client.aclose()
