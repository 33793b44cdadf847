"""Every column is classified, and what follows from that needs no other edit: archive, erasure, periods, records."""

import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Column, ForeignKey, MetaData, String, Table, Text, Uuid, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.data.model import metadata
from app.chassis.flags.models import FlagChange
from app.chassis.privacy import erasure, guard, holds, inventory, records, requests
from app.chassis.privacy.annotations import Category, Erasure, not_personal, personal, rows_of
from app.chassis.privacy.export import export
from app.chassis.privacy.models import LegalHold, PrivacyRequest
from app.chassis.privacy.requests import Kind
from app.chassis.security.audit import trail
from app.chassis.security.audit.models import AuditEntry
from app.chassis.telemetry import redaction
from dev import rows
from dev.environment import PROJECT
from tests.chassis.people import BOOKS, CARE, Bill, Guest, Meal, People, Stay, check_in, settle_in

RECORDS = PROJECT / "legal" / "records.md"
ADA, EVE = "ada-4711", "eve-0815"


def begun() -> inventory.Inventory:
    """Return what the service's models say."""
    data = inventory.read()
    if not data.is_begun:
        pytest.skip("no model of this service is annotated yet: docs/privacy.md")
    return data


@pytest.fixture(autouse=True)
def promised(request: pytest.FixtureRequest) -> None:
    """Where no model says anything, no promise is kept, however well the tools would work."""
    if request.node.get_closest_marker("row"):
        begun()


@pytest.fixture
async def session(app: FastAPI) -> AsyncIterator[AsyncSession]:
    """A transaction on a database with the tables of people."""
    await settle_in(app.state.engine)
    async with AsyncSession(app.state.engine, expire_on_commit=False) as each, each.begin():
        yield each


async def count(session: AsyncSession, *models: type[Any]) -> list[int]:
    """Return how many rows each has."""
    return [await session.scalar(select(func.count()).select_from(each)) or 0 for each in models]


# What the owner's next column has to get past.


@pytest.mark.row("law.export")
@pytest.mark.row("law.erasure")
@pytest.mark.row("law.retention")
def test_every_column_is_classified() -> None:
    assert begun().unclassified == []


@pytest.mark.row("law.records")
def test_the_records_say_what_the_models_say() -> None:
    expected = records.text(begun())
    assert RECORDS.exists(), "make privacy-records"
    assert RECORDS.read_text() == expected, "make privacy-records, and commit it"


@pytest.mark.row("law.export")
@pytest.mark.row("law.erasure")
async def test_of_whatever_tables_there_are_a_person_gets_all_and_leaves_nothing(app: FastAPI) -> None:
    """Each table of this service has rows of two people; one is exported and erased."""
    data = begun().require()
    async with app.state.engine.begin() as connection:
        await connection.run_sync(rows.fill, 2, metadata())
        await connection.execute(text("SET LOCAL session_replication_role = replica"))  # the trail cannot be changed
        for table in data.tables:
            first = f"ctid = (SELECT min(ctid) FROM {table.name})"  # noqa: S608 (our own names)
            if table.link is not None and table.parent is None:
                whose = case(first, f"'{ADA}'", f"'{EVE}'")
                await connection.execute(text(f"UPDATE {table.name} SET {table.link.name} = {whose}"))  # noqa: S608
            elif callable(table.rows.subject):
                whose = case(first, f'\'{{"who": ["{ADA}"]}}\'', f'\'{{"who": ["{EVE}"]}}\'')
                await connection.execute(text(f"UPDATE {table.name} SET args = ({whose})::jsonb"))  # noqa: S608
    linked = {each.name for each in data.tables if each.rows.subject}
    kept = {each.name for each in data.tables if each.erasure is Erasure.KEEP}
    async with AsyncSession(app.state.engine) as session, session.begin():
        assert (await erasure.left(session, data, ADA)).keys() == linked
        others = await erasure.left(session, data, EVE)

        archive = json.loads(await export(session, data, ADA))["data"]
        for table in data.tables:
            names = {name for name, each in table.columns.items() if each.exported}
            assert not names or table.name not in linked or names <= archive[table.name][0].keys(), table.name

        await erasure.erase(session, data, ADA, last=True)
    async with AsyncSession(app.state.engine) as session:
        assert (await erasure.left(session, data, ADA)).keys() == kept
        assert await erasure.left(session, data, EVE) == others
        for table in data.tables:
            everything = await session.scalar(text(f"SELECT string_agg(each::text, ' ') FROM {table.name} AS each"))  # noqa: S608
            assert ADA not in (everything or "") or table.name in kept, table.name


