"""Passwords that were used before, and those that must be changed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0012"
down_revision = "0011"


def exact(length: int) -> sa.types.TypeEngine[str]:
    """Text that compares byte by byte."""
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def moment() -> sa.types.TypeEngine[object]:
    """A time in UTC, to the microsecond."""
    return (
        sa.DateTime()
        .with_variant(sa.DateTime(timezone=True), "postgresql")
        .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )


def upgrade() -> None:
    """Make the table, and add the columns. The database's defaults stay, for processes of the version before."""
    op.create_table(
        "stormpath_former_passwords",
        sa.Column("id", exact(22), nullable=False),
        sa.Column("account_id", exact(22), nullable=False),
        sa.Column("password_hash", exact(128), nullable=False),
        sa.Column("replaced_at", moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["stormpath_accounts.id"],
            name="fk_stormpath_former_passwords_account_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_former_passwords"),
    )
    op.create_index("ix_stormpath_former_passwords_account_id_id", "stormpath_former_passwords", ["account_id", "id"])
    for table, column, kind, value in COLUMNS:
        op.add_column(table, sa.Column(column, kind, server_default=value, nullable=False))


COLUMNS = (
    ("stormpath_password_strengths", "prevent_reuse", sa.Integer(), sa.text("0")),
    ("stormpath_accounts", "must_change_password", sa.Boolean(), sa.false()),
)


def downgrade() -> None:
    """Drop them: passwords may be used again, and stay."""
    for table, column, _kind, _value in COLUMNS:
        op.drop_column(table, column)
    op.drop_table("stormpath_former_passwords")
