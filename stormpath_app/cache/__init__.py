"""Cache: what was read from the database and is kept for a while, as true as its store promises.

A row is kept by its region and key (`region.py`). Who keeps it knows whether it is still true: of a file of SQLite by
its log of changes (`memory_store.py`); what processes and machines share, by stamps that lie beside it (`shared.py`),
which writers change (`changes.py`). `docs/caching.md` has the promises.
"""

import threading
from contextlib import nullcontext

import sqlalchemy as sa
from flask import current_app, has_app_context

from .. import current
from ..database import database, is_in_memory, url
from ..transactions import atomic, reading
from . import changes, counts
from .configuration import Configuration, check, configured
from .counts import Counts, Stats
from .memcached_store import MemcachedStore
from .memory_store import SIZE, ChangeLog, LoggedMemory, MemoryStore
from .redis_store import RedisStore
from .region import Keeper, NoKeeper, Region, Row, Ticket
from .shared import Shared
from .store import Store

__all__ = [
    "Look",
    "MemcachedStore",
    "MemoryStore",
    "RedisStore",
    "Region",
    "Row",
    "Stats",
    "check",
    "clear",
    "counted",
    "forget_counts",
    "is_kept",
    "keeper",
    "recent_stats",
    "stats",
]

#: In app.extensions.
_KEEPER, _COUNTS = "stormpath_cache", "stormpath_cache_counts"
_making = threading.Lock()


def keeper() -> Keeper:
    """Return what keeps the rows of the current app; the settings are read when it is asked for first."""
    extensions = current.app().extensions
    found: Keeper | None = extensions.get(_KEEPER)
    if found is None:
        with _making:
            found = extensions.get(_KEEPER) or _make(configured())
            extensions[_KEEPER] = found
    return found


def counted() -> Counts:
    """Return what this process counts for the current app."""
    extensions = current.app().extensions
    found: Counts | None = extensions.get(_COUNTS)
    return found or extensions.setdefault(_COUNTS, Counts())


def stats() -> dict[str, Stats]:
    """Return how often rows of each region were found in this process, and how often they were not."""
    return counted().stats()


def recent_stats(hours: int) -> dict[str, Stats]:
    """Return the same of all processes, on all machines, in the last so many hours; up to a minute is missing."""
    with reading() as connection:
        return counts.since(connection, hours)


def forget_counts() -> None:
    """Forget the counts of hours that are long over, and commit."""
    with atomic() as writing:
        counts.forget(writing.connection())


def is_kept() -> bool:
    """Tell whether anything is kept: nothing is of a database in memory, and nothing in memory of a server."""
    return not isinstance(keeper(), NoKeeper)


def clear() -> None:
    """Let nothing be true that any process keeps of the current app's database; what is asked for is read anew."""
    keeper().clear()
    with atomic() as writing:
        connection = writing.connection()
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("INSERT INTO stormpath_cache_changes (account_id) VALUES ('')")


def _make(wanted: Configuration | None) -> Keeper:
    here = url(current.app())
    if wanted is None or is_in_memory(here):
        return NoKeeper()
    if issubclass(wanted.store, Store):
        shared = Shared(wanted.store(**wanted.options), wanted.lifetimes)
        changes.watch(database.engine, shared)
        return shared
    if here.get_backend_name() != "sqlite":
        return NoKeeper()
    with database.engine.connect() as connection:
        file = connection.exec_driver_sql("SELECT file FROM pragma_database_list WHERE name = 'main'").scalar_one()
    return LoggedMemory(wanted.options.get("size", SIZE), wanted.lifetimes, ChangeLog(file))


def _make_shared(engine: sa.Engine) -> None:
    app = database.app_of(engine)  # which need not be the current one, where there is one
    if app is None:
        return
    with nullcontext() if has_app_context() and current_app == app else app.app_context():
        wanted = configured()
        if wanted is not None and issubclass(wanted.store, Store):
            keeper()


changes.make = _make_shared


class Look:
    """A look for a row, before it is read from the database. `row`: what is kept, and true; None: nothing is."""

    __slots__ = ("_keeper", "_key", "_region", "_ticket", "row")

    def __init__(self, region: Region, key: str) -> None:
        self._keeper, self._region, self._key = keeper(), region, key
        self.row: Row | None
        self._ticket: Ticket
        self.row, self._ticket = self._keeper.look(region, key)
        if not isinstance(self._keeper, NoKeeper):
            counted().count(region.name, is_hit=self.row is not None)

    def keep(self, row: Row) -> None:
        """Keep the row that was read since, on a connection that had no transaction open before."""
        self._keeper.keep(self._region, self._key, self._ticket, row)
