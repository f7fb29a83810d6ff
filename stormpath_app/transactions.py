"""Transactions: one change or several, all or nothing, and what is told once they are there to stay.

With a host's session (`StormpathManager(app, db=db)`) the transaction is shared with the host's own rows, and may be
the host's to end: what is announced waits for whoever commits.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from blinker import Signal
from flask import current_app, g
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session, SessionTransaction, SessionTransactionOrigin

from . import current
from .database import begun, database, session

T = TypeVar("T")

# In session.info: whether a block of ours is open; what to call at its end, each with its transactions.
_OPEN, _WAITING = "stormpath_open", "stormpath_waiting"


@contextmanager
def atomic(*, lock: bool = True) -> Iterator[Session]:
    """Give the session for one change: committed at the end of the outermost block, rolled back when it raises.

    A block inside another, or inside a transaction that the host began (`begin()`, `begin_nested()`), is a savepoint:
    its failure undoes itself alone, and the commit is for whoever began. What was announced is sent after that commit.

    :param lock: whether to take SQLite's write lock at once; without it, the first change inside takes it.
    """
    here = session()
    joins = is_atomic()
    if lock or joins:  # a savepoint that is SQLite's outermost would commit by itself
        begin_write(here.connection())
    if joins:
        with here.begin_nested():
            yield here
        return
    here.info[_OPEN] = True
    try:
        yield here
        here.commit()
    except BaseException:
        here.rollback()
        raise
    finally:
        del here.info[_OPEN]
    tell()


def is_atomic() -> bool:
    """Tell whether somebody else commits: a block that is open, or a transaction that the host began."""
    here = session()
    root = here.get_transaction()
    began = root is not None and root.origin is SessionTransactionOrigin.BEGIN
    return _OPEN in here.info or began or here.in_nested_transaction()


def begin_write(connection: sa.Connection) -> None:
    """Take SQLite's write lock now, so that what is read next is still true when it is written. Idempotent."""
    if connection.dialect.name != "sqlite":
        return
    if not connection.in_transaction():
        connection.begin()  # a host's engine may have a BEGIN of its own here, as SQLAlchemy's manual has it
    driver: Any = connection.connection.dbapi_connection
    if not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def release() -> None:
    """End the transaction that reads began, before slow work such as a hash; what was read stays loaded.

    Nothing happens where something waits to be written: that is for whoever began it.
    """
    here = session()
    if not (here.new or here.dirty or here.deleted or is_atomic()):
        here.commit()


def has_written() -> bool:
    """Tell whether the session may have written what is not committed: on SQLite it is known, elsewhere supposed.

    So it is where there is no other connection to ask.
    """
    here = begun()
    if here is None or not _is_connected(here):
        return False
    connection = here.connection()
    return connection.dialect.name != "sqlite" or _holds_lock(connection) or _has_one_connection(database.engine.pool)


# --- One statement that reads ---


@contextmanager
def reading() -> Iterator[sa.Connection]:
    """Give a connection for one statement that reads, without a transaction around it where there need be none.

    PostgreSQL is then asked once and not three times (BEGIN, the statement, ROLLBACK), and psycopg keeps the statements
    that it has prepared, which it drops at each ROLLBACK.
    """
    with database.engine.connect() as connection:
        if connection.dialect.name != "postgresql":
            yield connection
            return
        # The driver's switch, which sends nothing. SQLAlchemy's isolation_level="AUTOCOMMIT" would put its own idea of
        # the isolation level in the place of the one that a host may have given the connection.
        driver: Any = connection.connection.dbapi_connection
        try:
            before, driver.autocommit = driver.autocommit, True
        except connection.dialect.loaded_dbapi.Error:  # a host's listener left a transaction open, or it was closed
            yield connection
            return
        try:
            yield connection
        finally:
            if not connection.invalidated:  # the server went away
                driver.autocommit = before


def read(ask: Callable[[sa.Connection], T]) -> T:
    """Return what is read with a connection of its own, by one statement or a few.

    Where the server ended that connection since it was used, the next one is asked; where a table was altered since
    connections prepared the statement, all are made anew.
    """
    try:
        return _read(ask)
    except DBAPIError as error:
        if _is_outdated(error):
            database.engine.dispose()
        elif not error.connection_invalidated or error.statement is None:  # None: no connection could be made
            raise
    return _read(ask)


def _is_outdated(error: DBAPIError) -> bool:
    """Tell whether it is PostgreSQL's 0A000: the statement was prepared when its columns were of other types."""
    dialect = database.engine.dialect
    return dialect.name == "postgresql" and isinstance(error.orig, dialect.loaded_dbapi.NotSupportedError)


