"""Accounts that were deleted a short time ago, and may be wanted back."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0014"
down_revision = "0013"


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
    """Make the table."""
    op.create_table(
        "stormpath_deleted_accounts",
        sa.Column("id", exact(22), nullable=False),
        sa.Column("directory_id", exact(22), nullable=False),
        sa.Column("email", sa.String(255), nullable=False),
        sa.Column("deleted_at", moment(), nullable=False),
        sa.Column(
            "content",
            sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["directory_id"],
            ["stormpath_directories.id"],
            name="fk_stormpath_deleted_accounts_directory_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_deleted_accounts"),
    )
    for column in ("directory_id", "deleted_at"):
        op.create_index(f"ix_stormpath_deleted_accounts_{column}", "stormpath_deleted_accounts", [column])


def downgrade() -> None:
    """Drop it: what was deleted stays so."""
    op.drop_table("stormpath_deleted_accounts")
