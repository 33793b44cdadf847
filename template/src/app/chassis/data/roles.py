"""Two roles: `migrator` owns the tables, `app` reads and writes rows. `python -m app.chassis.data.roles`.

Run it once, before the first migration, with the DATABASE_URL of an administrator, and again whenever passwords are
rotated: MIGRATOR_PASSWORD and APP_PASSWORD, where they are set, become those of the roles. Without one a role cannot
log in (or `GRANT rds_iam`).
"""

import asyncio
import base64
import hashlib
import hmac
import os
import sys
from collections.abc import Mapping

import asyncpg

from app.chassis.data import address

ROLES = """
DO $$ BEGIN CREATE ROLE migrator LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT migrator TO CURRENT_USER;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO migrator;
GRANT USAGE ON SCHEMA public TO app;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app;
ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app;
ALTER DEFAULT PRIVILEGES FOR ROLE migrator IN SCHEMA public GRANT USAGE ON SEQUENCES TO app;
"""

# Built by the server from two settings of the transaction: no statement, and no log of statements, holds what is kept
# of a password. An error would quote the statement that failed: this one is told without it.
ALTER_ROLE = """
DO $$ BEGIN
    EXECUTE format('ALTER ROLE %I PASSWORD %L', current_setting('roles.role'), current_setting('roles.verifier'));
EXCEPTION WHEN OTHERS THEN
    RAISE EXCEPTION 'no password for the role %: %', current_setting('roles.role'), SQLERRM;
END $$;
"""


def _verifier(password: str) -> str:
    """Return what PostgreSQL keeps of a password (RFC 5803), so that the password itself never leaves."""
    salt, iterations = os.urandom(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(each).decode() for each in (salt, client, server)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"


async def create(database_url: str, passwords: Mapping[str, str] | None = None) -> None:
    """Create the roles, give them their rights in this database, and the passwords by role."""
    url = address.async_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url, **address.connect_arguments(database_url))
    try:
        async with connection.transaction():
            await connection.execute(ROLES)
            for role, password in (passwords or {}).items():
                await connection.execute(
                    "SELECT set_config('roles.role', $1, true), set_config('roles.verifier', $2, true)",
                    role,
                    _verifier(password),
                )
                await connection.execute(ALTER_ROLE)
    finally:
        await connection.close()


if __name__ == "__main__":
    given = {role: os.environ.get(f"{role.upper()}_PASSWORD") for role in ("migrator", "app")}
    asyncio.run(create(os.environ["DATABASE_URL"], {role: each for role, each in given.items() if each}))
    sys.stdout.write("The roles migrator and app are there.\n")
