"""Bulkhead: how many passwords a process hashes at once, so that a flood of logins sinks nothing but logins.

A hash keeps a core busy for a fifth of a second, by design. So a process has as many places as it may use cores, and a
short queue before them; who finds it full is refused at once, before anything is counted.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import BoundedSemaphore

from .errors import TooManyAtOnce
from .settings import settings
from .transactions import release

#: So many may wait for each place. Each of them keeps a thread of the server from answering others.
QUEUE = 2
#: How long they wait, in seconds.
PATIENCE = 2


class _Bulkhead:
    """So many places, and the queue before them."""

    def __init__(self, places: int) -> None:
        self._places = BoundedSemaphore(places)
        self._inside = BoundedSemaphore(places * (1 + QUEUE))

    def is_full(self) -> bool:
        """Tell whether nobody else may wait."""
        if not self._inside.acquire(blocking=False):
            return True
        self._inside.release()
        return False

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place."""
        if not self._inside.acquire(blocking=False):
            raise TooManyAtOnce
        try:
            self._wait()
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._inside.release()

    def _wait(self) -> None:
        if self._places.acquire(blocking=False):
            return
        release()  # others need the connection
        if not self._places.acquire(timeout=PATIENCE):
            raise TooManyAtOnce


# By the process, as a fork has its parent's places without the threads that would give them back; and by their number,
# so that apps with the same setting share them.
_bulkheads: dict[tuple[int, int], _Bulkhead] = {}
_has_place: ContextVar[bool] = ContextVar("stormpath_has_place", default=False)


@contextmanager
def place() -> Iterator[None]:
    """Hold one of the process's places for hashes inside the block; who has one needs no other.

    It comes before all that counts a try, and holds until that is settled: an overload is nobody's failure.

    :raises TooManyAtOnce: all are taken, and as many wait as may, or it took too long.
    """
    if _has_place.get():
        yield
        return
    with _here().place():
        token = _has_place.set(True)
        try:
            yield
        finally:
            _has_place.reset(token)


def is_full() -> bool:
    """Tell whether who comes now is refused, before work that would be for nothing. No place is kept for them."""
    return not _has_place.get() and _here().is_full()


def _here() -> _Bulkhead:
    key = os.getpid(), settings.HASH_CONCURRENCY or _cores()
    return _bulkheads.get(key) or _bulkheads.setdefault(key, _Bulkhead(key[1]))


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