def case(condition: str, then: str, otherwise: str) -> str:
    """Return a condition in SQL."""
    return f"CASE WHEN {condition} THEN {then} ELSE {otherwise} END"


# How they are told.


def with_phone(**info: Any) -> inventory.Inventory:
    """Return what is known of a table to which somebody has just added a phone number."""
    tables = MetaData()
    Table(
        "guests",
        tables,
        Column("id", Uuid(), primary_key=True),
        Column("who", String(100), info=personal(Category.IDENTITY)),
        Column("phone", String(40), info=info),
        Column("since", Guest.__table__.c.since.type),
        info=rows_of(CARE, subject="who", since="since") | not_personal("id", "since"),
    )
    return inventory.read(tables)


def test_a_new_column_is_asked_about_by_name_and_told_what_to_write() -> None:
    (line,) = with_phone().unclassified
    assert line.startswith("guests.phone: is it personal data? Write mapped_column(…, info=personal(Category.…))")
    assert line.endswith('add "phone" to not_personal(…) of guests')
    with pytest.raises(inventory.UnclassifiedError, match=r"guests\.phone"):
        with_phone().require()


@pytest.mark.row("law.records")
async def test_a_classified_column_is_exported_erased_recorded_and_redacted_without_another_edit(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = with_phone(**personal(Category.CONTACT)).require()
    await session.execute(text("ALTER TABLE guests ADD COLUMN phone text"))
    await session.execute(
        text("INSERT INTO guests (id, who, badge, phone) VALUES (gen_random_uuid(), :who, 'b', '+49 170')"),
        {"who": ADA},
    )
    assert json.loads(await export(session, data, ADA))["data"]["guests"][0]["phone"] == "+49 170"
    assert "`phone`" in records.text(data)
    assert "contact details" in records.text(data)
    assert "phone" in data.secrets
    assert await erasure.erase(session, data, ADA, last=True) == {"guests": 1}
    assert await count(session, Guest) == [0]


@pytest.mark.parametrize(
    ("info", "columns", "problem"),
    [
        (not_personal("id", "who", "parent_id"), {"who": personal(Category.IDENTITY)}, "is said to be both"),
        (not_personal("id", "who", "parent_id", "gone"), {}, "there is no such column"),
        (not_personal("id", "parent_id"), {"who": personal(Category.IDENTITY)}, "whose rows are they"),
        (rows_of(CARE, subject="owner", cleaned="x"), {}, "subject is owner"),
        (rows_of(CARE, subject="parent_id", cleaned="x"), {}, "leads to no subject"),
        (rows_of(CARE, subject="who"), {}, "since when do the 2 years run"),
        (rows_of(CARE, subject="who", since="who"), {}, "no such column with a time"),
        (rows_of(CARE, subject=None), {}, "say what removes them"),
        (
            rows_of(BOOKS, subject="who", cleaned="x", erasure=Erasure.ANONYMISE),
            {"who": personal(Category.IDENTITY)},
            "cannot be null",
        ),
        (rows_of(CARE, subject="who", cleaned="x"), {"who": personal(Category.IDENTITY, activity=BOOKS)}, "own"),
    ],
)
def test_annotations_that_make_no_sense_are_refused(info: dict[str, Any], columns: Any, problem: str) -> None:
    tables = MetaData()
    Table("parents", tables, Column("id", Uuid(), primary_key=True), info=not_personal("id"))
    Table(
        "things",
        tables,
        Column("id", Uuid(), primary_key=True),
        Column("parent_id", ForeignKey("parents.id")),
        Column("who", Text(), nullable=False, info=columns.get("who", {})),
        info=info,
    )
    assert any(problem in line for line in inventory.read(tables).unclassified)


def test_a_table_that_would_keep_erased_rows_from_going_is_found() -> None:
    for ondelete, found in ((None, True), ("CASCADE", False)):
        tables = MetaData()
        for table in People.metadata.sorted_tables:
            table.to_metadata(tables)
        pets = [Column("id", Uuid(), primary_key=True), Column("guest_id", ForeignKey("guests.id", ondelete=ondelete))]
        Table("pets", tables, *pets, info=not_personal("id", "guest_id"))
        assert any("pets.guest_id: points to guests" in line for line in inventory.read(tables).unclassified) is found


def test_a_service_from_before_is_known_by_models_that_say_nothing() -> None:
    old = MetaData()
    Table("orders", old, Column("id", Uuid(), primary_key=True))
    assert not inventory.read(old).is_begun
    assert inventory.read(People.metadata).is_begun
    assert inventory.read(People.metadata).unclassified == []


# What happens to the rows.


@pytest.mark.row("law.export")
async def test_an_archive_has_all_of_one_person_and_why_it_is_there(session: AsyncSession) -> None:
    await check_in(session, ADA)
    await check_in(session, EVE)
    archive = json.loads(await export(session, inventory.read(People.metadata), ADA))
    assert {name: len(each) for name, each in archive["data"].items()} == {
        "guests": 1, "stays": 1, "meals": 1, "bills": 1,
    }  # fmt: skip
    assert archive["data"]["guests"][0].keys() == {"id", "who", "since", "mobile", "address"}, "the badge is a secret"
    assert archive["data"]["meals"][0]["dish"] == "no fish, allergic"
    assert archive["subject"] == ADA
    assert EVE not in json.dumps(archive)
    assert {"purpose": "to keep books", "kept_for": "10 years"}.items() <= archive["about"][0].items()


@pytest.mark.row("law.erasure")
async def test_an_erasure_follows_foreign_keys_and_leaves_the_books(session: AsyncSession) -> None:
    await check_in(session, ADA)
    await check_in(session, EVE)
    data = inventory.read(People.metadata)
    erased = await erasure.erase(session, data, ADA, last=True)
    assert erased == {"guests": 1, "stays": 1, "meals": 1, "bills": 1}
    assert await count(session, Guest, Stay, Meal, Bill) == [1, 1, 1, 2]
    bill = (await session.execute(select(Bill.payer, Bill.iban, Bill.cents).where(Bill.payer != EVE))).one()
    assert tuple(bill) == ("somebody", None, 100)
    assert await erasure.left(session, data, ADA) == {}
    assert await erasure.left(session, data, EVE) == {"guests": 1, "stays": 1, "meals": 1, "bills": 1}


@pytest.mark.row("law.retention")
async def test_what_was_kept_for_long_enough_goes_and_nothing_else(app: FastAPI, session: AsyncSession) -> None:
    for who, days in (("old", 3 * 366), ("held", 3 * 366), ("very old", 3700), ("of last month", 40), ("new", 0)):
        await check_in(session, who, datetime.now(UTC) - timedelta(days=days))
    session.add(LegalHold(subject="held", reason="case 7", placed_by="dpo"))
    await session.commit()
    await erasure.retain(app.state.engine, inventory.read(People.metadata))
    async with AsyncSession(app.state.engine) as after:
        found = {each.who: each.address for each in await after.scalars(select(Guest))}
        assert found == {"held": "Quay 7", "of last month": None, "new": "Quay 7"}
        assert await count(after, Stay, Meal) == [3, 3]
        payers = sorted((await after.scalars(select(Bill.payer))).all())
        assert payers == ["held", "new", "of last month", "old", "somebody"]
        # Once more, there is nothing to do.
        changed = await after.scalar(text("SELECT max(xmin::text::bigint) FROM bills"))
        await erasure.retain(app.state.engine, inventory.read(People.metadata))
        assert await after.scalar(text("SELECT max(xmin::text::bigint) FROM bills")) == changed


@pytest.mark.row("law.retention")
@pytest.mark.row("security.audit-trail")
async def test_the_trail_lets_go_of_old_entries_alone(app: FastAPI) -> None:
    async with AsyncSession(app.state.engine) as session, session.begin():
        for age in (0, 2, 4):
            at = datetime.now(UTC) - timedelta(days=age * 366)
            session.add(AuditEntry(actor=ADA, action="thing made", object=f"thing/{age}", request_id="-", at=at))
    await erasure.retain(app.state.engine, inventory.read())
    async with AsyncSession(app.state.engine) as session:
        assert (await session.scalars(select(AuditEntry.object).order_by(AuditEntry.object))).all() == [
            "thing/0",
            "thing/2",
        ]
        for change in ("DELETE FROM audit_trail", "UPDATE audit_trail SET actor = 'eve'", "TRUNCATE audit_trail"):
            with pytest.raises(DBAPIError, match="audit_trail is append-only"):
                await session.execute(text(change))
            await session.rollback()


@pytest.mark.row("law.erasure")
async def test_a_held_person_is_not_erased_until_the_hold_is_lifted(session: AsyncSession) -> None:
    begun()
    session.add(FlagChange(name="a", enabled=True, changed_by=ADA, reason="-"))
    await holds.place(session, ADA, by="dpo", reason="case 7")
    await holds.place(session, ADA, by="dpo", reason="again")
    refused = await requests.submit(session, Kind.ERASURE, ADA, by=ADA)
    await session.refresh(refused)
    assert requests.read(refused).status == "held"
    assert await requests.carry_out(session, refused.id, timedelta())
    assert await count(session, FlagChange, LegalHold) == [1, 1]
    assert await holds.lift(session, ADA, by="dpo")
    assert not await holds.lift(session, ADA, by="dpo")
    again = await requests.submit(session, Kind.ERASURE, ADA, by=ADA)
    await session.execute(update(PrivacyRequest).values(requested_at=func.now() - timedelta(hours=1)))
    assert await requests.carry_out(session, again.id)
    assert (await session.scalars(select(FlagChange.changed_by))).all() == ["somebody"]
    actions = [(each.actor, each.action) for each in await session.scalars(select(AuditEntry).order_by(AuditEntry.id))]
    assert [action for _, action in actions] == [
        "legal hold placed",
        "personal data: erasure requested",
        "personal data: erasure held",
        "legal hold lifted",
        "personal data: erasure requested",
        "personal data: erasure done",
    ]


@pytest.mark.row("law.erasure")
async def test_a_hold_that_comes_after_the_request_counts(session: AsyncSession) -> None:
    session.add(FlagChange(name="a", enabled=True, changed_by=ADA, reason="-"))
    asked = await requests.submit(session, Kind.ERASURE, ADA, by=ADA)
    await holds.place(session, ADA, by="dpo", reason="case 7")
    assert await requests.carry_out(session, asked.id, timedelta(seconds=-1))
    await session.refresh(asked)
    assert requests.read(asked).status == "held"
    assert (await session.scalars(select(FlagChange.changed_by))).all() == [ADA]


@pytest.mark.row("law.erasure")
async def test_nothing_new_is_stored_of_somebody_until_the_last_pass(app: FastAPI) -> None:
    begun()

    async def store(who: str) -> None:
        async with AsyncSession(app.state.engine) as session, session.begin():
            session.add(FlagChange(name="a", enabled=True, changed_by=who, reason="-"))

    async with AsyncSession(app.state.engine, expire_on_commit=False) as session, session.begin():
        asked = await requests.submit(session, Kind.ERASURE, ADA, by=ADA)
    async with AsyncSession(app.state.engine) as session, session.begin():
        assert not await requests.carry_out(session, asked.id), "that was the first pass"
        assert (await requests.submit(session, Kind.ERASURE, ADA, by=ADA)).id == asked.id
    with pytest.raises(guard.BeingErased):
        await store(ADA)
    await store(EVE)
    async with AsyncSession(app.state.engine) as session, session.begin():
        assert await requests.carry_out(session, asked.id, timedelta())
    async with AsyncSession(app.state.engine) as session:
        assert (await session.scalars(select(PrivacyRequest.subject))).all() == [None]
    await store(ADA)


async def test_a_flush_asks_once_however_many_applications_there_were(
    session: AsyncSession, statements: list[str]
) -> None:
    begun()
    guard.begin()
    session.add(FlagChange(name="a", enabled=True, changed_by=ADA, reason="-"))
    await session.flush()
    assert sum("privacy_requests" in each for each in statements) == 1


@pytest.mark.row("log.redaction")
def test_what_stands_under_the_name_of_a_personal_column_is_taken_out_of_logs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redaction, "_personal", {})
    guard.begin()
    redaction.also({"mobile", "level"})
    assert redaction.scrub({"mobile": "+49 170", "guestMobile": "+49", "level": "info", "rooms": 7}) == {
        "mobile": "[redacted]", "guestMobile": "[redacted]", "level": "info", "rooms": 7,
    }  # fmt: skip
    assert redaction.text("cannot store mobile='+49 170 7', room=7") == "cannot store mobile=[redacted]', room=7"
    assert redaction.line(b'{"mobile":"+49 170"}') == b'{"mobile":"[redacted]"}'
    for name in inventory.read().secrets:
        assert redaction.scrub({name: "7Q"}) == {name: "[redacted]"}


async def test_a_trail_entry_of_an_erasure_holds_no_data(session: AsyncSession) -> None:
    begun()
    asked = await requests.submit(session, Kind.ERASURE, ADA, by="operator")
    trail.record(session, "operator", "thing made", f"thing/{uuid.uuid4()}")
    assert await requests.carry_out(session, asked.id, timedelta(seconds=-1))
    for entry in await session.scalars(select(AuditEntry)):
        assert ADA not in f"{entry.actor} {entry.action} {entry.object}"
