"""Create rate_limits."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5d1c5c1f6e0a"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("rate_limits",)
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward. The release before this one keeps running against the result: docs/migrations.md."""
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("resets_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limits")),
        prefixes=["UNLOGGED"],
    )
    op.create_index(op.f("ix_rate_limits_resets_at"), "rate_limits", ["resets_at"], unique=False)


def downgrade() -> None:
    """Go back, losing nothing that the schema before could hold."""
    op.drop_index(op.f("ix_rate_limits_resets_at"), table_name="rate_limits")
    op.drop_table("rate_limits")
