"""API keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"


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
        "stormpath_api_keys",
        sa.Column("id", exact(25), nullable=False),
        sa.Column("tenant_id", exact(22), nullable=False),
        sa.Column("account_id", exact(22), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=1000), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("secret_hash", exact(64), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["stormpath_accounts.id"], name="fk_stormpath_api_keys_account_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["stormpath_tenants.id"], name="fk_stormpath_api_keys_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_api_keys"),
    )
    op.create_index("ix_stormpath_api_keys_account_id", "stormpath_api_keys", ["account_id"], unique=False)


def downgrade() -> None:
    """Drop the table: programs have no keys any more."""
    op.drop_table("stormpath_api_keys")
