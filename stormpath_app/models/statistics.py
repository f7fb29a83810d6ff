"""Numbers of what happened: hours and days that are over are counted once and kept, the rest is counted when asked for.

So the numbers of a quarter cost what one hour's events cost. What was never looked at is counted bit by bit: a look
counts `_MOST_EVENTS` of old, and says from when on its numbers are whole.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from .. import clock
from ..database import UTCDateTime, metadata, session
from ..transactions import atomic
from .base import Id, first_id, made_at
from .event import AuditEvent

REGISTRATIONS, LOGINS, FAILURES = "account.created", "login.succeeded", "login.failed"
RESETS = "password_reset.completed"
COUNTED = (REGISTRATIONS, LOGINS, FAILURES, RESETS)
#: The accounts that logged in, each once a day.
ACTIVE = "active"

#: A row for each directory and kind; under the directory "", of all directories and none, and there one of the kind ""
#: too, which says that the hour or day was counted.
counts = sa.Table(
    "stormpath_event_counts",
    metadata,
    sa.Column("hours", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("directory_id", Id, primary_key=True),
    sa.Column("begins_at", UTCDateTime, primary_key=True),
    sa.Column("kind", sa.String(64), primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)
_ALL = _DONE = ""

_LATE = timedelta(minutes=5)  # a transaction may take so long between its event's id and its commit
#: What one look counts of the past: it goes on until it has counted so many events.
_MOST_EVENTS = 50_000
_HOURS_KEPT = timedelta(days=3)


class _Part(NamedTuple):
    """An hour or a day in UTC."""

    begins_at: datetime
    hours: int

    @property
    def ends_at(self) -> datetime:
        return self.begins_at + timedelta(hours=self.hours)

    @classmethod
    def around(cls, at: datetime, hours: int) -> Self:
        """Return the one that a moment is in."""
        whole = at.replace(minute=0, second=0, microsecond=0)
        return cls(whole if hours == 1 else whole.replace(hour=0), hours)

    def before(self, times: int = 1) -> Self:
        return self._replace(begins_at=self.begins_at - times * timedelta(hours=self.hours))


@dataclass(frozen=True)
class Point:
    """What happened in an hour or a day, the last one of which may not be over: kind -> how often."""

    begins_at: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Numbers:
    """What happened in a period and in the one before it, which ends as long ago as this one is long.

    `whole_since`: what is older is not counted yet; None: all is. `active`, `active_before`: how many accounts logged
    in a day, on average of the last days that are over; None: there is none.
    """

    points: list[Point]
    before: list[Point]
    whole_since: datetime | None
    active: float | None
    active_before: float | None

    def total(self, kind: str) -> int:
        """Return how often it happened in the period."""
        return sum(point.counts.get(kind, 0) for point in self.points)

    def total_before(self, kind: str) -> int | None:
        """Return how often it happened in the period before; None: that is not counted yet."""
        if self.whole_since and self.whole_since > self.before[0].begins_at:
            return None
        return sum(point.counts.get(kind, 0) for point in self.before)


@dataclass(frozen=True)
class _Scope:
    """Whose events count. `directory_ids`: of these directories alone; None: all but those of `without`."""

    directory_ids: Collection[str] | None
    without: Collection[str]

    def counted(self) -> tuple[list[str], frozenset[str]]:
        """Return the directories whose kept counts are added up, and those that are taken away of them."""
        if self.directory_ids is not None:
            return sorted(set(self.directory_ids) - set(self.without)), frozenset()
        return [_ALL, *self.without], frozenset(self.without)

    def condition(self) -> sa.ColumnElement[bool]:
        if self.directory_ids is not None:
            return AuditEvent.directory_id.in_(self.counted()[0])
        if not self.without:
            return sa.true()
        return sa.or_(AuditEvent.directory_id.is_(None), AuditEvent.directory_id.not_in(self.without))


def numbers(days: int, *, directory_ids: Collection[str] | None = None, without: Collection[str] = ()) -> Numbers:
    """Return the numbers of the last days, by the day; of one day, by the hour.

    :param directory_ids: of the accounts of these directories alone; None: of all.
    :param without: but not of these.
    """
    scope, now = _Scope(directory_ids, without), clock.now()
    hours, length = (1, 24) if days == 1 else (24, days)
    period = timedelta(days=days)
    current, earlier = _Part.around(now, hours), _Part.around(now - period, hours)
    lately = [current.before(ago) for ago in reversed(range(length))]
    before = [earlier.before(ago) for ago in reversed(range(length))]
    today = _Part.around(now, 24)
    past = [today.before(ago) for ago in range(1, 2 * days + 1)]
    known = _Known(scope, now)
    known.load({*lately, *before, *past, *_hours(current, now), *_hours(earlier, now - period)})
    return Numbers(
        points=[Point(part.begins_at, known.count(part, now)) for part in lately],
        before=[Point(part.begins_at, known.count(part, now - period)) for part in before],
        whole_since=known.whole_since,
        active=known.average(past[:days]),
        active_before=known.average(past[days:]),
    )


def _hours(part: _Part, until: datetime) -> list[_Part]:
    """Return the whole hours of a day up to a moment."""
    passed = int((until - part.begins_at) // timedelta(hours=1))
    return [_Part(part.begins_at + timedelta(hours=hour), 1) for hour in range(min(passed, part.hours))]


class _Known:
    """The counts that are kept, and those that are made now."""

    def __init__(self, scope: _Scope, now: datetime) -> None:
        self._scope, self._now = scope, now
        self._counts: dict[_Part, Counter[str]] = {}
        #: Nothing is older: the log has nothing before, or kept nothing.
        self._first = made_at(first) if (first := session.scalar(_FIRST)) else now
        self.whole_since: datetime | None = None

    def load(self, wanted: set[_Part]) -> None:
        """Read the counts of hours and days that are over; count what was never counted, as much as one look may."""
        over = {part for part in wanted if part.ends_at + _LATE <= self._now}
        for hours in (1, 24):
            self._read([part for part in over if part.hours == hours])
        missing = sorted(
            (part for part in over if part not in self._counts and part.ends_at > self._first), reverse=True
        )
        left = _count(missing)
        for hours in (1, 24):
            self._read([part for part in missing if part.hours == hours and part not in left])
        self.whole_since = max((part.ends_at for part in left), default=None)

    def _read(self, parts: list[_Part]) -> None:
        if not parts:
            return
        added, taken = self._scope.counted()
        rows = session.execute(
            sa.select(counts).where(
                counts.c.hours == parts[0].hours,
                counts.c.directory_id.in_({*added, _ALL}),
                counts.c.begins_at.in_([part.begins_at for part in parts]),
            )
        )
        for hours, directory_id, begins_at, kind, count in rows:
            found = self._counts.setdefault(_Part(begins_at, hours), Counter())
            if directory_id in taken:
                found[kind] -= count
            elif directory_id in added:
                found[kind] += count

    def count(self, part: _Part, until: datetime) -> Mapping[str, int]:
        """Return what happened in an hour or a day until a moment."""
        if part in self._counts and part.ends_at <= until:
            return self._counts[part]
        if part.ends_at <= self._first or (self.whole_since and part.begins_at < self.whole_since):
            return {}
        found: Counter[str] = Counter()
        begins_at, ends_at = part.begins_at, min(part.ends_at, until)
        for hour in _hours(part, until) if part.hours > 1 else ():
            if hour not in self._counts:
                break
            found.update(self._counts[hour])
            begins_at = hour.ends_at
        live = sa.select(AuditEvent.kind, sa.func.count()).where(*_within(begins_at, ends_at), self._scope.condition())
        for kind, count in session.execute(live.group_by(AuditEvent.kind)):
            found[kind] += count
        return found

    def average(self, days: list[_Part]) -> float | None:
        """Return how many accounts logged in a day, of these that are counted."""
        known = [self._counts[day][ACTIVE] for day in days if day in self._counts]
        return sum(known) / len(known) if known else None


def _within(begins_at: datetime, ends_at: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the condition for events of a period, which the index of kinds answers."""
    return AuditEvent.kind.in_(COUNTED), AuditEvent.id >= first_id(begins_at), AuditEvent.id < first_id(ends_at)


