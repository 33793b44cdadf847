"""Rows for tables that nobody has described: tried until PostgreSQL takes them."""

import random
import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    MetaData,
    Table,
    Text,
    cast,
    exists,
    func,
    insert,
    inspect,
    literal,
    select,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import Column

ATTEMPTS = 300

# As PostgreSQL reads them, by the first word of the type's name.
_USUAL = {
    "BOOLEAN": ["true", "false"],
    "SMALLINT": ["<n>", "0", "-1", "32767"],
    "INTEGER": ["<n>", "0", "-1", "2147483647"],
    "BIGINT": ["<n>", "0", "-1", "9223372036854775807"],
    "NUMERIC": ["<n>", "0", "-1", "0.5"],
    "REAL": ["1", "0.5"],
    "DOUBLE": ["1", "0.5"],
    "TIMESTAMP": ["2026-11-21 03:00:00.0000<n>+00", "1999-12-31 23:59:59+00"],
    "DATE": ["2026-11-21", "2024-02-29"],
    "TIME": ["03:00:00"],
    "INTERVAL": ["1 hour"],
    "JSON": ["{}", '{"é": [1, null]}'],
    "JSONB": ["{}", '{"é": [1, null]}'],
    "BYTEA": [r"\x<hex>"],
    "INET": ["192.0.2.1"],
    "CIDR": ["192.0.2.0/24"],
}


class RowError(RuntimeError):
    """No row could be made for a table. The message says for which, and what PostgreSQL said last."""


def fill(connection: Connection, rows: int, examples: MetaData) -> None:
    """Put this many more rows into every table but Alembic's, the referenced ones first.

    Columns get values that their checks mention, or that are usual for their type. Where a check is hard to guess the
    model names one: `mapped_column(info={"example": "DE89 3704 0044"})`.
    """
    tables = MetaData()
    tables.reflect(connection)
    chance = random.Random(0)  # noqa: S311 (the same rows each time)
    for table in tables.sorted_tables:
        if table.name == "alembic_version":
            continue
        described = examples.tables.get(table.name)
        checks = " ".join(each["sqltext"] for each in inspect(connection).get_check_constraints(table.name))
        values = {
            column: list(_values(column, checks, None if described is None else described.columns.get(column.name)))
            for column in table.columns
        }
        for _ in range(rows):
            _insert(connection, table, values, chance)


def _insert(
    connection: Connection, table: Table, values: dict[Column[Any], list[str | None]], chance: random.Random
) -> None:
    refusal: DBAPIError | None = None
    for _ in range(ATTEMPTS):
        row = {column.name: _cast(column, _pick(each, chance)) for column, each in values.items() if each}
        row |= _references(connection, table)
        try:
            with connection.begin_nested():
                connection.execute(insert(table).values(row))
        except DBAPIError as error:
            refusal = error
        else:
            return
    raise RowError(f"No row was found that {table.name} takes: name examples in its model. {refusal}") from refusal


def _values(column: Column[Any], checks: str, described: Column[Any] | None) -> Iterator[str | None]:
    """Yield what is worth trying: nothing for a column that PostgreSQL fills by itself."""
    if column.computed is not None or column.identity is not None or column.autoincrement is True:
        return
    if described is not None and "example" in described.info:
        yield str(described.info["example"])
        return
    if column.nullable:
        yield None
    if re.search(rf"\b{column.name}\b", checks):
        yield from re.findall(r"'([^']*)'", checks)
    kind = str(column.type).upper()
    if enumerated := getattr(column.type, "enums", None):
        yield from enumerated
    elif kind.endswith("[]"):
        yield "{}"
    else:
        yield from _USUAL.get(re.split(r"\W", kind)[0], ["<hex>"])


def _pick(values: list[str | None], chance: random.Random) -> str | None:
    value = chance.choice(values)
    return value and value.replace("<hex>", f"{chance.getrandbits(128):032x}").replace("<n>", f"{chance.randrange(99)}")


def _cast(column: Column[Any], value: str | None) -> ColumnElement[Any]:
    length = getattr(column.type, "length", None)
    return cast(literal(value and value[:length], Text()), column.type)


def _references(connection: Connection, table: Table) -> dict[str, Any]:
    """Return the columns that point to other rows: to one that nothing points to yet, if there is any."""
    row: dict[str, Any] = {}
    pointing = table.alias()
    for key in table.foreign_key_constraints:
        targets = [element.column for element in key.elements]
        taken = exists().where(*(pointing.c[each.parent.name] == each.column for each in key.elements))
        found = connection.execute(select(*targets).order_by(taken, func.random()).limit(1)).one_or_none()
        if found is not None:
            row |= dict(zip(key.column_keys, found, strict=True))
    return row
