"""Shared: rows that several processes and machines keep together, in a store, and how they know that they are true.

Beside the rows lie *stamps*, random values: one for each account, one for what all accounts share. They are read before
a row is read from the database, and it is true while they are the same. Who writes puts a *mark* in their place before
the commit: now nothing is true, and nothing is kept. After the commit there are new stamps. So whatever gets lost, and
whoever dies, leads to the database and never to an old row.

A writer that cannot reach the store draws a new *generation*, a number in the database, along with the change itself.
Rows are true under the generation that they were kept under, which each process reads every few seconds.
"""

import contextlib
import hashlib
import math
import os
import time
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple
from weakref import WeakSet

from sqlalchemy.exc import SQLAlchemyError

from .. import clock, current
from ..database import database
from . import stamps
from .entry import Entry, microseconds
from .reach import NEXT, Generation, Known, Line
from .region import Lifetime, Region, Row, Ticket
from .store import Change, Store, Unreachable

#: Stands for what all accounts share, where others are ids of accounts.
ALL = ""
#: How long stamps stay, longer than any row, and marks, in seconds.
_STAMPED, _MARKED = 2 * 86400, 60
#: A change of more accounts than this is one of all.
_MOST_ACCOUNTS = 20
#: The largest row that is kept, in bytes; memcached takes a megabyte.
_LARGEST = 512 * 1024
#: Of so many keys a process remembers whose rows they lead to.
_MOST_KEYS = 100_000


#: What is called before each question to the store but a page's first.
GoOn = Callable[[], None]


class _Seen(NamedTuple):
    """What was seen before a row is read."""

    known: Known
    account_id: str | None
    stamps: tuple[str, ...]