def count_all() -> int:
    """Count all days that are over and were never counted, for who prunes the log; return how many there were."""
    first = session.scalar(_FIRST)
    if first is None:
        return 0
    now = clock.now()
    day, done = _Part.around(made_at(first), 24), 0
    is_kept = (counts.c.hours == 24, counts.c.directory_id == _ALL, counts.c.kind == _DONE)
    kept = set(session.scalars(sa.select(counts.c.begins_at).where(*is_kept)))
    while day.ends_at + _LATE <= now:
        if day.begins_at not in kept:
            _count([day])
            done += 1
        day = day.before(-1)
    return done


def totals() -> Counter[str]:
    """Return how often each of COUNTED happened since the log began; no number ever falls, whatever was pruned."""
    count_all()
    # One statement: another process may count a day meanwhile.
    days = (counts.c.hours == 24, counts.c.directory_id == _ALL, counts.c.kind.in_((*COUNTED, _DONE)))
    kept = sa.select(counts.c.kind, sa.func.sum(counts.c.count), sa.func.max(counts.c.begins_at)).where(*days)
    found: Counter[str] = Counter()
    since = datetime.min.replace(tzinfo=UTC)
    for kind, count, last in session.execute(kept.group_by(counts.c.kind)):
        found[kind] = int(count)
        since = max(since, last + timedelta(days=1))
    live = sa.select(AuditEvent.kind, sa.func.count()).where(
        AuditEvent.kind.in_(COUNTED), AuditEvent.id >= first_id(since)
    )
    for kind, count in session.execute(live.group_by(AuditEvent.kind)):
        found[kind] += count
    return found


