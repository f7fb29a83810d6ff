"""Throttle: how many wrong passwords an account, a device and a network may have, and how long the next try waits.

A try is reserved before its password is looked at, and counts as a failure until it is settled: however many come at
one moment, no more than are free get as far as a hash. Each counter is one row, and a try that is refused changes none.
"""

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import OperationalError

from . import clock, names, origin
from .database import UTCDateTime, exact_text, metadata, session
from .errors import AccountAlreadyExists, TooManyAttempts
from .settings import THROTTLE, duration, settings
from .transactions import after_commit, atomic, is_atomic
from .translation import gettext as _

#: Counters by their key:
#:   account:<id>           everybody who tries the account, by whatever name and in whatever application;
#:   account:<digest>       the same for a login that nobody has, so that it behaves alike;
#:   device:<account>:<id>  a browser that the account logged in on before, in place of all others: strangers cannot
#:                          slow the owner down there, and a stolen cookie buys no more than this counter;
#:   network:<address>      failures alone, in a window of time; no success clears it.
attempts = sa.Table(
    "stormpath_attempts",
    metadata,
    sa.Column("key", exact_text(80), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    #: Until when the next try is refused, if there are more failures than are free; of a network, its window's end.
    sa.Column("blocked_until", UTCDateTime, nullable=False, index=True),
    sa.Column("forget_at", UTCDateTime, nullable=False, index=True),
)

_REMEMBERED = timedelta(days=30)  # after the last try
_RACES = 100  # lost to others one after the other: each of them was one more try
_TOLERANCE = 2  # times as long as a limit makes it may a wait be, as the clocks of servers differ
_ACCOUNT, _BEHIND_ACCOUNTS = "account:", "account;"  # ";" is what follows ":"
_NEVER = 2**31 - 1
_WITH_PORT = re.compile(r"^(?:([\d.]+)|\[([^]]+)\]):\d+$")  # as some proxies tell an address, anew each time
_SWEPT = 10  # rows that are forgotten with one failure, which makes two at most


@dataclass(frozen=True)
class Limits:
    """What the setting THROTTLE says.

    The first `free_failures` wrong passwords in a row cost no time; then the next try waits a second, and twice as long
    each time, up to `longest_wait`. After `hard_stop` of them no password is looked at any more until the owner has set
    a new one by mail, where the site has that. A network may have `network_failures` in each `network_window`.
    """

    free_failures: int
    longest_wait: timedelta
    hard_stop: int
    network_failures: int
    network_window: timedelta

    @classmethod
    def current(cls) -> Self | None:
        """Return the limits of the current app; None where it has none."""
        given = settings.THROTTLE
        if given is False:
            return None
        merged: dict[str, Any] = {**THROTTLE, **given}
        for name in ("longest_wait", "network_window"):
            merged[name] = duration(merged[name])
        return cls(**merged)

    def wait(self, failures: int) -> timedelta:
        """Return how long the try after so many failures in a row waits."""
        beyond = failures - self.free_failures
        return timedelta() if beyond < 0 else min(timedelta(seconds=2 ** min(beyond, 31)), self.longest_wait)


@dataclass(frozen=True)
class Attempt:
    """A try that was let through. What it came to is settled in the transaction that is open, with its line in the log.

    `counter`: where it counts as a failure already; `network`: where it will, if it is one. None: nowhere.
    """

    counter: str | None = None
    network: str | None = None

    def refund(self) -> None:
        """Clear the counter: who tried knew the password."""
        if self.counter is not None:
            now = clock.now()
            session.connection().execute(_CLEAR, {"counter": self.counter, "now": now, "then": now + _REMEMBERED})

    def count(self) -> None:
        """Count the failure for the network too; some of what is old is forgotten afterwards."""
        limits = Limits.current()
        if limits is None or self == Attempt():
            return
        connection, now = session.connection(), clock.now()
        if self.network is not None:
            window = limits.network_window
            counted = {"network": self.network, "now": now, "end": now + window, "latest": now + _TOLERANCE * window}
            connection.execute(_one_more(connection.dialect.name), counted)
        after_commit(_sweep)


def reserve(whose: str) -> Attempt:
    """Let one try of a password through, and commit: it counts as a failure until it is settled.

    :param whose: the account's id; `nobody(...)` for a login that no account has.
    :raises TooManyAttempts: not now; nothing was written.
    """
    if is_atomic():
        raise RuntimeError("A password cannot be tried inside atomic(): the count of a failure could be rolled back.")
    limits = Limits.current()
    if limits is None:
        return Attempt()
    attempt = _attempt(whose, origin.current())
    for _race in range(_RACES):
        now, seen = clock.now(), _look(attempt)
        _refuse_blocked(attempt, seen, limits, now)
        if _take(seen.get(attempt.counter), attempt, limits, now):
            return attempt
    raise TooManyAttempts


def admit() -> Attempt:
    """Let through what only a network can do too often, such as asking for names that are taken. Nothing is written.

    Inside `atomic()` it is part of something greater, which is trusted.

    :raises TooManyAttempts: the network had its failures.
    """
    limits = None if is_atomic() else Limits.current()
    attempt = Attempt(network=_network(origin.current().address))
    if limits is None or attempt.network is None:
        return Attempt()
    _refuse_blocked(attempt, _look(attempt), limits, clock.now())
    return attempt


@contextmanager
def counting_taken_names() -> Iterator[None]:
    """Let a network ask for names that accounts may have; those that are taken are its failures, which are committed.

    :raises TooManyAttempts: the network had its failures.
    """
    attempt = admit()
    try:
        yield
    except AccountAlreadyExists:
        if attempt.network is not None:
            session.rollback()  # what waits in a host's session was to be written with the name
            with atomic():
                attempt.count()
        raise


def nobody(directory_id: str, login: str) -> str:
    """Return what stands for the account of a login that no account has, the same for each of its spellings.

    :param directory_id: where the account would be. Applications that share the directory would share its counter.
    """
    return _digest(directory_id + (names.key(login) if names.can_be_stored(login) else login))


def unlock(account_id: str) -> None:
    """Clear an account's counters, those of its devices too, in the transaction that is open."""
    session.connection().execute(sa.delete(attempts).where(_of(account_id)))


def _of(account_id: str) -> sa.ColumnElement[bool]:
    devices = attempts.c.key.between(f"device:{account_id}:", f"device:{account_id};")  # ";" is what follows ":"
    return (attempts.c.key == f"account:{account_id}") | devices


# --- Looking, without a try ---


@dataclass(frozen=True)
class Counter:
    """What is counted at this moment. `failures`: in a row, of a network in its window; `until`: when the next try is
    let through, None: now; `is_stopped`: no password is looked at before its owner has set a new one by mail.
    """

    failures: int = 0
    until: datetime | None = None
    is_stopped: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the next try is let through now."""
        return self.until is None and not self.is_stopped


def of_account(account_id: str) -> tuple[Counter, list[Counter]]:
    """Return what is counted for all who try an account, and for each device that its owner knows and fails on."""
    rows = {row.key: row for row in session.execute(sa.select(attempts).where(_of(account_id)))}
    everybody = rows.pop(f"account:{account_id}", None)
    return _counter(everybody), [_counter(row) for row in rows.values()]


def of_network(address: str | None) -> Counter:
    """Return what is counted for the network of an address."""
    return _counter(session.execute(sa.select(attempts).where(attempts.c.key == (_network(address) or ""))).first())


def _counter(row: Any) -> Counter:
    limits, now = Limits.current(), clock.now()
    if row is None or limits is None or row.forget_at <= now:
        return Counter()
    wait = _wait(row, limits, now)
    is_stopped = not row.key.startswith("network:") and _is_stopped(row, limits, now)
    return Counter(row.failures, now + wait if wait else None, is_stopped)


def locked_accounts() -> sa.Select[Any]:
    """Return a statement for the ids of the accounts that a wait keeps out now, whoever tries them."""
    limits = Limits.current()
    free = limits.free_failures if limits else _NEVER
    return sa.select(sa.func.substr(attempts.c.key, len(_ACCOUNT) + 1)).where(
        attempts.c.blocked_until > clock.now(),
        attempts.c.failures >= free,
        attempts.c.key.between(_ACCOUNT, _BEHIND_ACCOUNTS),
    )


def locked_until(account_ids: Iterable[str]) -> dict[str, datetime]:
    """Return until when each of these accounts is kept out by a wait; those that are not kept out are left out."""
    keys = [_ACCOUNT + account_id for account_id in account_ids]
    limits, now = Limits.current(), clock.now()
    if not keys or limits is None:
        return {}
    waiting = sa.select(attempts.c.key, attempts.c.blocked_until).where(
        attempts.c.key.in_(keys), attempts.c.failures >= limits.free_failures, attempts.c.blocked_until > now
    )
    return {key.removeprefix(_ACCOUNT): until for key, until in session.execute(waiting)}


def _attempt(whose: str, who: origin.Origin) -> Attempt:
    if who.device is not None and whose in who.device.accounts:
        return Attempt(f"device:{whose}:{who.device.id}")
    return Attempt(f"account:{whose}", _network(who.address))


def _network(address: str | None) -> str | None:
    """Return the key of an address. Of IPv6 the first half counts, as a customer has all of the second."""
    if not address:
        return None
    try:
        found = ipaddress.ip_address(_WITH_PORT.sub(r"\1\2", address))
    except ValueError:  # a server can call its clients what it likes
        return f"network:{_digest(address)}"
    if isinstance(found, ipaddress.IPv6Address):
        return f"network:{found.ipv4_mapped or ipaddress.IPv6Network((int(found), 64), strict=False)}"
    return f"network:{found}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


# --- Reading and writing ---

# Built once, as a login should cost little beside its hash.
_LOOK = sa.select(attempts).where(attempts.c.key.in_([bindparam("counter"), bindparam("network")]))
# No lock is held between look and change: what the row must still be like stands in the statement.
_NEXT = sa.update(attempts).where(
    attempts.c.key == bindparam("counter"),
    attempts.c.failures == bindparam("seen_failures"),
    attempts.c.forget_at == bindparam("seen_forget_at"),
)
# It stays: on MySQL, one of two fails who insert a row that was deleted a moment ago.
_CLEAR = (
    sa.update(attempts)
    .where(attempts.c.key == bindparam("counter"))
    .values(failures=0, blocked_until=bindparam("now"), forget_at=bindparam("then"))
)
_OLD = (
    sa.select(attempts.c.key)
    .where(attempts.c.forget_at <= bindparam("now"))
    .order_by(attempts.c.forget_at)
    .limit(_SWEPT)
)
_FORGET = sa.delete(attempts).where(
    attempts.c.key.in_(bindparam("old", expanding=True)), attempts.c.forget_at <= bindparam("now")
)


def _look(attempt: Attempt) -> Mapping[str | None, Any]:
    wanted = {"counter": attempt.counter, "network": attempt.network}
    return {row.key: row for row in session.connection().execute(_LOOK, wanted)}


def _refuse_blocked(attempt: Attempt, seen: Mapping[str | None, Any], limits: Limits, now: datetime) -> None:
    counted = seen.get(attempt.counter)
    if counted and _is_stopped(counted, limits, now):
        raise TooManyAttempts(_("Too many attempts. Set a new password by mail."), wait=limits.longest_wait)
    wait = max((_wait(row, limits, now) for row in seen.values()), default=timedelta())
    if wait > timedelta():
        raise TooManyAttempts(wait=wait)


def _is_stopped(row: Any, limits: Limits, now: datetime) -> bool:
    """Tell whether no password is looked at any more before its owner has set a new one by mail."""
    return bool(settings.ENABLE_FORGOT_PASSWORD and row.failures >= limits.hard_stop and row.forget_at > now)


def _wait(row: Any, limits: Limits, now: datetime) -> timedelta:
    """Return how long a counter lets the next try wait."""
    is_network = row.key.startswith("network:")
    free = limits.network_failures if is_network else limits.free_failures
    longest = limits.network_window if is_network else limits.longest_wait
    wait: timedelta = row.blocked_until - now
    # One that no limit makes is of a clock that was wrong, or of limits that were others.
    return wait if row.failures >= free and timedelta() < wait <= _TOLERANCE * longest else timedelta()


def _take(seen: Any, attempt: Attempt, limits: Limits, now: datetime) -> bool:
    """Count one more failure, and commit; False: another try changed the counter since it was looked at."""
    failures = seen.failures + 1 if seen and seen.forget_at > now else 1
    blocked_until = now + limits.wait(failures)
    values = {"failures": failures, "blocked_until": blocked_until, "forget_at": blocked_until + _REMEMBERED}
    with atomic() as writing:
        connection = writing.connection()
        if seen is None:
            written = connection.execute(_first(connection.dialect.name), {"key": attempt.counter, **values})
        else:
            known = {"counter": seen.key, "seen_failures": seen.failures, "seen_forget_at": seen.forget_at}
            written = connection.execute(_NEXT, {**known, **values})
    return written.rowcount == 1


def _sweep() -> None:
    """Forget some of what is old, and commit. Best effort: the next failure does it again."""
    now = clock.now()
    if old := session.connection().scalars(_OLD, {"now": now}).all():
        with suppress(OperationalError), atomic() as writing:  # two who sweep at once may be in each other's way
            writing.connection().execute(_FORGET, {"old": old, "now": now})


def count_waiting() -> int:
    """Return how many accounts, devices and networks have their next try refused at this moment."""
    limits = Limits.current()
    if limits is None:
        return 0
    is_network = attempts.c.key.startswith("network:")
    free = sa.case((is_network, limits.network_failures), else_=limits.free_failures)
    waiting = (attempts.c.blocked_until > clock.now(), attempts.c.failures >= free)
    return session.scalar(sa.select(sa.func.count()).select_from(attempts).where(*waiting)) or 0


@cache
def _first(dialect: str) -> Any:
    """Return the statement that begins a counter, unless it is there."""
    if dialect in _MYSQL:
        begin = sa.insert(attempts).prefix_with("IGNORE")
    else:
        begin = _INSERT[dialect](attempts).on_conflict_do_nothing()
    return begin.execution_options(preserve_rowcount=True)


@cache
def _one_more(dialect: str) -> Any:
    """Return the statement that counts a network's failure, in the window that is open or in a new one."""
    end = bindparam("end", type_=UTCDateTime)
    is_open = (attempts.c.forget_at > bindparam("now")) & (attempts.c.forget_at <= bindparam("latest"))
    first = {"key": bindparam("network"), "failures": 1, "blocked_until": end, "forget_at": end}
    # In this order: MySQL looks at what it has just set.
    more = {
        "failures": sa.case((is_open, attempts.c.failures + 1), else_=1),
        "blocked_until": sa.case((is_open, attempts.c.blocked_until), else_=end),
        "forget_at": sa.case((is_open, attempts.c.forget_at), else_=end),
    }
    if dialect in _MYSQL:
        return mysql.insert(attempts).values(first).on_duplicate_key_update(list(more.items()))
    return _INSERT[dialect](attempts).values(first).on_conflict_do_update(index_elements=["key"], set_=more)


_MYSQL = frozenset({"mysql", "mariadb"})
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
