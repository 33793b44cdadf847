"""Tables of our own to test privacy with, in no migration: each test makes them."""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import DateTime, ForeignKey, String, func
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.chassis.privacy.annotations import (
    Activity,
    Basis,
    Category,
    Erasure,
    not_personal,
    personal,
    rows_of,
    years,
)

CARE = Activity("care", purpose="to look after guests", basis=Basis.CONTRACT, subjects="guests", kept=years(2))
BOOKS = Activity(
    "bookkeeping", purpose="to keep books", basis=Basis.LEGAL_OBLIGATION, subjects="guests", kept=years(10)
)
NEWS = Activity("news", purpose="to send news", basis=Basis.CONSENT, subjects="guests", kept=timedelta(days=30))


class People(DeclarativeBase):
    """Tables that are none of the service's."""

    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True)}


class Guest(People):
    """Somebody."""

    __tablename__ = "guests"
    __table_args__ = ({"info": rows_of(CARE, subject="who", since="since") | not_personal("id", "since")},)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    who: Mapped[str] = mapped_column(String(100), info=personal(Category.IDENTITY))
    since: Mapped[datetime] = mapped_column(server_default=func.now())
    mobile: Mapped[str | None] = mapped_column(String(40), info=personal(Category.CONTACT))
    address: Mapped[str | None] = mapped_column(String(100), info=personal(Category.CONTACT, activity=NEWS))
    badge: Mapped[str] = mapped_column(String(40), info=personal(Category.IDENTITY, exported=False), default="b-1")


class Stay(People):
    """Where they were. Deleting a guest does not delete it: we have to."""

    __tablename__ = "stays"
    __table_args__ = ({"info": rows_of(CARE, subject="guest_id") | not_personal("id", "guest_id")},)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    guest_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("guests.id"))
    room: Mapped[str] = mapped_column(String(10), info=personal(Category.BEHAVIOUR))


class Meal(People):
    """What they had, two tables away from who they are."""

    __tablename__ = "meals"
    __table_args__ = ({"info": rows_of(CARE, subject="stay_id") | not_personal("id", "stay_id")},)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    stay_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("stays.id"))
    dish: Mapped[str] = mapped_column(String(100), info=personal(Category.SPECIAL))


class Bill(People):
    """What has to stay in the books, whoever it was."""

    __tablename__ = "bills"
    __table_args__ = (
        {
            "info": rows_of(BOOKS, subject="payer", since="at", erasure=Erasure.ANONYMISE)
            | not_personal("id", "at", "cents")
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    payer: Mapped[str] = mapped_column(String(100), info=personal(Category.IDENTITY, erased="somebody"))
    iban: Mapped[str | None] = mapped_column(String(40), info=personal(Category.PAYMENT))
    cents: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


async def settle_in(engine: AsyncEngine) -> None:
    """Make the tables."""
    async with engine.begin() as connection:
        await connection.run_sync(People.metadata.create_all)


async def check_in(session: AsyncSession, who: str, since: datetime | None = None) -> None:
    """Store the rows of somebody."""
    person, stay = Guest(id=uuid.uuid4(), who=who, mobile="+49 170 0000000", address="Quay 7"), uuid.uuid4()
    bill = Bill(payer=who, iban="DE89 3704 0044 0532 0130 00", cents=100)
    if since:
        person.since = bill.at = since
    meal = Meal(stay_id=stay, dish="no fish, allergic")
    for row in (person, Stay(id=stay, guest_id=person.id, room="7"), meal, bill):
        session.add(row)
        await session.flush()
