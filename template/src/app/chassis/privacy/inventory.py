"""Which personal data there are, and which columns nobody has classified: read from the models, and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import Column, ColumnElement, DateTime, MetaData, false, func, or_, select
from sqlalchemy import Table as StoredTable
from sqlalchemy.schema import ForeignKey

from app.chassis.data.model import metadata
from app.chassis.privacy.annotations import Activity, Category, Condition, Erasure, Personal, Rows, words
from app.chassis.privacy.ours import OURS


class UnclassifiedError(RuntimeError):
    """Nobody has said what some columns hold. The message lists them."""


@dataclass(frozen=True)
class Table:
    """A table with personal data."""

    stored: StoredTable
    rows: Rows
    columns: dict[str, Personal]
    parent: "Table | None"
    """The table that its rows lead to, on the way to their subject."""

    @property
    def name(self) -> str:
        """What it is called in the database."""
        return self.stored.name

    @property
    def activity(self) -> Activity:
        """What it is for."""
        return self.rows.activity

    @property
    def erasure(self) -> Erasure:
        """What an erasure does to it."""
        return self.rows.erasure

    @property
    def period(self) -> str:
        """How long its rows are kept, in words."""
        if self.rows.since or self.rows.cleaned:
            return words(self.activity.kept)
        return f"as long as {self.parent.name}" if self.parent else "for ever"

    @property
    def link(self) -> Column[Any] | None:
        """The column that says, or leads to, whose a row is."""
        return self.stored.c[self.rows.subject] if isinstance(self.rows.subject, str) else None

    def belongs(self, of: Condition) -> ColumnElement[bool]:
        """Return the condition that a row is of a subject: `table.belongs(lambda subject: subject == "ada")`."""
        if callable(self.rows.subject):
            return self.rows.subject(self.stored, of)
        if self.link is None:
            return false()
        if self.parent is None:
            return of(self.link)
        return self.link.in_(select(_target(self.link)).where(self.parent.belongs(of)))

    def expired(self) -> ColumnElement[bool]:
        """Return the condition that the period of a row is over."""
        conditions = []
        if isinstance(self.rows.since, str):
            conditions.append(self.stored.c[self.rows.since] < func.now() - self.activity.kept)
        elif self.rows.since:
            conditions.append(self.rows.since(self.stored, self.activity.kept))
        if self.link is not None and self.parent:
            conditions.append(self.link.in_(select(_target(self.link)).where(self.parent.expired())))
        return or_(false(), *conditions)

    def blank(self, *activities: Activity) -> dict[str, Any]:
        """Return what personal columns become when rows are anonymised: those of these activities, or all."""
        return {
            name: each.erased
            for name, each in self.columns.items()
            if not activities or (each.activity or self.activity) in activities
        }


@dataclass
class Inventory:
    """All personal data of a service."""

    tables: list[Table] = field(default_factory=list)
    """Those that others point to come before them."""
    unclassified: list[str] = field(default_factory=list)
    """What is to be written, and where: a line for each column or table that nobody has classified, or wrongly."""
    is_begun: bool = True
    """False while no model of the owner's is annotated: in a service from before there were annotations."""

    @cached_property
    def activities(self) -> list[Activity]:
        """What personal data are processed for."""
        found = {each.activity or table.activity for table in self.tables for each in table.columns.values()}
        return sorted(found, key=lambda each: each.name)

    def categories(self, activity: Activity) -> list[Category]:
        """Return what kinds of data an activity processes."""
        return sorted(
            {
                each.category
                for table in self.tables
                for each in table.columns.values()
                if (each.activity or table.activity) == activity
            }
        )

    @property
    def secrets(self) -> frozenset[str]:
        """The names that no value may stand under in a log."""
        return frozenset(name for table in self.tables for name, each in table.columns.items() if not each.logged)

    def require(self) -> "Inventory":
        """Return it. Raises UnclassifiedError unless all is classified: an archive with gaps is none."""
        if self.unclassified:
            raise UnclassifiedError("\n".join(["Classify these columns first (docs/privacy.md):", *self.unclassified]))
        return self


