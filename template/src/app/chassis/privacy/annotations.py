"""How models say which of their columns hold personal data, and why, of whom and for how long.

ORDERS = Activity("orders", purpose="to take orders", basis=Basis.CONTRACT, subjects="customers", kept=years(10))

class Order(Model):
    __table_args__ = ({"info": rows_of(ORDERS, subject="owner", since="created_at") | not_personal("id", "version")},)

    owner: Mapped[str] = mapped_column(String(255), info=personal(Category.IDENTITY))
    phone: Mapped[str | None] = mapped_column(String(40), info=personal(Category.CONTACT))
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Table, exists, func, literal, literal_column, select


class Category(StrEnum):
    """What kind of data it is (GDPR Art. 30(1)(c))."""

    IDENTITY = "identifiers"
    CONTACT = "contact details"
    CONTENT = "what they entrust to us"
    BEHAVIOUR = "what they did, and when"
    PAYMENT = "payment data"
    SPECIAL = "special categories (Art. 9)"


class Basis(StrEnum):
    """Why it is lawful (GDPR Art. 6(1))."""

    CONSENT = "consent (Art. 6(1)(a))"
    CONTRACT = "contract (Art. 6(1)(b))"
    LEGAL_OBLIGATION = "legal obligation (Art. 6(1)(c))"
    VITAL_INTERESTS = "vital interests (Art. 6(1)(d))"
    PUBLIC_TASK = "public task (Art. 6(1)(e))"
    LEGITIMATE_INTERESTS = "legitimate interests (Art. 6(1)(f))"


class Erasure(StrEnum):
    """What an erasure does to the rows of its subject."""

    DELETE = "deleted"
    ANONYMISE = "anonymised"
    """The rows stay, without what is personal in them: columns that may be null are, others get their `erased`."""
    KEEP = "kept"
    """They stay as they are, where the law demands it (GDPR Art. 17(3)), until their time is over."""


@dataclass(frozen=True, slots=True)
class Activity:
    """A processing activity, as the records of GDPR Art. 30 list them: one for each purpose."""

    name: str
    purpose: str
    basis: Basis
    subjects: str
    """Whose data they are: customers, for example."""
    kept: timedelta
    """How long, from the moment that `since` names."""
    recipients: tuple[str, ...] = ()
    """Who else receives them: names of `app.processors`, or of others."""


@dataclass(frozen=True, slots=True)
class Processor:
    """Somebody who processes personal data for us (GDPR Art. 28)."""

    name: str
    does: str
    where: str
    agreement: str = ""
    """Where the agreement is. Empty while there is none: `make readiness` says so."""


type Condition = Callable[[ColumnElement[Any]], ColumnElement[bool]]
"""Makes a condition on whose a row is from the column that says it."""
type Link = Callable[[Table, Condition], ColumnElement[bool]]
"""Makes that condition for a table where no single column says it."""
type Over = Callable[[Table, timedelta], ColumnElement[bool]]
"""Makes the condition that the period of a row is over, where no single column says since when it runs."""


@dataclass(frozen=True, slots=True)
class Personal:
    """What a column with personal data says of itself: see `personal`."""

    category: Category
    activity: Activity | None
    erased: Any
    exported: bool
    logged: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """What a table with personal data says of its rows: see `rows_of`."""

    activity: Activity
    subject: str | Link | None
    since: str | Over | None
    erasure: Erasure
    cleaned: str
    last: bool


def personal(
    category: Category,
    *,
    activity: Activity | None = None,
    erased: Any = None,
    exported: bool = True,
    logged: bool = False,
) -> dict[str, Any]:
    """Declare that a column holds personal data: `mapped_column(info=personal(Category.CONTACT))`.

    `activity` is another than the table's, with a period of its own, after which the column becomes `erased`. A secret
    that its subject need not see is not `exported`. Whatever stands under the column's name is taken out of logs,
    unless it may be `logged`.
    """
    return {"personal": Personal(category, activity, erased, exported, logged)}


def not_personal(*columns: str) -> dict[str, Any]:
    """Declare which columns of a table hold none: `{"info": not_personal("id", "version")}` in `__table_args__`."""
    return {"not_personal": columns}


def rows_of(  # noqa: PLR0913 (each is a fact that the law asks for)
    activity: Activity,
    *,
    subject: str | Link | None,
    since: str | Over | None = None,
    erasure: Erasure = Erasure.DELETE,
    cleaned: str = "",
    last: bool = False,
) -> dict[str, Any]:
    """Declare what the rows of a table are for, and how each leads to its subject.

    `subject` is the column that holds what `Caller.subject` says, or a foreign key to a row that leads there; None for
    rows that cannot be found by subject, and are gone soon. Their period runs from the time in the column `since`, or
    ends with that of the row their foreign key points to, or is kept by something else, which `cleaned` names. What an
    erasure needs until its end goes `last`.
    """
    return {"rows": Rows(activity, subject, since, erasure, cleaned, last)}


def mentioned_in(column: str) -> Link:
    """Link the rows to whoever is named anywhere in a JSONB column."""

    def link(table: Table, of: Condition) -> ColumnElement[bool]:
        path: ColumnElement[str] = literal_column("""'$.** ? (@.type() == "string")'""")
        each = func.jsonb_path_query(table.c[column], path).column_valued("mentioned")
        return exists(select(literal(1)).where(of(each.op("#>>")(literal_column("'{}'")))))

    return link


def years(number: int) -> timedelta:
    """Return so many years, give or take a day."""
    return timedelta(days=number * 365 + number // 4)


def words(period: timedelta) -> str:
    """Return a period in words: 10 years, 30 days, 24 hours."""
    for unit, length in (("year", years(1)), ("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        number = period // length
        leap_days = timedelta(days=number // 4) if unit == "year" else timedelta()
        if number >= (2 if unit == "day" else 1) and period in {number * length, number * length + leap_days}:
            return f"{number} {unit}{'s' * (number != 1)}"
    return f"{period // timedelta(minutes=1)} minutes"
