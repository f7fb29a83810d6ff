"""Passwords that are looked at, or replaced, at the next login; and how many there are."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0016"
down_revision = "0015"

STRENGTHS, MOMENTS = "stormpath_password_strengths", ("checks_before", "replaces_before")
ACCOUNTS, INDEX = "stormpath_accounts", "ix_stormpath_accounts_directory_id_password_modified_at"


def moment() -> sa.types.TypeEngine[object]:
    """A time in UTC, to the microsecond."""
    return (
        sa.DateTime()
        .with_variant(sa.DateTime(timezone=True), "postgresql")
        .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )


def upgrade() -> None:
    """Add the columns and the index."""
    for name in MOMENTS:
        op.add_column(STRENGTHS, sa.Column(name, moment(), nullable=True))
    op.create_index(INDEX, ACCOUNTS, ["directory_id", "password_modified_at"])


def downgrade() -> None:
    """Drop them: rules are for new passwords alone, as before."""
    op.drop_index(INDEX, ACCOUNTS)
    for name in MOMENTS:
        op.drop_column(STRENGTHS, name)
