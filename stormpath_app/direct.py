"""Direct: a statement that reads one row and goes the driver's own way, for what is asked with every request.

SQLAlchemy's way from a statement to the driver takes several times as long as the database takes to answer. Here it is
gone once for each dialect; after that the driver gets the text, and the types read what it gives.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from .database import database
from .transactions import read

Row = tuple[Any, ...]
_EVENTS = ("before_execute", "after_execute", "before_cursor_execute", "after_cursor_execute")


class Direct:
    """A statement, asked by a connection of its own.

    It goes SQLAlchemy's way where somebody has hung something there: listens to the engine's statements, has them
    logged, or has its tables in another schema.
    """

    def __init__(self, statement: sa.Select[Any]) -> None:
        self.statement = statement

    def first(self, wanted: Mapping[str, Any]) -> Row | None:
        """Return its first row; None: there is none.

        :raises SQLAlchemyError: it cannot be asked now.
        """
        ask = self._by_sqlalchemy if _wants_the_usual_way(database.engine) else self._by_driver
        row = read(lambda connection: ask(connection, wanted))
        return None if row is None else tuple(row)

    def _by_sqlalchemy(self, connection: sa.Connection, wanted: Mapping[str, Any]) -> Any:
        return connection.execute(self.statement, wanted).first()

    def _by_driver(self, connection: sa.Connection, wanted: Mapping[str, Any]) -> Any:
        if not connection.in_transaction():  # a listener of a host's may have begun it
            connection.begin()  # who listens is told; and it is ended with the connection, whatever the pool does
        compiled = self._for(connection.dialect)
        try:
            return compiled.first(connection.connection.dbapi_connection, wanted)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            connection._handle_dbapi_exception(error, compiled.text, None, None, None)  # as SQLAlchemy does

    def _for(self, dialect: sa.Dialect) -> "_Compiled":
        # With the dialect, and no longer than it: what reads its types refers to it.
        known: dict[Direct, _Compiled] = vars(dialect).setdefault("stormpath_direct", {})
        return known.get(self) or known.setdefault(self, _Compiled(self.statement, dialect))


class _Compiled:
    """The text of a statement for a dialect, and how values get in and out."""

    def __init__(self, statement: sa.Select[Any], dialect: sa.Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text, self._order = str(compiled), compiled.positiontup
        writers = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()
        }
        self._writers = {name: writer for name, writer in writers.items() if writer}
        self._values = self._written(compiled.params)
        readers = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in statement.selected_columns
        ]
        self._readers = [(place, reader) for place, reader in enumerate(readers) if reader]

    def _written(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._writers[name](value) if name in self._writers else value for name, value in values.items()}

    def first(self, driver: Any, wanted: Mapping[str, Any]) -> list[Any] | None:
        values = self._values | self._written(wanted)
        cursor = driver.cursor()
        try:
            cursor.execute(self.text, values if self._order is None else [values[name] for name in self._order])
            found = cursor.fetchone()
        finally:
            cursor.close()
        if found is None:
            return None
        row = list(found)
        for place, reader in self._readers:
            row[place] = reader(row[place])
        return row


# --- What hangs on SQLAlchemy's way ---

_of_writes: list[Callable[..., None]] = []


def listen_to_writes(listener: Callable[..., None]) -> None:
    """Have every engine tell of its statements before they are sent; of those that are asked here, which read, not."""
    event.listen(sa.Engine, "before_cursor_execute", listener)
    _of_writes.append(listener)


def _wants_the_usual_way(engine: sa.Engine) -> bool:
    listeners = sum(len(getattr(engine.dispatch, name)) for name in _EVENTS)
    is_watched = listeners > len(_of_writes) or engine._should_log_info()
    return is_watched or "schema_translate_map" in engine.get_execution_options()
