"""Create flag_changes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e3c95b17a04f"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("flags",)
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward. The release before this one keeps running against the result: docs/migrations.md."""
    op.create_table(
        "flag_changes",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=True),
        sa.Column("changed_by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flag_changes")),
    )
    op.create_index("ix_flag_changes_name_id", "flag_changes", ["name", "id"], unique=False)


def downgrade() -> None:
    """Go back, losing nothing that the schema before could hold."""
    op.drop_index("ix_flag_changes_name_id", table_name="flag_changes")
    op.drop_table("flag_changes")
