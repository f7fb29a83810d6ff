"""An index for who is locked now."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make it."""
    op.create_index("ix_stormpath_attempts_blocked_until", "stormpath_attempts", ["blocked_until"])


def downgrade() -> None:
    """Take it away."""
    op.drop_index("ix_stormpath_attempts_blocked_until", "stormpath_attempts")