class Shared:
    """The keeper of rows in a store.

    `tenant_id`: whose database this is, as others may share the store; None: nobody looked yet.
    """

    def __init__(self, store: Store, lifetimes: Mapping[str, Lifetime]) -> None:
        self._store, self._lifetimes = store, lifetimes
        self.tenant_id: str | None = None
        self._begin()
        _KEEPERS.add(self)

    def _begin(self) -> None:
        self._line, self._generation = Line(self._renew_all, self._store.patience), Generation()
        #: Whose row a key leads to, which never changes; when the stay of a row was prolonged.
        self._accounts: dict[tuple[str, str], str] = {}
        self._prolonged: dict[str, float] = {}

    def after_fork(self) -> None:
        """Begin anew in a forked process, with connections and locks of its own."""
        self._store.forget_client()
        self._begin()

    # --- Rows ---

    def look(self, region: Region, key: str) -> tuple[Row | None, Ticket]:
        """Return a row whose stamps are those that lie in the store at this moment."""
        known = self._generation.known()
        if known is None or not current.app().secret_key:  # a command may do without one: nothing can be sealed
            return None, None
        self.tenant_id = known.tenant_id
        try:
            with self._line.open() as go_on:
                return self._look(region, key, known, go_on)
        except Unreachable:
            return None, None

    def _look(self, region: Region, key: str, known: Known, go_on: GoOn) -> tuple[Row | None, Ticket]:
        account_id = self._accounts.get((region.name, key))
        place, changing = self._place(region.name, key), [ALL] if account_id is None else [ALL, account_id]
        value, *found = self._store.get_many([place, *map(self._stamp_place, changing)])
        entry = Entry.read(value, region, place)
        if entry and entry.account_id and account_id is None:
            self._remember(region, key, entry.account_id)
            go_on()
            return self._look(region, key, known, go_on)  # once more, with the stamp of its account
        read = [self._stamp(*each, go_on) for each in zip(changing, found, strict=True)]
        if None in read:
            return None, None
        seen = _Seen(known, account_id, tuple(filter(None, read)))
        if entry is None or not self._is_true(entry, key, seen):
            return None, seen
        self._prolong(region, place, entry)
        return entry.row, seen

    @staticmethod
    def _is_true(entry: Entry, key: str, seen: _Seen) -> bool:
        under = key, seen.account_id, seen.known.n, seen.stamps
        return entry[: len(under)] == under and entry.until > microseconds(clock.now())

    def keep(self, region: Region, key: str, ticket: Ticket, row: Row) -> None:
        """Keep a row that was read after its stamps were; at first it is only learnt whose stamp that is."""
        if ticket is None:
            return
        account_id = region.of(row)
        if account_id is not None:
            self._remember(region, key, account_id)
        if ticket.account_id != account_id:
            return
        lifetime, place = self._lifetimes[region.name], self._place(region.name, key)
        until = microseconds(clock.now()) + int(lifetime.ttl * 1_000_000)
        value = Entry(key, account_id, ticket.known.n, ticket.stamps, until, row).write(region, place)
        if len(value) <= _LARGEST:
            self._tell(lambda _go_on: self._store.set(place, value, math.ceil(min(lifetime))))

    def drop(self, region: Region, key: str) -> None:
        """Forget one row."""
        self._tell(lambda _go_on: self._store.delete(self._place(region.name, key)))

    def clear(self) -> None:
        """Let all rows be worth nothing: by the store, or by the database where that cannot be reached."""
        known = self._generation.known()
        self.tenant_id = known.tenant_id if known else self.tenant_id
        if not self.tenant_id or not self.renew([ALL]):
            with contextlib.suppress(SQLAlchemyError), database.engine.begin() as connection:
                connection.execute(NEXT)

    def _prolong(self, region: Region, place: str, entry: Entry) -> None:
        """Let a row that is asked for stay, where it would go sooner than it runs out."""
        ttl, tti = self._lifetimes[region.name]
        if tti >= ttl or time.monotonic() - self._prolonged.get(place, -tti) < tti / 2:
            return
        if len(self._prolonged) >= _MOST_KEYS:
            self._prolonged.clear()
        self._prolonged[place] = time.monotonic()
        left = (entry.until - microseconds(clock.now())) / 1_000_000
        self._store.touch(place, math.ceil(min(tti, left)))

    def _remember(self, region: Region, key: str, account_id: str) -> None:
        if len(self._accounts) >= _MOST_KEYS:
            self._accounts.clear()
        self._accounts[region.name, key] = account_id

    def _stamp(self, changing: str, value: bytes | None, go_on: GoOn) -> str | None:
        """Return the stamp of an account or of all, made where there is none; None: somebody is changing it."""

        def make_missing(old: bytes | None) -> tuple[bytes, int] | None:
            go_on()
            is_there = stamps.read(old, self._store.life) or stamps.marks(old)
            return None if is_there else self._new_stamp()

        found = stamps.read(value, self._store.life)
        if found is None and not stamps.marks(value):
            go_on()
            value = self._store.change(self._stamp_place(changing), make_missing)
            found = stamps.read(value, self._store.life)
        return found

    def _new_stamp(self) -> tuple[bytes, int]:
        return stamps.new(self._store.life).encode("ascii"), _STAMPED

    # --- Changes ---

    def mark(self, changing: Collection[str], mark: str) -> bool:
        """Let nothing about these accounts be true until `renew`. Tell whether the store knows of it."""

        def add(old: bytes | None) -> tuple[bytes, int]:
            return stamps.join([*stamps.others(old, mark, now()), mark]), _MARKED

        return self._change(changing, add, insist=True)

    def renew(self, changing: Collection[str], mark: str | None = None) -> bool:
        """Give these accounts new stamps, where nobody else has a mark. Tell whether the store knows of it."""

        return self._change(changing, lambda old: self._renewed(old, mark))

    def _renewed(self, old: bytes | None, mark: str | None = None) -> tuple[bytes, int]:
        others = stamps.others(old, mark, now())
        return (stamps.join(others), _MARKED) if others else self._new_stamp()

    def _change(self, changing: Collection[str], change: Change, *, insist: bool = False) -> bool:
        def all_of_them(go_on: GoOn) -> None:
            def change_in_time(old: bytes | None) -> tuple[bytes, int] | None:
                go_on()
                return change(old)

            for each in changing if len(changing) <= _MOST_ACCOUNTS else [ALL]:
                self._store.change(self._stamp_place(each), change_in_time)

        return self._tell(all_of_them, insist=insist)

    def _renew_all(self) -> None:
        self._store.change(self._stamp_place(ALL), self._renewed)

    def _tell(self, what: Callable[[GoOn], None], *, insist: bool = False) -> bool:
        try:
            with self._line.open(insist=insist) as go_on:
                what(go_on)
        except Unreachable:
            return False
        return True

    # --- Places ---

    def _place(self, region: str, key: str) -> str:
        return f"stormpath:{self.tenant_id}:{region}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    def _stamp_place(self, changing: str) -> str:
        return self._place("stamps", changing)


def now() -> float:
    """Return this moment, in seconds, as marks have it."""
    return clock.now().timestamp()


_KEEPERS: WeakSet[Shared] = WeakSet()


def _after_fork() -> None:
    for keeper in list(_KEEPERS):
        keeper.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
