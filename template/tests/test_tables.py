"""What every table keeps to, in the models and in the migrated database: times in UTC, indexes, no hidden queries."""

from collections.abc import Iterable

import pytest
from sqlalchemy import (
    Connection,
    DateTime,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TIME
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.types import Time

from app.chassis.data.address import async_url
from app.chassis.data.model import Model, metadata

NAIVE = """
    SELECT table_name || '.' || column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND data_type LIKE '%without time zone'
"""


async def reflected(url: str) -> MetaData:
    """Return the tables as they are in the database."""
    found = MetaData()

    def reflect(connection: Connection) -> None:
        found.reflect(connection)
        invalid = connection.execute(text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"))
        for (name,) in invalid:
            for table in found.tables.values():
                table.indexes = {index for index in table.indexes if index.name != name}

    engine = create_async_engine(async_url(url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(reflect)
    return found


@pytest.mark.row("data.time")
def test_models_store_times_with_their_zone() -> None:
    naive = [
        str(column)
        for table in metadata().tables.values()
        for column in table.columns
        if isinstance(column.type, DateTime | Time | TIME) and not column.type.timezone
    ]
    assert naive == [], "use Mapped[datetime], which Model stores with its zone"


@pytest.mark.row("data.time")
async def test_the_database_stores_times_with_their_zone(database_url: str) -> None:
    engine = create_async_engine(async_url(database_url), poolclass=NullPool)
    async with engine.connect() as connection:
        assert (await connection.scalars(text(NAIVE))).all() == []


def indexes(table: Table) -> list[list[str]]:
    """Return the columns of each index over all rows of the table."""
    unique = [each for each in table.constraints if isinstance(each, UniqueConstraint | PrimaryKeyConstraint)]
    whole = [each for each in table.indexes if each.dialect_options["postgresql"].get("where") is None]
    return [[column.name for column in each.columns] for each in [*unique, *whole]]


def unindexed(tables: Iterable[Table]) -> list[str]:
    """Return foreign keys that are not the beginning of an index, in any order: deleting a parent reads the table."""
    return [
        f"{table.name}: {', '.join(key.column_keys)}"
        for table in tables
        for key in table.constraints
        if isinstance(key, ForeignKeyConstraint)
        and not any(set(index[: len(key.column_keys)]) == set(key.column_keys) for index in indexes(table))
    ]


def unfindable(tables: Iterable[Table], filterable: dict[str, set[str]]) -> list[str]:
    """Return filterable columns without an index that has only filterable ones before them."""
    return [
        f"{table.name}: {name}"
        for table in tables
        for name in filterable.get(table.name, set())
        if not any(
            name in index and filterable[table.name].issuperset(index[: index.index(name)]) for index in indexes(table)
        )
    ]


@pytest.mark.row("data.indexes")
@pytest.mark.parametrize("where", ["models", "database"])
async def test_foreign_keys_and_filterable_columns_are_indexed(where: str, database_url: str) -> None:
    """What a list is filtered or ordered by says so: `mapped_column(info={"filterable": True})`."""
    models = metadata()
    filterable = {
        table.name: {column.name for column in table.columns if column.info.get("filterable")}
        for table in models.tables.values()
    }
    tables = (models if where == "models" else await reflected(database_url)).tables.values()
    assert unindexed(tables) == []
    assert unfindable(tables, filterable) == []


@pytest.mark.row("monitor.queries")
def test_no_relationship_queries_behind_the_code() -> None:
    metadata()
    hidden = [
        str(relationship)
        for mapper in Model.registry.mappers
        for relationship in mapper.relationships
        if relationship.lazy in {"select", True, "immediate", "dynamic"}
    ]
    assert hidden == [], 'use lazy="raise", and selectinload where it is wanted: else each row costs a query'
