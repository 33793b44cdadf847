"""Create the tables of jobs: procrastinate's, by its own scripts, and ours."""

from collections.abc import Sequence
from importlib import resources

import sqlalchemy as sa
from alembic import op

revision: str = "b0d3f6a41c72"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("jobs",)
depends_on: str | Sequence[str] | None = None

LAST_SCRIPT = "03.04.00_50"
"""procrastinate 3.10's. What a later one changes comes with the template, as a further revision of this branch: it is
never `procrastinate schema --apply`, and the bound in pyproject.toml stays until then.
"""


def upgrade() -> None:
    """Go forward. The release before this one keeps running against the result: docs/migrations.md."""
    scripts = sorted(resources.files("procrastinate.sql.migrations").iterdir(), key=lambda each: each.name)
    for script in scripts:
        if script.name.endswith(".sql") and script.name[: len(LAST_SCRIPT)] <= LAST_SCRIPT:
            # As one statement, because the driver takes no more at a time.
            statement = f"DO $do$ BEGIN EXECUTE $script$ {script.read_text()} $script$; END $do$"
            op.execute(statement.replace(":", r"\:"))
    # squawk cannot see that the table is new.
    op.execute(
        "-- squawk-ignore require-concurrent-index-creation\n"
        "CREATE INDEX ix_procrastinate_jobs_worker_id ON procrastinate_jobs (worker_id)"
    )
    op.create_table(
        "job_dead_letters",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("given_up_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["procrastinate_jobs.id"], name=op.f("fk_job_dead_letters_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_dead_letters")),
    )
    op.create_table(
        "job_dead_letter_actions",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("job_name", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("taken_by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_dead_letter_actions")),
    )
    op.create_table(
        "job_schedules",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_schedules")),
    )


def downgrade() -> None:
    """Go back, losing nothing that the schema before could hold."""
    for table in ("job_schedules", "job_dead_letter_actions", "job_dead_letters"):
        op.drop_table(table)
    op.execute(
        """
        DO $do$ DECLARE each text; BEGIN
            FOR each IN SELECT oid::regprocedure FROM pg_proc WHERE proname LIKE 'procrastinate\\_%' LOOP
                EXECUTE format('DROP FUNCTION %s CASCADE', each);  -- with its triggers
            END LOOP;
        END $do$
        """
    )
    for table in ("events", "periodic_defers", "jobs", "workers"):
        op.drop_table(f"procrastinate_{table}")
    for type_ in ("job_to_defer_v1", "job_event_type", "job_status"):
        op.execute(f"DROP TYPE procrastinate_{type_}")