def read(tables: MetaData | None = None) -> Inventory:
    """Return what the models say: all of them, or those given."""
    found, theirs = Inventory(), []
    known: dict[str, Table] = {}
    for stored in (tables or metadata()).sorted_tables:
        info: Mapping[Any, Any] = stored.info
        columns = {each.name: each.info["personal"] for each in stored.c if "personal" in each.info}
        if stored.name in OURS:
            info, columns = OURS[stored.name].info, dict(OURS[stored.name].columns)
        else:
            theirs.append(bool(columns or {"rows", "not_personal"} & info.keys()))
        found.unclassified += _gaps(stored, columns, info.get("not_personal", ()))
        rows: Rows | None = info.get("rows")
        if rows is None:
            if columns:
                found.unclassified.append(
                    f'{stored.name}: whose rows are they? Add rows_of(…, subject="…") to its info'
                )
            continue
        link = stored.c.get(rows.subject) if isinstance(rows.subject, str) else None
        keys = [] if link is None else list(link.foreign_keys)
        parent = known.get(keys[0].column.table.name) if keys else None
        table = known[stored.name] = Table(stored, rows, columns, parent)
        found.tables.append(table)
        found.unclassified += _wrong(table, keys)
    found.unclassified += [line for table in found.tables for line in _left_behind(table, found.tables)]
    found.is_begun = any(theirs) or not theirs
    return found


def _gaps(stored: StoredTable, columns: dict[str, Personal], plain: tuple[str, ...]) -> Iterator[str]:
    for each in stored.c:
        if (each.name in columns) == (each.name in plain):
            problem = "is said to be both" if each.name in plain else "is it personal data?"
            yield (
                f"{each}: {problem} Write mapped_column(…, info=personal(Category.…)) where it is, "
                f'or else add "{each.name}" to not_personal(…) of {stored.name}'
            )
    for name in {*plain, *columns} - {*stored.c.keys()}:
        yield f"{stored.name}.{name}: there is no such column. Take it out of the annotations"


def _wrong(table: Table, keys: list[ForeignKey]) -> Iterator[str]:
    rows, stored = table.rows, table.stored
    if isinstance(rows.subject, str):
        if rows.subject not in stored.c:
            yield f"{table.name}: subject is {rows.subject}, and there is no such column"
        elif keys and (table.parent is None or len(keys[0].constraint.elements if keys[0].constraint else ()) > 1):
            yield f"{stored.c[rows.subject]}: its foreign key leads to no subject. Use a column that does"
    elif rows.subject is None and not rows.cleaned:
        yield f"{table.name}: rows that no subject leads to say what removes them soon: rows_of(…, cleaned=…)"
    if isinstance(rows.since, str) and not isinstance(getattr(stored.c.get(rows.since), "type", None), DateTime):
        yield f"{table.name}: since is {rows.since}, and there is no such column with a time"
    if not (rows.since or rows.cleaned or table.parent):
        yield f"{table.name}: since when do the {words(rows.activity.kept)} run? Write rows_of(…, since=…)"
    for name, each in table.columns.items():
        becomes_blank = rows.erasure is Erasure.ANONYMISE or each.activity not in {None, rows.activity}
        if becomes_blank and name in stored.c and each.erased is None and not stored.c[name].nullable:
            yield f"{table.name}.{name}: cannot be null. Say what it becomes: personal(…, erased=…)"
        if each.activity not in {None, rows.activity} and not rows.since:
            yield f"{table.name}.{name}: has a period of its own, and its table no since"


def _left_behind(table: Table, tables: list[Table]) -> Iterator[str]:
    """Yield foreign keys that would keep the rows of this table from being deleted."""
    if table.erasure is not Erasure.DELETE:
        return
    gone = {each.name for each in tables if each.erasure is Erasure.DELETE and _leads_to(each, table)}
    for other in table.stored.metadata.tables.values():
        for key in other.foreign_keys:
            if key.column.table is table.stored and other.name not in {*gone, *OURS} and not key.ondelete:
                yield f"{key.parent}: points to {table.name}, whose rows are erased. Give it an ondelete, or a subject"


def _leads_to(table: Table | None, target: Table) -> bool:
    return table is not None and (table.name == target.name or _leads_to(table.parent, target))


def _target(column: Column[Any]) -> Column[Any]:
    return next(iter(column.foreign_keys)).column
