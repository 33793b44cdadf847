"""What was dumped comes back, and a dump that is not whole, or not of this database, is found out."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from app.chassis.data import fingerprint
from dev import restore_drill

pytestmark = pytest.mark.row("backup.rehearsal")

THINGS = """
    CREATE TABLE things (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind varchar(20) NOT NULL DEFAULT 'small' CONSTRAINT kind_known CHECK (kind IN ('small', 'large')),
        note text NOT NULL,
        ratio double precision,
        at timestamptz DEFAULT now()
    );
    CREATE INDEX things_note ON things (note) WHERE kind IN ('small', 'large');
    CREATE TABLE parts (thing_id bigint NOT NULL CONSTRAINT parts_of_things REFERENCES things, each jsonb, raw bytea);
    CREATE TABLE others AS SELECT generate_series(1, 10) AS number;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER no_deletes BEFORE DELETE ON others FOR EACH ROW EXECUTE FUNCTION refuse();
    INSERT INTO things (note, ratio) SELECT gen_random_uuid()::text, random() FROM generate_series(1, 3000);
    INSERT INTO parts SELECT id, jsonb_build_object('note', note), decode(md5(note), 'hex') FROM things;
"""


@pytest.fixture
async def things(database_url: str) -> str:
    """Address of a database with rows in it."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(THINGS)
    await connection.close()
    return database_url


async def test_all_of_it_comes_back_while_others_write_on(things: str) -> None:
    connection = await asyncpg.connect(things)

    async def write() -> None:
        while True:
            await connection.execute("INSERT INTO things (note) VALUES ('later')")

    writing = asyncio.create_task(write())
    report = await restore_drill.drill(things, "test")
    assert not writing.done()
    writing.cancel()
    await asyncio.wait([writing])
    connection.terminate()

    assert report.problems == []
    assert report.rows["public.things"] >= 3000
    assert report.rows["public.parts"] == 3000
    assert report.heads
    assert report.rto_seconds > 0
    server = await asyncpg.connect(things)
    assert (
        await server.fetch("SELECT FROM pg_database WHERE datname LIKE 'restored%' AND datname NOT IN ($1)", "") == []
    )
    await server.close()


def flipped(dump: Path) -> None:
    """Damage a few bytes in the middle."""
    content = bytearray(dump.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 32] = bytes(each ^ 0xFF for each in content[middle : middle + 32])
    dump.write_bytes(content)


def truncated(dump: Path) -> None:
    """Lose the end."""
    content = dump.read_bytes()
    dump.write_bytes(content[: len(content) * 2 // 3])


def emptied(dump: Path) -> None:
    """Lose everything."""
    dump.write_bytes(b"")


@pytest.mark.parametrize("damage", [flipped, truncated, emptied])
async def test_a_damaged_dump_is_found_out(things: str, damage: Callable[[Path], None]) -> None:
    report = await restore_drill.drill(things, "test", damage)
    assert report.problems  # pg_restore's words depend on which bytes they are


async def test_a_dump_of_something_else_is_found_out(things: str) -> None:
    changes = {
        "UPDATE things SET note = upper(note) WHERE id = 2000": "table public.things: 3000 rows, sum ",
        "DELETE FROM parts WHERE thing_id = 1000": "table public.parts: 2999 rows, sum ",
        "DROP TABLE others": "table public.others: missing",
        "CREATE TABLE more (id int)": "table public.more: not expected",
        "SELECT setval('things_id_seq', 2999)": "sequence public.things_id_seq: at 2999, behind 3000",
        "DROP INDEX things_note": "index public.things_note: missing",
        "ALTER TABLE parts DROP CONSTRAINT parts_of_things": "constraint public.parts.parts_of_things: missing",
        "ALTER TABLE things ALTER kind SET DEFAULT 'large'": "column public.things.kind: ",
        "ALTER TABLE parts ALTER raw SET NOT NULL": "column public.parts.raw: bytea NOT NULL instead of bytea",
        "ALTER TABLE things DROP CONSTRAINT kind_known": "constraint public.things.kind_known: missing",
        "DROP FUNCTION refuse": "function public.refuse(): missing",
        "GRANT SELECT ON things TO pg_monitor": "rights on public.things: ",
        "UPDATE alembic_version SET version_num = version_num || '2'": "revisions: ",
    }

    def replace(dump: Path) -> None:
        for change in changes:
            assert not restore_drill.run("psql", things, "--command", change)
        assert not restore_drill.run("pg_dump", things, "--format=custom", f"--file={dump}")

    problems = (await restore_drill.drill(things, "test", replace)).problems
    assert [each for each in changes.values() if not any(problem.startswith(each) for problem in problems)] == []
    assert "trigger public.others.no_deletes: missing" in problems


async def test_a_sequence_may_be_ahead(things: str) -> None:
    before = await fingerprint.read(things)
    connection = await asyncpg.connect(things)
    await connection.execute("SELECT nextval('things_id_seq')")
    await connection.close()
    after = await fingerprint.read(things)
    assert fingerprint.differences(before, after) == []
    assert fingerprint.differences(after, before) == ["sequence public.things_id_seq: at 3000, behind 3001"]
