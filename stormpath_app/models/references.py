"""What points at a row: what of ours goes with it, and what of a host's keeps it."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ..errors import PointedAt


def delete_dependents(connection: sa.Connection, table: Any, row_id: str) -> None:
    """Do what foreign keys do, where they are not enforced: on a host's SQLite that never was told to.

    :raises PointedAt: a row of the host's points at what would be deleted.
    """
    if are_enforced(connection):
        return
    if tables := pointing(connection, table, row_id):
        raise PointedAt(tables)
    for dependent, condition in reversed(list(_dependents(table, table.c.id == row_id))):
        connection.execute(sa.delete(dependent).where(condition))


def pointing(connection: sa.Connection, table: Any, row_id: str) -> list[str]:
    """Return the names of the host's tables with a row that points at this one, or at what belongs to it."""
    return sorted({name for name, _then in _pointing(connection, table, row_id)})


def changing(connection: sa.Connection, table: Any, row_id: str) -> tuple[list[str], list[str]]:
    """Return the names of the host's tables that keep a row of ours from being deleted, and those that change with it.

    Their foreign keys say which: those change that have an ON DELETE, if the database looks at foreign keys at all.
    """
    found, is_enforced = set(_pointing(connection, table, row_id)), are_enforced(connection)
    change = {name for name, then in found if is_enforced and then in {"CASCADE", "SET NULL", "SET DEFAULT"}}
    return sorted({name for name, _then in found} - change), sorted(change)


def are_enforced(connection: sa.Connection) -> bool:
    """Tell whether the database looks at foreign keys; a host's SQLite may never have been told to."""
    return connection.dialect.name != "sqlite" or bool(connection.exec_driver_sql("PRAGMA foreign_keys").scalar())


def _pointing(connection: sa.Connection, table: Any, row_id: str) -> Iterator[tuple[str, str]]:
    doomed = [(table, table.c.id == row_id), *_dependents(table, table.c.id == row_id)]
    for name, column, target, then in _foreign_keys_of_others(connection):
        for ours, condition in doomed:
            if ours.name == target and _has_row(connection, name, column, sa.select(ours.c.id).where(condition)):
                yield name, then


def _dependents(table: Any, condition: sa.ColumnElement[bool]) -> Iterator[tuple[Any, sa.ColumnElement[bool]]]:
    """Yield each of our tables whose rows go with the rows of `table`, and which those are; the nearest first."""
    for dependent in table.metadata.tables.values():
        for key in dependent.foreign_keys:
            if key.column.table is table and key.ondelete == "CASCADE":
                whose = key.parent.in_(sa.select(table.c.id).where(condition))
                yield dependent, whose
                if "id" in dependent.c:
                    yield from _dependents(dependent, whose)


def _foreign_keys_of_others(connection: sa.Connection) -> Iterator[tuple[str, str, str, str]]:
    """Yield table, column, the table it points at and its ON DELETE, for each foreign key to an id of ours."""
    inspector = sa.inspect(connection)
    for name in inspector.get_table_names():
        for key in inspector.get_foreign_keys(name) if not name.startswith("stormpath_") else ():
            if key["referred_columns"] == ["id"]:
                column = key["constrained_columns"][0]
                then = _told_by_sqlite(connection, name, column) or key["options"].get("ondelete") or ""
                yield name, column, key["referred_table"], then.upper()


def _told_by_sqlite(connection: sa.Connection, name: str, column: str) -> str | None:
    """Return the ON DELETE of a column, which SQLAlchemy does not read everywhere that SQLite takes it."""
    if connection.dialect.name != "sqlite":
        return None
    keys = sa.text('SELECT on_delete FROM pragma_foreign_key_list(:name) WHERE "from" = :column')
    then: str | None = connection.scalar(keys, {"name": name, "column": column})
    return then


def _has_row(connection: sa.Connection, name: str, column: str, ids: sa.Select[Any]) -> bool:
    other = sa.table(name, sa.column(column))
    return connection.execute(sa.select(sa.exists().where(other.c[column].in_(ids)))).scalar_one()
