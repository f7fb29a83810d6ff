"""Logins to the console, and the directories that an administrator is limited to."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"


def exact(length: int) -> sa.types.TypeEngine[str]:
    """Text that compares byte by byte."""
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def upgrade() -> None:
    """Make the table, and add the column. The database's default stays, for processes of the version before."""
    op.create_table(
        "stormpath_administrator_limits",
        sa.Column("account_id", exact(22), nullable=False),
        sa.Column("directory_ids", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["stormpath_accounts.id"],
            name="fk_stormpath_administrator_limits_account_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name="pk_stormpath_administrator_limits"),
    )
    op.add_column(
        "stormpath_account_sessions", sa.Column("is_console", sa.Boolean(), server_default=sa.false(), nullable=False)
    )


def downgrade() -> None:
    """Drop them. Logins to the console end, as the version before would take them for a site's."""
    op.execute("DELETE FROM stormpath_account_sessions WHERE is_console")
    op.drop_column("stormpath_account_sessions", "is_console")
    op.drop_table("stormpath_administrator_limits")
