"""Counts: how often rows were found, in this process, and by the hour of all processes together."""

import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from .. import clock
from ..transactions import short_of_patience
from .region import NAMES
from .tables import counts

#: How often a process adds what it counted to what all did, in seconds.
EVERY = 60
#: How long the hours are kept.
KEPT = timedelta(days=90)


class Stats(NamedTuple):
    """How often rows of a region were asked for and found, and how often they had to be read."""

    hits: int = 0
    misses: int = 0

    @property
    def hit_rate(self) -> float | None:
        """The part that was found, from 0 to 1; None: nothing was asked for."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


class Counts:
    """What one process counts. It writes that down now and then, and loses a minute of it at most when it ends."""

    def __init__(self) -> None:
        self._hits, self._misses = dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 0)
        self._written = dict.fromkeys(NAMES, Stats())
        self._next = time.monotonic() + EVERY

    def count(self, region: str, *, is_hit: bool) -> None:
        """Count one row that was asked for."""
        (self._hits if is_hit else self._misses)[region] += 1

    def stats(self) -> dict[str, Stats]:
        """Return what was counted since the process began."""
        return {name: Stats(self._hits[name], self._misses[name]) for name in NAMES}

    def are_due(self) -> bool:
        """Tell whether it is time to write; who is told so does it, and nobody else is told."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + EVERY
        return True

    def write(self, engine: sa.Engine) -> None:
        """Add what was counted since the last time, in transactions of its own; best effort, as nobody waits for it."""
        hour = clock.now().replace(minute=0, second=0, microsecond=0)
        for name, now in self.stats().items():
            before = self._written[name]
            more = {"hits": now.hits - before.hits, "misses": now.misses - before.misses}
            if any(more.values()):
                with contextlib.suppress(SQLAlchemyError):
                    _add(engine, {"hour": hour, "region": name}, more)
                    self._written[name] = now


def _add(engine: sa.Engine, row: dict[str, object], more: dict[str, int]) -> None:
    this = (counts.c[name] == value for name, value in row.items())
    added = {name: counts.c[name] + number for name, number in more.items()}
    with engine.connect() as connection, short_of_patience(connection), connection.begin():
        if not connection.execute(sa.update(counts).where(*this).values(added)).rowcount:
            connection.execute(sa.insert(counts).values({**row, **more}))  # of two at once one fails, and comes again


def since(connection: sa.Connection, hours: int) -> dict[str, Stats]:
    """Return what all processes wrote of the last so many hours, the one that is not over included."""
    first = clock.now().astimezone(UTC) - timedelta(hours=hours)
    sums = sa.select(counts.c.region, sa.func.sum(counts.c.hits), sa.func.sum(counts.c.misses))
    rows = connection.execute(sums.where(counts.c.hour > first).group_by(counts.c.region))
    return {name: Stats() for name in NAMES} | {name: Stats(int(hits), int(misses)) for name, hits, misses in rows}


def forget(connection: sa.Connection) -> int:
    """Forget hours that are long over; return how many rows there were."""
    before: datetime = clock.now() - KEPT
    return connection.execute(sa.delete(counts).where(counts.c.hour < before)).rowcount
