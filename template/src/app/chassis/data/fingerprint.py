"""What a database holds, so that two can be compared: after a restore, nothing may be missing or different.

`python -m app.chassis.data.fingerprint` prints that of DATABASE_URL as JSON: to be kept beside a backup, or to ask a
database that was restored where only a task of the image can reach it.
"""

import asyncio
import os
import re
import sys

import asyncpg
from pydantic import BaseModel

from app.chassis.data import address

_SCHEMAS = "nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'"

# How PostgreSQL writes values and names: the same in every session, whatever it or the role is set to.
_AS_TEXT = """
    SET LOCAL search_path = '';
    SET LOCAL TimeZone = 'UTC';
    SET LOCAL DateStyle = 'ISO, YMD';
    SET LOCAL IntervalStyle = 'iso_8601';
    SET LOCAL bytea_output = 'hex';
    SET LOCAL extra_float_digits = 1;
"""
# Names, and a question about each: put together by PostgreSQL, which knows how names are quoted.
_RELATIONS = f"""
    SELECT name, format($2::text, name) FROM (
        SELECT format('%I.%I', nspname, relname) AS name FROM pg_class
        JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE relkind = ANY($1::"char"[]) AND {_SCHEMAS}
    ) AS relations ORDER BY name
"""  # noqa: S608 (only our own words)
# A sum does not ask for an order, and needs no memory: tables may be large.
_CONTENT = """
    SELECT count(*) AS rows,
           coalesce(sum(('x' || left(encode(digest, 'hex'), 16))::bit(64)::bigint), 0)::text AS checksum
    FROM (SELECT sha256(convert_to(ROW(each.*)::text, 'UTF8')) AS digest FROM %s AS each) AS digests
"""
_LAST_VALUE = "SELECT CASE WHEN is_called THEN last_value END FROM %s"
_DEFINITIONS = f"""
    SELECT format('column %s.%I', attrelid::regclass, attname),
           concat_ws(' ', format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
                     nullif(attidentity, ''), nullif(attgenerated, ''), pg_get_expr(adbin, adrelid))
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relkind IN ('r', 'p', 'v', 'm') AND attnum > 0 AND NOT attisdropped AND {_SCHEMAS}
    UNION ALL
    SELECT format('constraint %s.%I', conrelid::regclass, conname),
           pg_get_constraintdef(pg_constraint.oid) || CASE WHEN convalidated THEN '' ELSE ' NOT VALID' END
    FROM pg_constraint JOIN pg_namespace ON pg_namespace.oid = connamespace WHERE {_SCHEMAS}
    UNION ALL
    SELECT format('index %s', indexrelid::regclass),
           pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' INVALID' END
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE {_SCHEMAS}
    UNION ALL
    SELECT format('trigger %s.%I', tgrelid::regclass, tgname), concat(tgenabled, ' ', pg_get_triggerdef(pg_trigger.oid))
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT format('function %s', pg_proc.oid::regprocedure), pg_get_functiondef(pg_proc.oid)
    FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace WHERE prokind IN ('f', 'p') AND {_SCHEMAS}
    UNION ALL
    SELECT format('view %s', pg_class.oid::regclass), pg_get_viewdef(pg_class.oid)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE relkind IN ('v', 'm') AND {_SCHEMAS}
    UNION ALL
    SELECT format('enum %s', enumtypid::regtype), string_agg(enumlabel, ', ' ORDER BY enumsortorder)
    FROM pg_enum GROUP BY enumtypid
    UNION ALL
    SELECT format('policy %s.%I', polrelid::regclass, polname),
           concat_ws(' ', polcmd, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
    UNION ALL
    SELECT format('rights on %s', pg_class.oid::regclass),
           string_agg(concat(grantee::regrole, ' ', privilege_type), ', ' ORDER BY grantee, privilege_type)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace,
         aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)))
    WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND {_SCHEMAS} GROUP BY pg_class.oid
    UNION ALL
    SELECT format('extension %I', extname), extversion FROM pg_extension
    ORDER BY 1
"""  # noqa: S608 (only our own words)


class Content(BaseModel):
    """What is in a table, in whatever order."""

    rows: int
    checksum: str


class Fingerprint(BaseModel):
    """What is in a database."""

    heads: list[str]
    """The newest revisions of the schema."""
    tables: dict[str, Content]
    sequences: dict[str, int | None]
    """Their last values. A restored one may be ahead, and never behind: it would give a number a second time."""
    definitions: dict[str, str]
    """Columns, constraints, indexes, triggers, functions, rights …, as PostgreSQL describes them."""

    @property
    def rows(self) -> int:
        """How many there are in all."""
        return sum(table.rows for table in self.tables.values())


async def connect(database_url: str) -> asyncpg.Connection:
    """Connect as DATABASE_URL says, without a pool."""
    url = address.async_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    return await asyncpg.connect(url, **address.connect_arguments(database_url))


async def take(connection: asyncpg.Connection) -> Fingerprint:
    """Read all of it, as it is at one moment: within a transaction that is REPEATABLE READ, which the caller opens."""
    await connection.execute(_AS_TEXT)
    definitions = {name: definition or "" for name, definition in await connection.fetch(_DEFINITIONS)}
    tables = {}
    for name, question in await connection.fetch(_RELATIONS, [b"r", b"m"], _CONTENT):
        tables[name] = Content(**await connection.fetchrow(question))
    sequences = {}
    for name, question in await connection.fetch(_RELATIONS, [b"S"], _LAST_VALUE):
        sequences[name] = await connection.fetchval(question)
    heads: list[str] = []
    if "public.alembic_version" in tables:
        rows = await connection.fetch("SELECT version_num FROM public.alembic_version ORDER BY 1")
        heads = [row["version_num"] for row in rows]
    return Fingerprint(heads=heads, tables=tables, sequences=sequences, definitions=definitions)


async def read(database_url: str) -> Fingerprint:
    """Return what the database holds now."""
    connection = await connect(database_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await take(connection)
    finally:
        await connection.close()


def differences(expected: Fingerprint, found: Fingerprint) -> list[str]:
    """Return what is not as expected, a line for each. Nothing means that the databases are the same."""
    wanted, there = _facts(expected), _facts(found)
    problems = [f"{name}: missing" for name in wanted.keys() - there.keys()]
    problems += [f"{name}: not expected" for name in there.keys() - wanted.keys()]
    for name in wanted.keys() & there.keys():
        if _essence(wanted[name]) != _essence(there[name]):
            problems.append(f"{name}: {there[name]} instead of {wanted[name]}")
    for name in expected.sequences.keys() & found.sequences.keys():
        value, other = expected.sequences[name] or 0, found.sequences[name] or 0
        if other < value:
            problems.append(f"sequence {name}: at {other}, behind {value}")
    return sorted(problems)


def _facts(fingerprint: Fingerprint) -> dict[str, str]:
    """Return all that has to be equal, by name."""
    return {
        "revisions": ", ".join(fingerprint.heads),
        **{f"table {name}": f"{each.rows} rows, sum {each.checksum}" for name, each in fingerprint.tables.items()},
        **{f"sequence {name}": "" for name in fingerprint.sequences},
        **fingerprint.definitions,
    }


def _essence(definition: str) -> str:
    """Return it without casts and parentheses: PostgreSQL sets them anew when it reads what it has written."""
    return re.sub(r"::[a-z ]+(\[\])?|[()]", "", definition)


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(read(os.environ["DATABASE_URL"])).model_dump_json(indent=2) + "\n")
