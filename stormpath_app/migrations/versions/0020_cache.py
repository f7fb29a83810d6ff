"""What caches know of changes: a number for all databases; on SQLite a log, which triggers write."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0020"
down_revision = "0019"

GENERATION, COUNTS, CHANGES = "stormpath_cache_generation", "stormpath_cache_counts", "stormpath_cache_changes"
SESSIONS = "stormpath_account_sessions"

OF_LOGIN = (
    *("id", "account_id", "token_hash", "created_at", "expires_at", "authenticated_at"),
    *("remembered", "rotations", "rotated_at", "is_console"),
)
# Whose changes are of one account: the column with its id, and the statements that count. Columns are named where
# others change often and do not matter, as when a login was last seen.
OF_ACCOUNTS = {
    "stormpath_accounts": ("id", ("UPDATE", "DELETE")),
    SESSIONS: (
        "account_id",
        (f"UPDATE OF {', '.join(OF_LOGIN)}", "DELETE"),
    ),
    "stormpath_group_memberships": ("account_id", ("INSERT", "UPDATE", "DELETE")),
}
# Whose changes are of all of them. What is new changes nothing that is known, but a mapping and a provider do.
OF_ALL = {
    "stormpath_groups": ("UPDATE", "DELETE"),
    "stormpath_directories": ("UPDATE", "DELETE"),
    "stormpath_applications": ("UPDATE", "DELETE"),
    "stormpath_account_store_mappings": ("INSERT", "UPDATE", "DELETE"),
    "stormpath_providers": ("INSERT", "UPDATE", "DELETE"),
    "stormpath_password_policies": ("UPDATE", "DELETE"),
    "stormpath_password_strengths": ("UPDATE", "DELETE"),
}
# The mark tells a row from one with the same number in a copy of the file that was put back.
LOG = """
    CREATE TABLE stormpath_cache_changes (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        mark BLOB NOT NULL DEFAULT (randomblob(8)),
        account_id VARCHAR(22) NOT NULL
    )
"""
# Between one and two thousand rows stay: who has read none of them forgets all that it keeps.
CUT = """
    CREATE TRIGGER stormpath_cache_cut AFTER INSERT ON stormpath_cache_changes WHEN new.n % 1000 = 0 BEGIN
        DELETE FROM stormpath_cache_changes WHERE n <= new.n - 1000;
    END
"""


def upgrade() -> None:
    """Make the tables; each has its first row, so that there is a last one to go on from."""
    op.create_table(
        GENERATION,
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{GENERATION}"),
    )
    op.execute("INSERT INTO stormpath_cache_generation (id, n) VALUES (1, 0)")
    moment = (
        sa.DateTime()
        .with_variant(sa.DateTime(timezone=True), "postgresql")
        .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )
    op.create_table(
        COUNTS,
        sa.Column("hour", moment, nullable=False),
        sa.Column("region", sa.String(16), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("misses", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "region", name=f"pk_{COUNTS}"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(LOG)
        op.execute("INSERT INTO stormpath_cache_changes (account_id) VALUES ('')")
        op.execute(CUT)
        for table, (column, events) in OF_ACCOUNTS.items():
            for event in events:
                log(table, event, f"{'new' if event == 'INSERT' else 'old'}.{column}")
        # That a new secret was seen in use counts, once; and what ends a login.
        seen = "WHEN old.last_seen_at <= old.rotated_at OR new.last_seen_at < old.last_seen_at"
        log(SESSIONS, "UPDATE OF last_seen_at", "old.account_id", "seen", seen)
        for table, events in OF_ALL.items():
            for event in events:
                log(table, event, "''")
        # What REPLACE deletes meets no trigger.
        for table in (*OF_ACCOUNTS, *OF_ALL):
            there = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = new.id)"  # noqa: S608 - a table of ours
            log(table, "INSERT", "new.id" if table == "stormpath_accounts" else "''", "replace", there, "BEFORE")


def log(
    table: str, event: str, account_id: str, called: str | None = None, when: str = "", moment: str = "AFTER"
) -> None:
    name = f"stormpath_cache_{table.removeprefix('stormpath_')}_{called or event.partition(' ')[0].lower()}"
    write = "INSERT INTO stormpath_cache_changes (account_id) VALUES"
    op.execute(f"CREATE TRIGGER {name} {moment} {event} ON {table} {when} BEGIN {write} ({account_id}); END")


def downgrade() -> None:
    """Drop it all."""
    if op.get_bind().dialect.name == "sqlite":
        made = sa.text(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'stormpath\\_cache\\_%' ESCAPE '\\'"
        )
        for name in op.get_bind().scalars(made).all():
            op.execute(f"DROP TRIGGER {name}")
        op.execute(f"DROP TABLE {CHANGES}")
    op.drop_table(COUNTS)
    op.drop_table(GENERATION)
