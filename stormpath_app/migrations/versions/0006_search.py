"""What searches look into: columns with the keys of names, and an index of texts where the database has one."""

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DBAPIError

from stormpath_app import names

revision = "0006"
down_revision = "0005"

ACCOUNTS = "stormpath_accounts"
NAMED = ("stormpath_applications", "stormpath_directories", "stormpath_groups")
KEYS = ("email_key", "username_key", "given_name_key", "middle_name_key", "surname_key")
INDEXED = ("email_key", "username_key", "given_name_key", "surname_key", "status", "created_at")
CHUNK = 2000

# SQLite: FTS5 needs a whole number for each row, which no VACUUM changes. The rows of accounts have none: so a table
# beside it numbers them, in the order they were written.
ON_SQLITE = (
    """
    CREATE TABLE stormpath_search_numbers (
        number INTEGER PRIMARY KEY,
        account_id VARCHAR(22) NOT NULL UNIQUE
    )
    """,
    """
    CREATE VIEW stormpath_search_texts AS
    SELECT number, search_text FROM stormpath_search_numbers JOIN stormpath_accounts ON id = account_id
    """,
    "INSERT INTO stormpath_search_numbers (account_id) SELECT id FROM stormpath_accounts ORDER BY id",
    "INSERT INTO stormpath_search_index (stormpath_search_index) VALUES ('rebuild')",
    """
    CREATE TRIGGER stormpath_search_added AFTER INSERT ON stormpath_accounts BEGIN
        INSERT INTO stormpath_search_numbers (account_id) VALUES (new.id);
        INSERT INTO stormpath_search_index (rowid, search_text)
        SELECT number, new.search_text FROM stormpath_search_numbers WHERE account_id = new.id;
    END
    """,
    """
    CREATE TRIGGER stormpath_search_changed AFTER UPDATE OF search_text ON stormpath_accounts
    WHEN old.search_text IS NOT new.search_text BEGIN
        INSERT INTO stormpath_search_index (stormpath_search_index, rowid, search_text)
        SELECT 'delete', number, old.search_text FROM stormpath_search_numbers WHERE account_id = old.id;
        INSERT INTO stormpath_search_index (rowid, search_text)
        SELECT number, new.search_text FROM stormpath_search_numbers WHERE account_id = new.id;
    END
    """,
    """
    CREATE TRIGGER stormpath_search_deleted AFTER DELETE ON stormpath_accounts BEGIN
        INSERT INTO stormpath_search_index (stormpath_search_index, rowid, search_text)
        SELECT 'delete', number, old.search_text FROM stormpath_search_numbers WHERE account_id = old.id;
        DELETE FROM stormpath_search_numbers WHERE account_id = old.id;
    END
    """,
)
FTS5 = """
    CREATE VIRTUAL TABLE stormpath_search_index USING fts5(
        search_text, content='stormpath_search_texts', content_rowid='number', tokenize='trigram case_sensitive 1'
    )
"""
ON_POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    # Whether the index is quicker than the rows one by one, is guessed from a sample of so many.
    "ALTER TABLE stormpath_accounts ALTER COLUMN search_text SET STATISTICS 1000",
    "CREATE INDEX stormpath_search_index ON stormpath_accounts USING gin (search_text gin_trgm_ops)",
)


def exact(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that compares byte by byte."""
    kind, on_mysql = (sa.Text, mysql.TEXT) if length is None else (sa.String, mysql.VARCHAR)
    return (
        kind(length)
        .with_variant(kind(length, collation="C"), "postgresql")
        .with_variant(on_mysql(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def upgrade() -> None:
    """Add the columns, and fill them; then the indexes, which are made quicker of what is there."""
    for name in KEYS:
        # With a default of the database's, as processes of the version before may still write accounts.
        op.add_column(ACCOUNTS, sa.Column(name, exact(255), server_default=sa.text("''"), nullable=False))
    for table in (ACCOUNTS, *NAMED):
        op.add_column(table, sa.Column("search_text", exact(), nullable=True))
    fill(ACCOUNTS, ("email", "username", "given_name", "middle_name", "surname"), of_account)
    for table in NAMED:
        fill(table, ("name_key", "description"), of_named)
    for name in INDEXED:
        op.create_index(f"ix_{ACCOUNTS}_directory_id_{name}_id", ACCOUNTS, ["directory_id", name, "id"], unique=False)
    index_texts(op.get_bind())


def downgrade() -> None:
    """Drop it all. PostgreSQL's extension stays, as others may use it."""
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        for name in ("added", "changed", "deleted"):
            op.execute(f"DROP TRIGGER IF EXISTS stormpath_search_{name}")
        op.execute("DROP TABLE IF EXISTS stormpath_search_index")
        op.execute("DROP VIEW IF EXISTS stormpath_search_texts")
        op.execute("DROP TABLE IF EXISTS stormpath_search_numbers")
    if dialect == "postgresql":
        op.execute("DROP INDEX IF EXISTS stormpath_search_index")
    for name in INDEXED:
        op.drop_index(f"ix_{ACCOUNTS}_directory_id_{name}_id", ACCOUNTS)
    # Not in a batch: that would make the table of accounts anew, and what points at it would go with the old one.
    for table in (ACCOUNTS, *NAMED):
        op.drop_column(table, "search_text")
    for name in KEYS:
        op.drop_column(ACCOUNTS, name)


def fill(table: str, sources: tuple[str, ...], columns: Callable[..., dict[str, str]]) -> None:
    """Write the columns of the rows that are there."""
    connection = op.get_bind()
    for rows in chunks(connection, sa.table(table, sa.column("id"), *map(sa.column, sources))):
        found = [{"this": row_id, **columns(*values)} for row_id, *values in rows]
        written = sa.table(table, sa.column("id"), *(sa.column(name) for name in found[0] if name != "this"))
        where = written.c.id == sa.bindparam("this")
        values = {name: sa.bindparam(name) for name in found[0] if name != "this"}
        connection.execute(sa.update(written).where(where).values(values), found)


def chunks(connection: sa.Connection, table: Any) -> Iterator[list[Any]]:
    after = ""
    some = sa.select(table).where(table.c.id > sa.bindparam("after")).order_by(table.c.id).limit(CHUNK)
    while rows := connection.execute(some, {"after": after}).all():
        yield rows
        after = rows[-1].id


def of_account(email: str, username: str | None, *more: str | None) -> dict[str, str]:
    keys = dict(zip(KEYS, (names.key(name or "") for name in (email, username or email, *more)), strict=True))
    fields = dict.fromkeys(filter(None, (names.part(email), *keys.values())))
    return keys | {"search_text": names.search_text(*fields)}


def of_named(name_key: str, description: str | None) -> dict[str, str]:
    return {"search_text": names.search_text(names.part(description or "")[:4000], name_key)}


def index_texts(connection: sa.Connection) -> None:
    """Make the index of texts, where the database knows how, and we may: without one, searches read the texts."""
    if connection.dialect.name == "sqlite":
        try:
            connection.exec_driver_sql(FTS5)
        except DBAPIError:  # an SQLite without FTS5, or older than its index of three letters
            return
        for statement in ON_SQLITE:
            connection.exec_driver_sql(statement)
    if connection.dialect.name == "postgresql":
        try:
            with connection.begin_nested():
                for statement in ON_POSTGRESQL:
                    connection.exec_driver_sql(statement)
        except DBAPIError:  # no such extension, or no right to make it
            return
