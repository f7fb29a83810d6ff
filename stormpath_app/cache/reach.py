"""What a process knows of the store and of the database: whether it answers, and which generation there is."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..transactions import reading
from .store import PATIENCE, Unreachable
from .tables import generation

#: A store that does not answer is left alone for so long, and twice as long each time, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0
#: How often the generation is read, in seconds, and how old what was read may be.
EVERY, OLDEST = 5.0, 10.0

_logger = logging.getLogger("stormpath_app")


class Line:
    """The way to the store. What does not answer is left alone for a while, and told of once.

    :param greet: what is done first when it answers again; until then nothing is asked.
    :param patience: how long all answers to a page may take together, before the last.
    """

    def __init__(self, greet: Callable[[], object], patience: float = PATIENCE) -> None:
        self._greet, self._patience = greet, patience
        self._lock = threading.Lock()
        self._pause, self._until = 0.0, 0.0
        #: When it was last tried whether it answers again.
        self._tried_at = 0.0

    @contextmanager
    def open(self, *, insist: bool = False) -> Iterator[Callable[[], None]]:
        """Let the store be asked. Gives what is called before each question but the first: it raises if all are slow.

        :param insist: ask it at once, as a change that it is not told of is late for those whom it answers already.
        :raises Unreachable: it did not answer in time, now or a moment ago.
        """
        if self._pause and not self._is_back(insist):
            raise Unreachable("it is left alone for a while")
        go_on = self._begin()
        try:
            yield go_on
        except Unreachable as error:
            self._lose(error)
            raise
        try:
            go_on()
        except Unreachable as error:  # what it answered is good all the same
            self._lose(error)

    def _begin(self) -> Callable[[], None]:
        """Return what raises `Unreachable` when it took too long since now."""
        end = time.monotonic() + self._patience

        def go_on() -> None:
            if time.monotonic() > end:
                raise Unreachable("it is slow")

        return go_on

    def _lose(self, error: Unreachable) -> None:
        with self._lock:
            if not self._pause:
                _logger.warning("The cache's store does not answer; the database does without it. (%s)", error)
                self._wait()

    def _is_back(self, insist: bool) -> bool:
        """Try again, if it is time: one thread does, and the others go on without; who insists waits for it."""
        asked = time.monotonic()
        if not insist and asked < self._until:
            return False
        if not self._lock.acquire(timeout=PATIENCE if insist else 0):
            return False
        try:
            if self._pause and self._tried_at <= asked:  # nobody was quicker
                self._tried_at = time.monotonic()
                go_on = self._begin()
                self._greet()
                go_on()
                self._pause = 0.0
                _logger.warning("The cache's store answers again.")
            return not self._pause
        except Unreachable:
            self._wait()
            return False
        finally:
            self._lock.release()

    def _wait(self) -> None:
        self._pause = min(max(FIRST_PAUSE, 2 * self._pause), LONGEST_PAUSE)
        self._until = time.monotonic() + self._pause


class Known(NamedTuple):
    """The generation, which a writer ends who cannot reach the store, and whose database it is."""

    n: int
    tenant_id: str


_TENANTS = sa.table("stormpath_tenants", sa.column("id"))
#: Asks for both.
KNOWN = sa.select(
    generation.c.n, sa.select(_TENANTS.c.id).order_by(_TENANTS.c.id).limit(1).scalar_subquery().label("tenant_id")
)
#: Begins another generation.
# Drawn, and not the next number: a backup that is put back must not come to one that was in use since it was made.
NEXT = sa.update(generation).values(n=sa.bindparam("drawn", callable_=lambda: secrets.randbits(31), type_=sa.Integer()))


class Generation:
    """The generation as this process read it a moment ago."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: tuple[Known | None, float] = None, 0.0
        self._next = 0.0

    def known(self) -> Known | None:
        """Return it, with one statement every few seconds; None: it cannot be known now."""
        if time.monotonic() >= self._next and self._lock.acquire(blocking=False):
            try:
                self._read()
            finally:
                self._lock.release()
        known, read_at = self._last
        return known if time.monotonic() - read_at < OLDEST else None

    def _read(self) -> None:
        began = time.monotonic()
        self._next = began + EVERY
        try:
            with reading() as connection:
                row = connection.execute(KNOWN).first()
        except SQLAlchemyError:
            self._next = began + FIRST_PAUSE
        else:
            self._last = Known(*row) if row and row.tenant_id else None, began
