"""Create privacy_requests and legal_holds."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5d18e0c7a9b4"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("privacy",)
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward. The release before this one keeps running against the result: docs/migrations.md."""
    op.create_table(
        "privacy_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.Column("archive", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_requests")),
    )
    op.create_index(
        "ix_privacy_requests_subject_requested_at", "privacy_requests", ["subject", "requested_at"], unique=False
    )
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.String(length=200), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lifted_by", sa.String(length=200), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_holds")),
    )
    op.create_index(
        "uq_legal_holds_active",
        "legal_holds",
        ["subject"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )


def downgrade() -> None:
    """Go back, losing nothing that the schema before could hold."""
    op.drop_index("uq_legal_holds_active", table_name="legal_holds", postgresql_where=sa.text("lifted_at IS NULL"))
    op.drop_table("legal_holds")
    op.drop_index("ix_privacy_requests_subject_requested_at", table_name="privacy_requests")
    op.drop_table("privacy_requests")
