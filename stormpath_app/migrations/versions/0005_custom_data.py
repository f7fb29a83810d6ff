"""Custom data, and what accounts are found by of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"

OWNERS = ("accounts", "applications", "directories", "groups", "tenants")


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


def long_text() -> sa.types.TypeEngine[str]:
    """Text of any length."""
    return sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    """Make the tables."""
    for owners in OWNERS:
        name = f"stormpath_{owners}_custom_data"
        op.create_table(
            name,
            sa.Column("owner_id", exact(22), nullable=False),
            sa.Column("key", exact(255), nullable=False),
            sa.Column("created_at", moment(), nullable=False),
            sa.Column("modified_at", moment(), nullable=False),
            sa.Column("size", sa.Integer(), nullable=False),
            sa.Column("value", long_text(), nullable=False),
            sa.ForeignKeyConstraint(
                ["owner_id"], [f"stormpath_{owners}.id"], name=f"fk_{name}_owner_id", ondelete="CASCADE"
            ),
            sa.PrimaryKeyConstraint("owner_id", "key", name=f"pk_{name}"),
        )
    leaves = "stormpath_custom_data_leaves"
    op.create_table(
        leaves,
        sa.Column("owner_id", exact(22), nullable=False),
        sa.Column("key", exact(255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("path", exact(255), nullable=False),
        sa.Column("text_key", exact(255), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("moment", moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["stormpath_accounts.id"], name=f"fk_{leaves}_owner_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "key", "position", name=f"pk_{leaves}"),
    )
    for column in ("text_key", "number", "moment"):
        op.create_index(f"ix_{leaves}_path_{column}", leaves, ["path", column], unique=False)


def downgrade() -> None:
    """Drop the tables, and all custom data with them."""
    op.drop_table("stormpath_custom_data_leaves")
    for owners in OWNERS:
        op.drop_table(f"stormpath_{owners}_custom_data")
