"""Create audit_trail."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "3e7b90c2d41f"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("audit_trail",)
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward. The release before this one keeps running against the result: docs/migrations.md."""
    op.create_table(
        "audit_trail",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("object", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_trail")),
    )
    op.create_index("ix_audit_trail_object_id", "audit_trail", ["object", "id"], unique=False)
    op.create_index("ix_audit_trail_actor_id", "audit_trail", ["actor", "id"], unique=False)
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege'; END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_trail
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """
    )


def downgrade() -> None:
    """Go back, losing nothing that the schema before could hold."""
    op.execute("DROP TRIGGER append_only ON audit_trail")
    op.execute("DROP FUNCTION refuse_change()")
    op.drop_index("ix_audit_trail_actor_id", table_name="audit_trail")
    op.drop_index("ix_audit_trail_object_id", table_name="audit_trail")
    op.drop_table("audit_trail")
