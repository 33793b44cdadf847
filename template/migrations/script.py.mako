"""${message}."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision: str = ${repr(up_revision)}
down_revision: str | Sequence[str] | None = ${repr(down_revision)}
branch_labels: str | Sequence[str] | None = ${repr(branch_labels)}
depends_on: str | Sequence[str] | None = ${repr(depends_on)}


def upgrade() -> None:
    """Go forward. The release before this one keeps running against the result: add now, remove in a later release."""
    # A lock that is not had at once would queue every other query behind it: give up, and try again later.
    op.execute("SET LOCAL lock_timeout = '2s'")
    ${upgrades if upgrades else "raise NotImplementedError"}


def downgrade() -> None:
    """Go back, losing nothing that the schema before could hold."""
    op.execute("SET LOCAL lock_timeout = '2s'")
    ${downgrades if downgrades else "raise NotImplementedError"}
