"""Connections of our own engine to a database server: what does not answer is not waited for without end."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

#: How long a new connection may take to be made, for each address of the server, in seconds; libpq knows no less.
CONNECT_TIMEOUT = 2
#: How long a connection is trusted that was not used, and how long it may take to answer after that, in seconds.
TRUSTED, ANSWERS = 1.0, 0.5

_OF_LIBPQ = {
    "connect_timeout": CONNECT_TIMEOUT,
    # A machine that is gone says nothing either: it is asked each second, and given up, here after milliseconds.
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "tcp_user_timeout": CONNECT_TIMEOUT * 1000,
}
#: Of the drivers that we know.
_TIMEOUTS: dict[str, dict[str, int]] = {
    "psycopg": _OF_LIBPQ,
    "psycopg2": _OF_LIBPQ,
    # The second is for the greeting of a server, which the first is not for.
    "pymysql": {"connect_timeout": CONNECT_TIMEOUT, "read_timeout": CONNECT_TIMEOUT},
}


def options(url: sa.URL) -> dict[str, Any]:
    """Return the engine's options for a server; what its URL says goes before."""
    timeouts = _TIMEOUTS.get(url.get_driver_name())
    if timeouts is None:
        return {"pool_pre_ping": True}
    said = {name: most for name, most in timeouts.items() if name not in url.query}
    return {"connect_args": said, "pool_timeout": CONNECT_TIMEOUT}


def watch(engine: sa.Engine) -> None:
    """Ask a connection that was not used for a while whether it is alive; one that is in use pays nothing."""
    if engine.driver not in _TIMEOUTS:
        return

    @event.listens_for(engine, "connect")
    def let_statements_take_their_time(driver: Any, _record: sa.pool.ConnectionPoolEntry) -> None:
        if engine.driver == "pymysql" and "read_timeout" not in engine.url.query:
            driver._read_timeout = None

    @event.listens_for(engine, "checkin")
    def note(_driver: Any, record: sa.pool.ConnectionPoolEntry) -> None:
        record.info["stormpath_used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask(driver: Any, record: sa.pool.ConnectionPoolEntry, _proxy: Any) -> None:
        used_at = record.info.get("stormpath_used_at")  # None: it was made just now
        if used_at is None or time.monotonic() - used_at < TRUSTED:
            return
        try:
            with _cut_off_after(ANSWERS, driver):
                engine.dialect.do_ping(driver)
        except engine.dialect.loaded_dbapi.Error as error:
            raise sa.exc.InvalidatePoolError from error  # the pool makes another one


@contextmanager
def _cut_off_after(seconds: float, driver: Any) -> Iterator[None]:
    """End a connection whose server is silent for so long. No driver has a timeout for one question alone."""
    connection = driver._sock if hasattr(driver, "_sock") else driver
    held = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
    timer = threading.Timer(seconds, _cut_off, [held])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        held.close()


def _cut_off(held: socket.socket) -> None:
    with suppress(OSError):
        held.shutdown(socket.SHUT_RDWR)
