"""MemoryStore: rows in the memory of each process, and how it knows that they are still true."""

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Mapping
from itertools import islice
from urllib.parse import quote
from weakref import WeakSet

from .changes import OF_ACCOUNTS, OF_ALL
from .region import Lifetime, Region, Row, Ticket

#: So many rows does a process keep, if `store_opts` names no `size`.
SIZE = 10_000
#: How many accounts' changes are remembered one by one; after more, all that is kept is out of date.
_MOST_CHANGES = 10_000
#: So many connections that nobody uses are kept.
_MOST_READERS = 16
#: How long it is waited for a lock, in seconds: with a journal of the old kind a writer keeps readers out.
_PATIENCE = 1.0


class MemoryStore:
    """Names the store of this kind in STORMPATH_CACHE: each process keeps what it read.

    On a file of SQLite, whether it is still true is known without a statement (`ChangeLog`). A database server would
    have to be asked, which costs hardly less than the row itself: nothing is kept of one.
    """


class _Entry:
    """A row, and until when it is kept. `seen`: what its keeper had seen before the row was read."""

    __slots__ = ("kept_at", "row", "seen", "used_at")

    def __init__(self, row: Row, seen: int) -> None:
        self.row, self.seen = row, seen
        self.kept_at = self.used_at = time.monotonic()


class LoggedMemory:
    """Rows of a file of SQLite by region and key, whose log of changes tells what is out of date.

    :param size: beyond so many the oldest go.
    """

    def __init__(self, size: int, lifetimes: Mapping[str, Lifetime], log: "ChangeLog") -> None:
        self._size, self._lifetimes, self._log = size, lifetimes, log
        self._entries: dict[tuple[str, str], _Entry] = {}

    def look(self, region: Region, key: str) -> tuple[Row | None, Ticket]:
        """Return a row of which no change is known, at this very moment."""
        seen = self._log.newest()
        if seen is None or (entry := self._find(region, key)) is None:
            return None, seen
        if self._log.has_changed(region.of(entry.row), since=entry.seen):
            self.drop(region, key)
            return None, seen
        return entry.row, seen

    def _find(self, region: Region, key: str) -> _Entry | None:
        entry = self._entries.get((region.name, key))
        if entry is None:
            return None
        lifetime, now = self._lifetimes[region.name], time.monotonic()
        if now - entry.kept_at >= lifetime.ttl or now - entry.used_at >= lifetime.tti:
            return None
        entry.used_at = now
        return entry

    def keep(self, region: Region, key: str, ticket: Ticket, row: Row) -> None:
        """Keep a row as true as what was seen before it was read."""
        if ticket is None:
            return
        where = region.name, key
        self._entries.pop(where, None)  # so that it is the newest
        self._entries[where] = _Entry(row, ticket)
        if len(self._entries) > self._size:
            for oldest in list(islice(self._entries, len(self._entries) - self._size)):
                self._entries.pop(oldest, None)

    def drop(self, region: Region, key: str) -> None:
        """Forget one row."""
        self._entries.pop((region.name, key), None)

    def clear(self) -> None:
        """Forget them all."""
        self._entries.clear()


class _Reader:
    """A connection that never writes, and the `data_version` that it saw last; those of two tell nothing together."""

    __slots__ = ("connection", "version")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.version: int | None = None


class ChangeLog:
    """What changed in a file of SQLite, by whichever process and connection.

    `PRAGMA data_version` of a connection that never writes moves with each commit of any other; then the new rows of
    the log are read, which triggers write in the transactions of the changes: the id of the account that changed, or ""
    for what accounts share. They are numbered in the order of their commits, as one transaction at a time writes.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        #: How often there was news, and after which time each account, and what all share, changed last.
        self._times = self._shared = 0
        self._accounts: dict[str, int] = {}
        self._begin()
        _LOGS.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        #: Those that nobody uses. Each thread takes one: with a single one all would stand in line for it.
        self._readers: deque[_Reader] = deque()
        self._schema: int | None = None
        self._last: tuple[int, bytes] = (0, b"")

    def newest(self) -> int | None:
        """Return how often there was news, this moment's included; None: it cannot be known now."""
        reader = None
        try:
            reader = self._take_reader()
            # Read first: what is committed after it moves the version again.
            version: int = reader.connection.execute("PRAGMA data_version").fetchone()[0]
            if version != reader.version:
                with self._lock:
                    self._catch_up(reader.connection)
                reader.version = version
            return self._times
        except sqlite3.Error:
            return None
        finally:
            if reader is not None:
                self._give_back(reader)

    def has_changed(self, account_id: str | None, *, since: int) -> bool:
        """Tell whether an account, or what all share, changed since there was news so often."""
        of_account = 0 if account_id is None else self._accounts.get(account_id, 0)
        return max(of_account, self._shared) > since  # in this order: `_forget` moves one to the other

    def _take_reader(self) -> _Reader:
        try:
            return self._readers.pop()
        except IndexError:
            where = f"file:{quote(self._file)}?mode=ro"  # its data_version would not move with a commit of its own
            connection = sqlite3.connect(
                where, uri=True, isolation_level=None, check_same_thread=False, timeout=_PATIENCE
            )
            return _Reader(connection)

    def _give_back(self, reader: _Reader) -> None:
        if len(self._readers) < _MOST_READERS:
            self._readers.append(reader)
        else:
            reader.connection.close()

    def _check_triggers(self, connection: sqlite3.Connection) -> None:
        """Let nothing be kept while a table has no triggers, as after it was made anew to be altered."""
        schema: int = connection.execute("PRAGMA schema_version").fetchone()[0]
        if schema == self._schema:
            return
        tables, logged = ({name for (name,) in connection.execute(names)} for names in (_TABLES, _LOGGED))
        if silent := (tables & {*OF_ACCOUNTS, *OF_ALL}) - logged:
            self._forget()
            raise sqlite3.DataError(f"There are no triggers of {silent}.")
        self._schema = schema

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        self._check_triggers(connection)
        # The row that was read last comes again, as the first. If not, the log is another one's, or was cut behind it.
        rows = connection.execute(_SINCE, self._last[:1]).fetchall()
        if not rows:
            self._last = 0, b""
            raise sqlite3.DataError("The log has no row.")
        if rows[0][:2] != self._last or len(self._accounts) + len(rows) > _MOST_CHANGES:
            self._forget()
        elif len(rows) > 1:
            self._times += 1
            for _number, _mark, account_id in rows[1:]:
                if account_id:
                    self._accounts[account_id] = self._times
                else:
                    self._shared = self._times
        self._last = rows[-1][:2]

    def _forget(self) -> None:
        """Let all that was kept be out of date."""
        self._times += 1
        self._shared = self._times
        self._accounts.clear()

    def after_fork(self) -> None:
        """Begin anew in a forked process: connections are its parent's, neither to be used nor to be closed."""
        _INHERITED.extend(reader.connection for reader in self._readers)
        self._begin()
        self._forget()


_SINCE = "SELECT n, mark, account_id FROM stormpath_cache_changes WHERE n >= ? ORDER BY n"
_LOGGED = "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'stormpath\\_cache\\_%' ESCAPE '\\'"
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_LOGS: WeakSet[ChangeLog] = WeakSet()
_INHERITED: list[sqlite3.Connection] = []


def _after_fork() -> None:
    for log in list(_LOGS):
        log.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
