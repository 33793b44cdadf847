"""What is kept: schema, migrations, transactions, lists."""

from tests.sabotage.sabotage import Sabotage

DATA, REVISION, MODELS = (
    "src/app/chassis/data",
    "migrations/versions/20261121_create_orders.py",
    "src/app/orders/models.py",
)

FOLLOWS = '''"""{what}"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a1b2c3d4e5f6"
down_revision: str | Sequence[str] | None = "848d4f37ea1e"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    {up}


def downgrade() -> None:
    """Go back."""
    {down}
'''


def revision(what: str, up: str, down: str) -> str:
    return FOLLOWS.format(what=what, up=up, down=down)


LATER = "migrations/versions/20261122_later.py"

SABOTAGES = [
    Sabotage(
        "data.migrations",
        "a column is added to the model, and no revision written",
        MODELS,
        "    currency: Mapped[str] = mapped_column(String(3))\n",
        "    currency: Mapped[str] = mapped_column(String(3))\n    note: Mapped[str] = mapped_column(String(200))\n",
        "tests/test_migrations.py",
    ),
    Sabotage(
        "data.migrations",
        "an index is left out of the revision",
        REVISION,
        '    op.create_index("ix_orders_owner_created_at_id", "orders", ["owner", "created_at", "id"], unique=False)\n',
        "",
        "tests/test_migrations.py",
    ),
    Sabotage(
        "data.migrations",
        "a check differs between model and revision",
        REVISION,
        'CheckConstraint("quantity > 0"',
        'CheckConstraint("quantity > 1"',
        "tests/test_migrations.py",
    ),
    Sabotage(
        "data.rollback",
        "downgrade is emptied",
        LATER,
        "",
        revision("Add a note.", 'op.add_column("orders", sa.Column("note", sa.String(200), nullable=True))', "pass"),
    ),
    Sabotage(
        "data.rollback",
        "a downgrade forgets a table",
        REVISION,
        '    op.drop_table("order_lines")\n',
        "",
    ),
    Sabotage(
        "data.rollback",
        "a downgrade loses rows that the old schema could hold",
        LATER,
        "",
        revision(
            "Widen.", 'op.alter_column("orders", "reference", type_=sa.String(200))', 'op.execute("DELETE FROM orders")'
        ),
    ),
    Sabotage(
        "data.locks",
        "an index is built in a way that blocks writing",
        LATER,
        "",
        revision(
            "Find by reference.",
            'op.create_index("ix_orders_reference", "orders", ["reference"])',
            'op.drop_index("ix_orders_reference")',
        ),
        "tests/test_migrations.py",
    ),
    Sabotage(
        "data.locks",
        "a migration waits for locks for ever",
        f"{DATA}/migrations.py",
        '    "lock_timeout": "1s",\n',
        "",
        "tests/chassis/test_migrations.py",
    ),
    Sabotage(
        "data.locks",
        "a column becomes NOT NULL in one step",
        LATER,
        "",
        revision(
            "Require a note.",
            'op.add_column("orders", sa.Column("note", sa.String(200), nullable=False))',
            'op.drop_column("orders", "note")',
        ),
        "tests/test_migrations.py",
    ),
    Sabotage(
        "data.deploy",
        "the service may create tables",
        f"{DATA}/roles.py",
        "GRANT USAGE ON SCHEMA public TO app;",
        "GRANT USAGE, CREATE ON SCHEMA public TO app;",
        "tests/chassis/test_roles.py",
    ),
    Sabotage(
        "data.compatible",
        "a column is renamed under the feet of the release that still runs",
        LATER,
        "",
        revision(
            "Rename.",
            'op.alter_column("orders", "reference", new_column_name="customer_reference")',
            'op.alter_column("orders", "customer_reference", new_column_name="reference")',
        ),
    ),
    Sabotage(
        "data.pool",
        "pools are larger than the database allows",
        "src/app/chassis/settings.py",
        "if wanted > value - RESERVED_CONNECTIONS:",
        "if wanted > value * 10:",
        "tests/chassis/test_pool.py",
    ),
    Sabotage(
        "data.pool",
        "a lost connection is handed out",
        f"{DATA}/engine.py",
        "time.monotonic() - used_at < TRUSTED_SECONDS and _is_silent(connection.driver_connection)",
        "time.monotonic() - used_at < TRUSTED_SECONDS",
        "tests/chassis/test_pool.py",
    ),
    Sabotage(
        "data.pool",
        "a statement may take for ever",
        f"{DATA}/engine.py",
        '    "statement_timeout": "10s",\n',
        "",
        "tests/chassis/test_pool.py",
    ),
    Sabotage(
        "data.time",
        "a timestamp without a time zone",
        REVISION,
        "sa.DateTime(timezone=True)",
        "sa.DateTime()",
        "tests/test_tables.py",
    ),
    Sabotage(
        "data.time",
        "the session takes the server's time zone",
        f"{DATA}/engine.py",
        '    "timezone": "UTC",\n',
        "",
        "tests/chassis/test_time.py",
    ),
    Sabotage(
        "data.time",
        "log lines are in local time",
        "src/app/chassis/telemetry/logs.py",
        "utc=True",
        "utc=False",
        "tests/chassis/test_time.py",
    ),
    Sabotage(
        "data.paging",
        "a list returns all there is",
        "src/app/orders/api.py",
        "limit: Limit = 20",
        "limit: int = 1_000_000",
        "tests/test_lists.py",
    ),
    Sabotage(
        "data.paging",
        "the limit has no upper bound",
        "src/app/chassis/http/pagination.py",
        "ge=1, le=100",
        "ge=1",
        "tests/test_lists.py",
    ),
    Sabotage(
        "data.paging",
        "the cursor skips what has the same time",
        "src/app/orders/service.py",
        "tuple_(Order.created_at, Order.id) < after",
        "Order.created_at < after.created_at",
        "tests/orders/test_orders.py",
    ),
    Sabotage(
        "data.indexes",
        "a column can be filtered by, and has no index",
        MODELS,
        "    currency: Mapped[str] = mapped_column(String(3))\n",
        '    currency: Mapped[str] = mapped_column(String(3), info={"filterable": True})\n',
    ),
    Sabotage(
        "data.cache",
        "what was written is not forgotten",
        "src/app/orders/api.py",
        "    cached.forget(cache, session, order)\n",
        "",
        "tests/orders/test_cache.py",
    ),
    Sabotage(
        "data.cache",
        "the service fails with its cache",
        f"{DATA}/cache.py",
        "        except _UnavailableError:\n            return await load()\n        if kept",
        "        except KeyError:\n            return await load()\n        if kept",
        "tests/chassis/test_cache.py",
    ),
    Sabotage(
        "backup.rehearsal",
        "only the schema is dumped",
        "dev/restore_drill.py",
        '"--format=custom", f"--snapshot',
        '"--format=custom", "--schema-only", f"--snapshot',
    ),
    Sabotage(
        "backup.rehearsal",
        "rows are counted, and not compared",
        f"{DATA}/fingerprint.py",
        ' rows, sum {each.checksum}"',
        ' rows"',
    ),
    Sabotage(
        "backup.restore-drill",
        "nobody looks whether rows are missing",
        f"{DATA}/restored.py",
        "rows < estimate * LEAST_SHARE",
        "rows < 0",
        "tests/chassis/test_restored.py",
    ),
    Sabotage(
        "backup.restore-drill",
        "the time that was lost is not compared with what is promised",
        "ops/restore_drill.py",
        '        ("RPO", evidence.rpo_minutes, evidence.declared_rpo_minutes),\n',
        "",
        "tests/ops/test_restore_drill.py",
    ),
    Sabotage(
        "backup.restore-drill",
        "the copy stays, and costs",
        "ops/restore_drill.py",
        "            _remove(operation, journal, entry, copy)\n            evidence",
        "            if not evidence.problems:\n                _remove(operation, journal, entry, copy)\n            evidence",
        "tests/ops/test_restore_drill.py",
    ),
]
