"""Two roles: `migrator` owns the tables, `app` reads and writes rows. `python -m app.chassis.data.roles`.

Run it once, before the first migration, with the DATABASE_URL of an administrator. Both roles come without a password
and cannot log in until they get one (or `GRANT rds_iam`). It may be run again.
"""

import asyncio
import os
import sys

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


async def create(database_url: str) -> None:
    """Create the roles and give them their rights in this database."""
    url = address.async_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url, **address.connect_arguments(database_url))
    try:
        async with connection.transaction():
            await connection.execute(ROLES)
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(create(os.environ["DATABASE_URL"]))
    sys.stdout.write("The roles migrator and app are there.\n")
