"""The class that every table derives from."""

import importlib
import pkgutil
from datetime import datetime
from typing import ClassVar

from sqlalchemy import DateTime, MetaData
from sqlalchemy.orm import DeclarativeBase

import app


class Model(DeclarativeBase):
    """A table. Times are stored with their zone, and constraints have names that a migration can rely on.

    Columns that a list is filtered or ordered by say so, and are then known to be indexed:
    `mapped_column(info={"filterable": True})`. Columns that are in the database still, and not used any more, until a
    later release drops them: `__table_args__ = {"info": {"retired": ["colour"]}}`.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True)}


def retired() -> set[tuple[str, str]]:
    """Return table and name of columns that no model has and the database may have."""
    return {(table.name, name) for table in metadata().tables.values() for name in table.info.get("retired", ())}


def metadata() -> MetaData:
    """Return all tables: those of every module named `models` below `app`, without a list to keep."""
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if module.name.endswith(".models"):
            importlib.import_module(module.name)
    return Model.metadata
