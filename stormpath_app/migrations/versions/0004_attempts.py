"""The counters of wrong passwords."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"


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
        "stormpath_attempts",
        sa.Column("key", exact(80), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", moment(), nullable=False),
        sa.Column("forget_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_stormpath_attempts"),
    )
    op.create_index("ix_stormpath_attempts_forget_at", "stormpath_attempts", ["forget_at"], unique=False)


def downgrade() -> None:
    """Drop the table: every lock is off."""
    op.drop_table("stormpath_attempts")