def _read(ask: Callable[[sa.Connection], T]) -> T:
    with reading() as connection:
        return ask(connection)


# --- A short write beside the session's transaction ---


class LockedByUs(SQLAlchemyError):
    """The request's own session holds SQLite's one write lock: no other connection can have it now."""


class NoneLeft(SQLAlchemyError):
    """The request's own session holds the only connection that the engine's pool has."""


class OthersFirst(SQLAlchemyError):
    """Other requests of this process write beside their sessions."""


#: How long a write beside the session waits for its turn, and then for SQLite's lock, in milliseconds.
BESIDE_WAITS = 500
_turn = threading.Lock()


@contextmanager
def beside() -> Iterator[sa.Connection]:
    """Give a transaction of its own, beside that of the session, for one short write that can be left out.

    What a host has in the session is not committed by it. It does not wait for long, as it may wait for this very
    request: a host's own connection to the same SQLite file may hold the lock.

    :raises SQLAlchemyError: it cannot be written now.
    """
    if _is_connected(session()):
        if _holds_lock(session().connection()):
            raise LockedByUs
        if _has_one_connection(database.engine.pool):
            raise NoneLeft
    with _one_at_a_time(), database.engine.connect() as connection, short_of_patience(connection), connection.begin():
        yield connection


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let one request in, as it may hold a connection and wait for a second: many who do wait for each other."""
    if not _turn.acquire(timeout=BESIDE_WAITS / 1000):
        raise OthersFirst
    try:
        yield
    finally:
        _turn.release()


def _is_connected(here: Session) -> bool:
    """Tell whether the session has a connection: a transaction begins without, as when something is added."""
    root = here.get_transaction()
    return root is not None and bool(root._connections)


def _holds_lock(connection: sa.Connection) -> bool:
    driver: Any = connection.connection.dbapi_connection
    return connection.dialect.name == "sqlite" and bool(driver.in_transaction)


def _has_one_connection(pool: sa.Pool) -> bool:
    return isinstance(pool, sa.QueuePool) and pool.size() == 1 and pool._max_overflow == 0


@contextmanager
def short_of_patience(connection: sa.Connection) -> Iterator[None]:
    """Wait for SQLite's lock no longer than a write that can be left out should."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.dbapi_connection
    (before,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute(f"PRAGMA busy_timeout = {BESIDE_WAITS}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout = {before}")


# --- What is told after the commit ---


def announce(signal: Signal, payload: Callable[[], dict[str, Any]]) -> None:
    """Send a signal after the commit of the transaction that is open, and never if it is rolled back."""
    app = current.app()
    after_commit(lambda: signal.send(app, **payload()))


def after_commit(call: Callable[[], object], otherwise: Callable[[], object] = lambda: None) -> None:
    """Call something after the commit of the transaction that is open; if it is rolled back, call `otherwise`."""
    here = session()
    transactions = list(_and_parents(here.get_nested_transaction() or here.get_transaction()))
    here.info.setdefault(_WAITING, []).append((transactions, call, otherwise))


def _and_parents(transaction: SessionTransaction | None) -> Iterator[SessionTransaction]:
    while transaction is not None:
        yield transaction
        transaction = transaction.parent


def tell() -> None:
    """Send what was committed. A receiver is the host's code: its mistake cannot undo what it is told of."""
    for call in g.pop("stormpath_committed", ()):
        try:
            call()
        except Exception:
            current_app.logger.exception("A receiver of a signal failed; the change it was told about stands.")
            session.rollback()  # it may have failed in the middle of a change of its own


# These watch every session, as a host's may be shared: they leave at once where nothing of ours waits.


@event.listens_for(Session, "after_soft_rollback")
def _forget(here: Session, ended: SessionTransaction) -> None:
    if waiting := here.info.get(_WAITING):
        undone = [entry for entry in waiting if ended in entry[0]]
        waiting[:] = [entry for entry in waiting if ended not in entry[0]]
        for *_call, otherwise in undone:
            otherwise()


@event.listens_for(Session, "after_commit")
def _keep(here: Session) -> None:
    if not here.in_nested_transaction() and (waiting := here.info.pop(_WAITING, None)):
        g.setdefault("stormpath_committed", []).extend(call for _transactions, call, _otherwise in waiting)


@event.listens_for(Session, "after_transaction_end")
def _tell_after_the_hosts_commit(here: Session, ended: SessionTransaction) -> None:
    """Tell; after a host's `with session.begin()`, where no SQL may run yet, the end of the app context does."""
    ends_here = ended.parent is None and ended.origin is not SessionTransactionOrigin.BEGIN
    if ends_here and _OPEN not in here.info and g and "stormpath_committed" in g:
        tell()