def forget_hours() -> None:
    """Delete the counts of hours that nobody asks for any more, and commit: the days they were of are counted."""
    with atomic() as writing:
        old = (counts.c.hours == 1, counts.c.begins_at < clock.now() - _HOURS_KEPT)
        writing.connection().execute(sa.delete(counts).where(*old))


def _count(parts: list[_Part]) -> set[_Part]:
    """Count these and keep it, and commit; return those that were too many for one time."""
    rows: list[dict[str, Any]] = []
    left, events = list(parts), 0
    while left and events < _MOST_EVENTS:
        part = left.pop(0)
        found = _counted(part)
        events += sum(found[_ALL][kind] for kind in COUNTED)
        at = {"hours": part.hours, "begins_at": part.begins_at}
        rows += [
            {**at, "directory_id": directory_id, "kind": kind, "count": count}
            for directory_id, kinds in found.items()
            for kind, count in kinds.items()
        ]
        rows.append({**at, "directory_id": _ALL, "kind": _DONE, "count": 0})
    if rows:
        with suppress(SQLAlchemyError), atomic() as writing:  # another one may count the same
            connection = writing.connection()
            connection.execute(_keep(connection.dialect.name), rows)
    return set(left)


def _counted(part: _Part) -> dict[str, Counter[str]]:
    """Count an hour or a day: the id of a directory, or "" for all -> kind -> how often."""
    found: dict[str, Counter[str]] = {_ALL: Counter()}
    of_the_time = _within(part.begins_at, part.ends_at)
    directory_id = AuditEvent.directory_id
    every = sa.select(directory_id, AuditEvent.kind, sa.func.count()).where(*of_the_time)
    rows = list(session.execute(every.group_by(directory_id, AuditEvent.kind)))
    if part.hours == 24 and rows:
        people = sa.select(directory_id, sa.literal(ACTIVE), sa.func.count(AuditEvent.account_id.distinct()))
        rows += session.execute(people.where(*of_the_time, AuditEvent.kind == LOGINS).group_by(directory_id))
    for whose, kind, count in rows:
        for place in {_ALL, whose or _ALL}:
            found.setdefault(place, Counter())[kind] += count
    return found


def _keep(dialect: str) -> Any:
    """Return the statement that keeps a count, unless it is kept."""
    if dialect in {"mysql", "mariadb"}:
        return mysql.insert(counts).prefix_with("IGNORE")
    return _INSERT[dialect](counts).on_conflict_do_nothing()


_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_FIRST = sa.select(AuditEvent.id).order_by(AuditEvent.id).limit(1)


# --- One account, and those of a list ---

#: How many of its last events are looked at for one account of a list, and for its own page.
_OF_A_LIST, _OF_ONE = 400, 20_000


@dataclass(frozen=True)
class Logins:
    """An account's logins. `last`: when the last one was, None: none is known; `days`: how many on each of the last
    days, today's behind; `failures`: how many were refused."""

    last: datetime | None
    days: list[int]
    failures: list[int]


def logins(account_ids: Iterable[str], days: int = 30) -> dict[str, Logins]:
    """Return the logins of the accounts of a list, in one statement, as far as their last few hundred events tell."""
    ids = list(account_ids)
    return {id_: _logins(rows, days) for id_, rows in _attempts(ids, _OF_A_LIST).items()}


def logins_of(account_id: str, days: int = 365) -> Logins:
    """Return the logins of one account, as far as its last 20 000 events tell."""
    return _logins(_attempts([account_id], _OF_ONE)[account_id], days)


def _attempts(ids: list[str], most: int) -> dict[str, list[tuple[str, datetime]]]:
    """Return kind and time of the attempts to log in among the last events of each account, the newest first."""
    found: dict[str, list[tuple[str, datetime]]] = {id_: [] for id_ in ids}
    if not ids:
        return found
    lanes = []
    for id_ in ids:
        last = sa.select(AuditEvent.account_id, AuditEvent.id, AuditEvent.kind).where(AuditEvent.account_id == id_)
        lane = last.order_by(AuditEvent.id.desc()).limit(most).subquery()
        lanes.append(sa.select(lane).where(lane.c.kind.in_((LOGINS, FAILURES))))
    for account_id, event_id, kind in session.execute(sa.union_all(*lanes)):
        found[account_id].append((kind, made_at(event_id)))
    for attempts in found.values():
        attempts.sort(key=lambda attempt: attempt[1], reverse=True)
    return found


def _logins(attempts: list[tuple[str, datetime]], days: int) -> Logins:
    today = clock.now().date()
    tallies: dict[str, Counter[date]] = {LOGINS: Counter(), FAILURES: Counter()}
    for kind, at in attempts:
        tallies[kind][at.date()] += 1
    row = [today - timedelta(days=ago) for ago in reversed(range(days))]
    last = next((at for kind, at in attempts if kind == LOGINS), None)
    return Logins(last, [tallies[LOGINS][day] for day in row], [tallies[FAILURES][day] for day in row])
