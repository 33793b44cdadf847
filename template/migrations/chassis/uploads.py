"""Create uploads and upload_removals."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e2b6d0417c95"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("uploads",)
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward. The release before this one keeps running against the result: docs/migrations.md."""
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("send_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("size > 0", name=op.f("ck_uploads_size_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_owner"), "uploads", ["owner"], unique=False)
    op.create_index(
        "ix_uploads_never_stored",
        "uploads",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("stored_at IS NULL"),
    )
    op.create_table(
        "upload_removals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_removals")),
    )
    op.create_index(op.f("ix_upload_removals_due_at"), "upload_removals", ["due_at"], unique=False)
    # Whoever deletes a row, the API, an erasure, the end of its period or a person: its file goes as well. Not while
    # somebody may be sending it still: who has begun before the address expired may go on, and be slow.
    op.execute(
        """
        CREATE FUNCTION remove_upload() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN
            INSERT INTO upload_removals (id, due_at)
                VALUES (OLD.id, greatest(now(), OLD.send_until + interval '1 hour'));
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER remove_upload AFTER DELETE ON uploads
        FOR EACH ROW EXECUTE FUNCTION remove_upload()
        """
    )


def downgrade() -> None:
    """Go back, losing nothing that the schema before could hold."""
    op.execute("DROP TRIGGER remove_upload ON uploads")
    op.execute("DROP FUNCTION remove_upload()")
    op.drop_index(op.f("ix_upload_removals_due_at"), table_name="upload_removals")
    op.drop_table("upload_removals")
    op.drop_index("ix_uploads_never_stored", table_name="uploads")
    op.drop_index(op.f("ix_uploads_owner"), table_name="uploads")
    op.drop_table("uploads")
