"""Let go of entries of audit_trail that are three years old: GDPR Art. 5(1)(e) has no exception for it."""

from collections.abc import Sequence

from alembic import op

revision: str = "8c41f7d2b6e0"
down_revision: str | Sequence[str] | None = "3e7b90c2d41f"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward. The release before this one keeps running against the result: docs/migrations.md."""
    op.execute("DROP TRIGGER append_only ON audit_trail")
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON audit_trail
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """
    )
    op.execute(
        """
        CREATE TRIGGER kept BEFORE DELETE ON audit_trail
        FOR EACH ROW WHEN (OLD.at > now() - interval '3 years') EXECUTE FUNCTION refuse_change()
        """
    )


def downgrade() -> None:
    """Go back, losing nothing that the schema before could hold."""
    op.execute("DROP TRIGGER kept ON audit_trail")
    op.execute("DROP TRIGGER append_only ON audit_trail")
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_trail
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """
    )
