"""What points at a row: what of ours goes with it, and what of a host's keeps it."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ..errors import PointedAt


def delete_dependents(connection: sa.Connection, table: Any, row_id: str) -> None:
    """Do what foreign keys do, where they are not enforced: on a host's SQLite that never was told to.

    :raises PointedAt: a row of the host's points at what would be deleted.
    """
    if connection.dialect.name != "sqlite" or connection.exec_driver_sql("PRAGMA foreign_keys").scalar():
        return
    if tables := pointing(connection, table, row_id):
        raise PointedAt(tables)
    for dependent, condition in reversed(list(_dependents(table, table.c.id == row_id))):
        connection.execute(sa.delete(dependent).where(condition))


def pointing(connection: sa.Connection, table: Any, row_id: str) -> list[str]:
    """Return the names of the host's tables with a row that points at this one, or at what belongs to it."""
    doomed = [(table, table.c.id == row_id), *_dependents(table, table.c.id == row_id)]
    return sorted(
        {
            name
            for name, column, target in _foreign_keys_of_others(connection)
            for ours, condition in doomed
            if ours.name == target and _has_row(connection, name, column, sa.select(ours.c.id).where(condition))
        }
    )


def _dependents(table: Any, condition: sa.ColumnElement[bool]) -> Iterator[tuple[Any, sa.ColumnElement[bool]]]:
    """Yield each of our tables whose rows go with the rows of `table`, and which those are; the nearest first."""
    for dependent in table.metadata.tables.values():
        for key in dependent.foreign_keys:
            if key.column.table is table and key.ondelete == "CASCADE":
                whose = key.parent.in_(sa.select(table.c.id).where(condition))
                yield dependent, whose
                if "id" in dependent.c:
                    yield from _dependents(dependent, whose)


def _foreign_keys_of_others(connection: sa.Connection) -> Iterator[tuple[str, str, str]]:
    """Yield table, column and the table it points at, for each foreign key to an id of ours."""
    inspector = sa.inspect(connection)
    for name in inspector.get_table_names():
        for key in inspector.get_foreign_keys(name) if not name.startswith("stormpath_") else ():
            if key["referred_columns"] == ["id"]:
                yield name, key["constrained_columns"][0], key["referred_table"]


def _has_row(connection: sa.Connection, name: str, column: str, ids: sa.Select[Any]) -> bool:
    other = sa.table(name, sa.column(column))
    return connection.execute(sa.select(sa.exists().where(other.c[column].in_(ids)))).scalar_one()
