"""DATABASE_URL as libpq reads it, for asyncpg: where the server is, and whether it must prove that it is the one."""

import ssl
from pathlib import Path
from typing import Any

from pydantic import PostgresDsn
from sqlalchemy import URL, make_url

SYSTEM = "system"
"""As in libpq: the certificate authorities that the machine trusts."""


def check(database_url: PostgresDsn | str) -> None:
    """Raise ValueError where the address asks for what we would not do.

    libpq's other modes (`require`, `verify-ca`, …) encrypt for whoever answers: they look safe and are not.
    """
    parameters = make_url(str(database_url)).query
    unknown = sorted(parameters.keys() - {"sslmode", "sslrootcert"})
    if unknown:
        raise ValueError(f"takes sslmode and sslrootcert, not {', '.join(unknown)}")
    if parameters.get("sslmode", "disable") not in {"disable", "verify-full"}:
        raise ValueError("takes sslmode=verify-full, or disable in development")
    authorities = str(parameters.get("sslrootcert", SYSTEM))
    if authorities != SYSTEM and not Path(authorities).is_file():
        raise ValueError("names a file in sslrootcert that is not there")


def async_url(database_url: PostgresDsn | str) -> URL:
    """Return the address with the asynchronous driver that we use, whichever one it named."""
    return make_url(str(database_url)).set(drivername="postgresql+asyncpg", query={})


def connect_arguments(database_url: PostgresDsn | str) -> dict[str, Any]:
    """Return what else asyncpg needs to know to connect there.

    `sslmode=verify-full` checks the server's certificate, and the name in it, against `sslrootcert`: a file, or
    `system`, which is also meant when it is not given. asyncpg by itself knows no `system`.
    """
    parameters = make_url(str(database_url)).query
    if parameters.get("sslmode") != "verify-full":
        return {"ssl": False}
    authorities = str(parameters.get("sslrootcert", SYSTEM))
    return {"ssl": ssl.create_default_context(cafile=None if authorities == SYSTEM else authorities)}
