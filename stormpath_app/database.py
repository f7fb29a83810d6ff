"""The database: one private Flask-SQLAlchemy, or the host's, and types and functions that are alike everywhere."""

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary, WeakSet

import sqlalchemy as sa
from flask import Flask, current_app, g
from flask.globals import app_ctx
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import event
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.session import _sessions
from sqlalchemy.sql.functions import FunctionElement
from werkzeug.local import LocalProxy

from . import connections, current
from .errors import DatabaseUnavailable

R = TypeVar("R")

FILE = "stormpath.db"

#: What SQLAlchemy raises where a database does not answer, is locked for too long, or undid a change for another one.
OUTAGES = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)


class _Session(FlaskSession):
    """A session of our own: what was to be in it before there was one is, from its first moment."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if late := g.pop(_LATE, None):
            self.add_all(late.release())


class Database(SQLAlchemy):
    """Flask-SQLAlchemy beside a host's own: it takes no place in `app.extensions`, and reads its URL at first use.

    `set_up_memory(app)` sets up the in-memory database that was just made; `make_missing(app)` is asked for an SQLite
    file that is not there: nothing else ever creates one. The manager, which stands above, sets both.
    """

    set_up_memory: Callable[[Flask], None]
    make_missing: Callable[[Flask], None]

    def __init__(self) -> None:
        options: dict[str, Any] = {"class_": _Session, "autoflush": False, "expire_on_commit": False}
        super().__init__(session_options=options, add_models_to_shell=False)
        self._making = threading.RLock()
        self._made_from: WeakKeyDictionary[Flask, sa.URL] = WeakKeyDictionary()
        self._hosts: WeakKeyDictionary[Flask, SQLAlchemy] = WeakKeyDictionary()
        self._hosts_met: WeakSet[Flask] = WeakSet()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_inherited_connections)

    def init_app(self, app: Flask, host: SQLAlchemy | None = None) -> None:
        """End the app's database session with each app context. The engine is made at first use.

        :param host: use this one's engine and session instead of our own.
        """
        if host is not None:
            self._hosts[app] = host
        # Not super().init_app(): it reads SQLALCHEMY_* and takes the slot, and both belong to the host.
        app.teardown_appcontext(self._teardown_session)

    def of(self, app: Flask) -> SQLAlchemy:
        """Return the Flask-SQLAlchemy that holds the app's accounts: the host's, where it shares one, or this."""
        host = self._hosts.get(app)
        if host is not None and app not in self._hosts_met:
            self._hosts_met.add(app)
            models: Any = host.Model
            models.registry.configure(cascade=True)  # a `backref` of theirs is an attribute of ours from now on
            if is_in_memory(url(app)):
                self.set_up_memory(app)
        return host or self

    def is_shared(self, app: Flask) -> bool:
        """Tell whether the database is the host's."""
        return app in self._hosts

    @property
    def engines(self) -> dict[str | None, sa.Engine]:
        """The engine of the current app, under the key None; a host's may have others beside it.

        :raises NotReady: its SQLite file is not there, and not for us to make by ourselves.
        """
        app = current.app()
        if app in self._hosts:
            return cast("dict[str | None, sa.Engine]", self.of(app).engines)
        return self._app_engines.get(app) or self._make_engines(app)

    def app_of(self, engine: sa.Engine) -> Flask | None:
        """Return the app whose engine this is; None: it is no app's of ours."""
        hosts = ((app, host._app_engines.get(app, {})) for app, host in list(self._hosts.items()))
        for app, engines in (*list(self._app_engines.items()), *hosts):
            if engines.get(None) is engine:
                return app
        return None

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

    def _teardown_session(self, _error: BaseException | None) -> None:
        if late := g.pop(_LATE, None):
            list(late.release())  # they are as any others whose session is over
        if self.session.registry.has():
            self.session.remove()

    def _forget_inherited_connections(self) -> None:
        """Let a forked process, such as a server's worker, make connections of its own."""
        for app, engines in list(self._app_engines.items()):
            if not is_in_memory(url(app)):
                engines[None].dispose(close=False)


database = Database()
#: The session of the current app context: our own, or the host's.
session = cast(
    "scoped_session[Session]",
    LocalProxy(lambda: database.of(current.app()).session),
)


# --- Into the session, once there is one ---


def begun() -> Session | None:
    """Return the session of the current app context; None: nobody has asked for it yet."""
    scoped = database.of(current.app()).session
    return scoped() if scoped.registry.has() else None


def attach(instance: R) -> R:
    """Put a detached object into the session and return it, or the one of its identity that is there already.

    Where there is no session yet, it goes into the one that comes, if one does: a session costs more than all else of a
    page that asks for nothing but a name. Until then the object has a stand-in: whatever SQLAlchemy wants of that, for
    an attribute to load or one that was set, makes the session.
    """
    state: Any = instance_state(instance)
    here = session() if database.is_shared(current.app()) else begun()
    if here is not None:
        known: R | None = here.identity_map.get(state.key)
        if known is None:
            here.add(instance)
        return instance if known is None else known
    kept = current.g()
    late: _Late = kept.get(_LATE) or _Late()
    setattr(kept, _LATE, late)
    there: R = late.instances.setdefault(state.key, instance)
    if there is instance:
        state.session_id = late.hash_key
    return there


