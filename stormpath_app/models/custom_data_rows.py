"""The tables of custom data: a row for each key of a resource.

Each kind of resource has a table of its own, so that the database itself takes the rows along with their owner: a
directory that is deleted takes a million accounts.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from .. import encryption
from ..database import UTCDateTime, exact_text, metadata
from .base import Id
from .custom_data_text import LONGEST_KEY, size

_MYSQL = frozenset({"mysql", "mariadb"})
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

#: The tables of all kinds of resources.
TABLES: list[sa.Table] = []

#: The key of the row that keeps when a key was last removed. No value can have it.
_REMOVAL = ""


class Stored(NamedTuple):
    """What rows hold. `texts`: key -> the text as it is stored; `modified_at`: when the last one was written."""

    texts: dict[str, str]
    modified_at: datetime | None


def table(owners: str) -> sa.Table:
    """Return the table of the custom data of a table of resources."""
    made = sa.Table(
        f"{owners}_custom_data",
        metadata,
        sa.Column("owner_id", Id, sa.ForeignKey(f"{owners}.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", exact_text(LONGEST_KEY), primary_key=True),
        sa.Column("created_at", UTCDateTime, nullable=False),
        sa.Column("modified_at", UTCDateTime, nullable=False),
        # What the key and the JSON text count, in bytes, whatever encryption makes of it.
        sa.Column("size", sa.Integer, nullable=False),
        # The last column: what is long lies elsewhere, and those before it are read without it.
        sa.Column("value", long_text(), nullable=False),
    )
    TABLES.append(made)
    return made


def long_text() -> sa.types.TypeEngine[str]:
    """Return a text type for more than 64 kB of any characters."""
    return sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


def read(connection: sa.Connection, rows: sa.Table, owner_id: str) -> Stored:
    """Return what is stored for a resource, in the order of the keys."""
    statement = sa.select(rows.c.key, rows.c.value, rows.c.modified_at)
    found = connection.execute(statement.where(rows.c.owner_id == owner_id).order_by(rows.c.key)).all()
    texts = {row.key: row.value for row in found if row.key != _REMOVAL}
    return Stored(texts, max((row.modified_at for row in found), default=None))


def lock(connection: sa.Connection, owners: Any, owner_id: str) -> bool:
    """Let nobody else write custom data of this resource until the transaction ends; False: the resource is gone."""
    mine = sa.select(owners.c.id).where(owners.c.id == owner_id).with_for_update(key_share=True)
    return connection.scalar(mine) is not None


def write(
    connection: sa.Connection,
    rows: sa.Table,
    owner_id: str,
    texts: Mapping[str, str],
    removed: Iterable[str],
    now: datetime,
) -> Stored:
    """Write the values that changed and remove the keys that went; return what was written, as it is stored."""
    gone = [{"whose": owner_id, "which": key} for key in sorted(removed)]
    if gone:
        these = (rows.c.owner_id == sa.bindparam("whose")) & (rows.c.key == sa.bindparam("which"))
        connection.execute(sa.delete(rows).where(these), gone)
    stored = {
        key: encryption.seal(texts[key]) for key in sorted(texts)
    }  # one order, so that two do not lock each other
    sizes = {key: size(key, text) for key, text in texts.items()}
    written = {**stored, **({_REMOVAL: ""} if gone else {})}
    always = {"owner_id": owner_id, "created_at": now, "modified_at": now}
    values = [{"key": key, "value": text, "size": sizes.get(key, 0), **always} for key, text in written.items()]
    connection.execute(upsert(rows, connection.dialect.name), values)
    return Stored(stored, now)


def total(connection: sa.Connection, rows: sa.Table, owner_id: str) -> int:
    """Return what a resource's custom data counts in all, in bytes, with what others have written until now."""
    statement = sa.select(sa.func.coalesce(sa.func.sum(rows.c.size), 0)).where(rows.c.owner_id == owner_id)
    if connection.dialect.name in _MYSQL:  # it sees the rows of when the transaction began, unless it locks them
        statement = statement.with_for_update(read=True)
    return int(connection.scalar(statement) or 0)


@cache
def upsert(table: sa.Table, dialect: str) -> Any:
    """Return the statement that writes a row, be there one with its primary key or not. When it was created stays."""
    names = [column.name for column in table.columns if not column.primary_key and column.name != "created_at"]
    if dialect in _MYSQL:
        start = mysql.insert(table)
        return start.on_duplicate_key_update({name: start.inserted[name] for name in names})
    start = _INSERT[dialect](table)
    changed = {name: start.excluded[name] for name in names}
    return start.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
