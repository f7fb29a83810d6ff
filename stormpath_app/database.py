"""The database: one private Flask-SQLAlchemy, its transactions, and the column types that behave alike everywhere."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from blinker import Signal
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Session

FILE = "stormpath.db"


class Database(SQLAlchemy):
    """Flask-SQLAlchemy beside a host's own: it takes no place in `app.extensions`, and reads its URL at first use.

    `set_up_memory(app)` sets up the in-memory database that was just made; `make_missing(app)` is asked for an SQLite
    file that is not there: nothing else ever creates one. The manager, which stands above, sets both.
    """

    set_up_memory: Callable[[Flask], None]
    make_missing: Callable[[Flask], None]

    def __init__(self) -> None:
        super().__init__(session_options={"autoflush": False, "expire_on_commit": False}, add_models_to_shell=False)
        self._making = threading.RLock()
        self._made_from: WeakKeyDictionary[Flask, sa.URL] = WeakKeyDictionary()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_inherited_connections)

    def init_app(self, app: Flask) -> None:
        """End the app's database session with each app context. The engine is made at first use."""
        # Not super().init_app(): it reads SQLALCHEMY_* and takes the slot, and both belong to the host.
        app.teardown_appcontext(self._teardown_session)

    @property
    def engines(self) -> dict[str | None, sa.Engine]:
        """The engine of the current app, under the key None.

        :raises NotReady: its SQLite file is not there, and not for us to make by ourselves.
        """
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        found = self._app_engines.get(app)
        return found or self._make_engines(app)

    def is_made_from(self, app: Flask) -> bool:
        """Tell whether the engine, if there is one, is the one that the settings name now."""
        return self._made_from.get(app) in {None, url(app)}

    def _make_engines(self, app: Flask) -> dict[str | None, sa.Engine]:
        with self._making:
            if app not in self._app_engines and (file := sqlite_file(app)) and not file.exists():
                self.make_missing(app)
            if app not in self._app_engines:
                self._app_engines[app] = {None: _engine(self, app)}
                self._made_from[app] = url(app)
                if is_in_memory(url(app)):
                    self.set_up_memory(app)
            return self._app_engines[app]

    def _forget_inherited_connections(self) -> None:
        """Let a forked process, such as a server's worker, make connections of its own."""
        for app, engines in list(self._app_engines.items()):
            if not is_in_memory(url(app)):
                engines[None].dispose(close=False)


database = Database()
#: The session of the current app context.
session = database.session

#: Our tables, all with the prefix `stormpath_`. Constraints have names, as a migration must be able to name them.
metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _engine(database: Database, app: Flask) -> sa.Engine:
    options: dict[str, Any] = {"url": url(app), "hide_parameters": True}  # an error must not log a hash
    database._apply_driver_defaults(options, app)
    if options["url"].get_backend_name() != "sqlite":
        return database._make_engine(None, options, app)
    # The driver's own BEGIN IMMEDIATE before a write, none before a read: no lock errors, reads pass a writer.
    options.setdefault("connect_args", {}).update(isolation_level="IMMEDIATE", timeout=10)
    if is_in_memory(options["url"]):  # one connection, whichever way the URL says "in memory"
        options.update(poolclass=sa.StaticPool)
        options["connect_args"]["check_same_thread"] = False
    engine = database._make_engine(None, options, app)
    event.listen(engine, "connect", _set_pragmas)
    return engine


def url(app: Flask) -> sa.URL:
    """Return the URL that the settings name; relative SQLite files are in the instance folder."""
    return sa.make_url(app.config["STORMPATH_DATABASE_URI"] or f"sqlite:///{Path(app.instance_path) / FILE}")


def is_our_own(app: Flask) -> bool:
    """Tell whether the database is the default one: a file that is ours to make."""
    return app.config["STORMPATH_DATABASE_URI"] is None


def is_in_memory(where: sa.URL) -> bool:
    """Tell whether the database is an SQLite one without a file."""
    if where.get_backend_name() != "sqlite":
        return False
    name = (where.database or "").removeprefix("file:")
    return name in {"", ":memory:"} or where.query.get("mode") == "memory"


def sqlite_file(app: Flask) -> Path | None:
    """Return the file of the app's SQLite database; None where the database is another, or in memory."""
    where = url(app)
    if where.get_backend_name() != "sqlite" or is_in_memory(where):
        return None
    return Path(app.instance_path) / (where.database or "").removeprefix("file:")


def create_file(file: Path) -> None:
    """Make the file of an SQLite database, readable by its owner alone, if there is none."""
    os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = NORMAL")
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] not in {"wal", "memory"}:
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


# --- Transactions ---

_WAITING = "stormpath_after_commit"  # in session.info while an atomic block is open: what to call after its commit


@contextmanager
def atomic() -> Iterator[Session]:
    """Give the session for one change: committed at the end of the outermost block, rolled back when it raises.

    What was announced inside is sent once the change is there to stay.
    """
    current = session()
    if _WAITING in current.info:  # inside another block, which commits
        yield current
        current.flush()
        return
    begin_write(current.connection())
    waiting: list[Callable[[], object]] = []
    current.info[_WAITING] = waiting
    try:
        yield current
        current.commit()
    except BaseException:
        current.rollback()
        raise
    finally:
        del current.info[_WAITING]
    for call in waiting:
        try:
            call()
        except Exception:  # a receiver of a signal is the host's code: its mistake cannot undo what is committed
            current_app.logger.exception("A receiver of a signal failed; the change it was told about stands.")


def announce(signal: Signal, payload: Callable[[], dict[str, Any]]) -> None:
    """Send a signal after the commit of the atomic block that is open, and never if it is rolled back."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    after_commit(lambda: signal.send(app, **payload()))


def after_commit(call: Callable[[], object]) -> None:
    """Call something after the commit of the atomic block that is open, and never if it is rolled back."""
    session().info[_WAITING].append(call)


def is_atomic() -> bool:
    """Tell whether an atomic block is open."""
    return _WAITING in session().info


def begin_write(connection: sa.Connection) -> None:
    """Take SQLite's write lock now, so that what is read next is still true when it is written. Idempotent."""
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite" and not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def release() -> None:
    """End the transaction that reads began, before slow work such as a hash; what was read stays loaded.

    Nothing happens where something waits to be written: that is for whoever began it.
    """
    current = session()
    if not (current.new or current.dirty or current.deleted or is_atomic()):
        current.commit()


# --- Column types ---


class UTCDateTime(sa.TypeDecorator[datetime]):
    """A moment: aware and UTC in Python, to the microsecond in every database."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """Use the type that keeps microseconds: PostgreSQL's and SQLite's do by themselves."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Write UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if dialect.name == "postgresql" else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        """Read UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def exact_text(length: int) -> sa.types.TypeEngine[str]:
    """Return a text type that compares byte by byte on every database: for ids, keys and digests."""
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )
