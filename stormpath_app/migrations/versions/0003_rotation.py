"""Remembered devices: how often and when a token was replaced, and when the password was last given."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

TABLE = "stormpath_account_sessions"


def moment() -> sa.types.TypeEngine[object]:
    """A time in UTC, to the microsecond."""
    return (
        sa.DateTime()
        .with_variant(sa.DateTime(timezone=True), "postgresql")
        .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )


def upgrade() -> None:
    """Add the columns. Logins that are there were never rotated, and count as not fresh: nobody knows."""
    with op.batch_alter_table(TABLE) as table:
        # With a default of the database's, as processes of the version before may still write logins.
        table.add_column(sa.Column("rotations", sa.Integer(), server_default="0", nullable=False))
        table.add_column(sa.Column("rotated_at", moment(), nullable=True))
        table.add_column(sa.Column("authenticated_at", moment(), nullable=True))


def downgrade() -> None:
    """Drop the columns. Logins go on with the token they have."""
    with op.batch_alter_table(TABLE) as table:
        for name in ("authenticated_at", "rotated_at", "rotations"):
            table.drop_column(name)