class _Late:
    """What SQLAlchemy takes for the session of objects that have none yet, in an app context."""

    def __init__(self) -> None:
        self.instances: dict[Any, Any] = {}
        self.hash_key = -next(_NUMBERS)  # SQLAlchemy's own are above 0
        self._context = app_ctx._get_current_object()  # type: ignore[attr-defined]
        _sessions[self.hash_key] = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        with self._context:  # another may have been pushed meanwhile
            return getattr(session(), name)

    def release(self) -> Iterator[Any]:
        """Yield each of the objects, detached."""
        for instance in self.instances.values():
            instance_state(instance).session_id = None
            yield instance

    def close(self) -> None:
        """Do nothing: SQLAlchemy's `close_all_sessions()` is not about those that have not begun."""


_LATE, _NUMBERS = "stormpath_late", count(1)  # in g

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
        engine = database._make_engine(None, options | connections.options(options["url"]), app)
        connections.watch(engine)
        return engine
    # The driver's own BEGIN IMMEDIATE before a write, none before a read: no lock errors, reads pass a writer.
    options.setdefault("connect_args", {}).update(isolation_level="IMMEDIATE", timeout=10)
    if is_in_memory(options["url"]):  # one connection, whichever way the URL says "in memory"
        options.update(poolclass=sa.StaticPool)
        options["connect_args"]["check_same_thread"] = False
    engine = database._make_engine(None, options, app)
    event.listen(engine, "connect", _set_pragmas)
    return engine


def url(app: Flask) -> sa.URL:
    """Return the URL of the host's database where it is shared, else the one that the settings name.

    Relative SQLite files are in the instance folder.
    """
    if host := database._hosts.get(app):
        with app.app_context():
            return host.engine.url
    return sa.make_url(app.config["STORMPATH_DATABASE_URI"] or f"sqlite:///{Path(app.instance_path) / FILE}")


def is_our_own(app: Flask) -> bool:
    """Tell whether the database is the default one: a file that is ours to make."""
    return app.config["STORMPATH_DATABASE_URI"] is None and not database.is_shared(app)


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
    """Make the file of an SQLite database, readable by its owner alone, if there is none.

    One that is there is not opened: closing it would drop the locks that this process's connections have, and another
    process would take away the log that they write to.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = NORMAL")
    _write_ahead(cursor)
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Let readers pass writers. SQLite does not wait for the lock of this one switch: so it is tried again."""
    for _attempt in range(100):
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] in {"wal", "memory"}:
            return
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # of which there are finer ones
                raise
            time.sleep(0.05)  # two processes make the file at the same moment


def outage(error: sa.exc.SQLAlchemyError) -> DatabaseUnavailable:
    """Return our own error for one of OUTAGES, which goes to the log: the page tells nobody why."""
    why = getattr(error, "orig", None) or error  # without the statement, which has people's values in it
    told = DatabaseUnavailable([f"The database does not answer: {type(why).__name__}: {' '.join(str(why).split())}"])
    current_app.logger.error("stormpath_app: %s", told.developer_message)
    return told


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


class TextTuple(sa.TypeDecorator[tuple[str, ...]]):
    """Texts in their order: a tuple in Python, a JSON array in the database; NULL is the empty one."""

    impl = sa.Text
    cache_ok = True

    @staticmethod
    def spell(value: Iterable[str]) -> str:
        """Return the JSON, in ASCII."""
        return json.dumps(list(value))

    def process_bind_param(self, value: Iterable[str] | None, _dialect: sa.Dialect) -> str | None:
        """Write JSON."""
        return None if value is None else self.spell(value)

    def process_result_value(self, value: str | None, _dialect: sa.Dialect) -> tuple[str, ...]:
        """Read JSON."""
        return tuple(json.loads(value or "[]"))


def exact_text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Return a text type that compares byte by byte on every database: for ids, keys and digests.

    :param length: in characters; None: a long text.
    """
    bytewise: dict[str, Any] = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
    if length is None:
        on_mysql: sa.types.TypeEngine[str] = mysql.TEXT(**bytewise)
        return sa.Text().with_variant(sa.Text(collation="C"), "postgresql").with_variant(on_mysql, "mysql", "mariadb")
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, **bytewise), "mysql", "mariadb")
    )


# --- Functions ---


class JsonArray(FunctionElement[str]):
    """Gather the texts of all rows into one text, a JSON array; where there is no row: an empty one, or NULL."""

    type = sa.Text()
    inherit_cache = True


def _spell_json_array(spelling: str, *dialects: str) -> None:
    @compiles(JsonArray, *dialects)
    def spell(element: JsonArray, compiler: sa.Compiled, **more: Any) -> str:
        return spelling % compiler.process(element.clauses, **more)


_spell_json_array("json_group_array(%s)", "sqlite")
_spell_json_array("CAST(json_agg(%s) AS TEXT)", "postgresql")
_spell_json_array("JSON_ARRAYAGG(%s)", "mysql", "mariadb")
