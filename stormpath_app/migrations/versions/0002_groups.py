"""Groups, and which accounts are in them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"


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
    """Make the tables."""
    op.create_table(
        "stormpath_groups",
        sa.Column("directory_id", exact(22), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("name_key", exact(255), nullable=False),
        sa.Column("description", sa.String(length=1000), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("id", exact(22), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["directory_id"],
            ["stormpath_directories.id"],
            name="fk_stormpath_groups_directory_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_groups"),
        sa.UniqueConstraint("directory_id", "name_key", name="uq_stormpath_groups_directory_id_name_key"),
    )
    op.create_table(
        "stormpath_group_memberships",
        sa.Column("account_id", exact(22), nullable=False),
        sa.Column("group_id", exact(22), nullable=False),
        sa.Column("id", exact(22), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["stormpath_accounts.id"],
            name="fk_stormpath_group_memberships_account_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["stormpath_groups.id"],
            name="fk_stormpath_group_memberships_group_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_group_memberships"),
        sa.UniqueConstraint("account_id", "group_id", name="uq_stormpath_group_memberships_account_id_group_id"),
    )
    op.create_index(
        "ix_stormpath_group_memberships_group_id", "stormpath_group_memberships", ["group_id"], unique=False
    )


def downgrade() -> None:
    """Drop the tables, and everything in them."""
    op.drop_table("stormpath_group_memberships")
    op.drop_table("stormpath_groups")
