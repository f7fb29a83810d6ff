"""What an event is about, who acted by name, and the counts of events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0015"
down_revision = "0014"


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


EVENTS = "stormpath_audit_events"
COLUMNS = (
    ("actor_name", sa.String(length=255)),
    ("target_kind", sa.String(length=32)),
    ("target_id", exact(25)),
    ("target_name", sa.String(length=255)),
)
INDEXED = ("actor_id", "target_id", "directory_id", "kind", "address")


def upgrade() -> None:
    """Add the columns and the indexes, and make the table of counts."""
    for name, kind in COLUMNS:
        op.add_column(EVENTS, sa.Column(name, kind, nullable=True))
    for name in INDEXED:
        op.create_index(f"ix_{EVENTS}_{name}_id", EVENTS, [name, "id"], unique=False)
    op.create_table(
        "stormpath_event_counts",
        sa.Column("hours", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("directory_id", exact(22), nullable=False),
        sa.Column("begins_at", moment(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hours", "directory_id", "begins_at", "kind", name="pk_stormpath_event_counts"),
    )


def downgrade() -> None:
    """Drop them: the log stays, without these."""
    op.drop_table("stormpath_event_counts")
    for name in INDEXED:
        op.drop_index(f"ix_{EVENTS}_{name}_id", table_name=EVENTS)
    for name, _kind in COLUMNS:
        op.drop_column(EVENTS, name)
