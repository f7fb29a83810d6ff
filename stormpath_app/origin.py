"""Who acts, from where and through which interface: what verbs read for throttle and audit instead of a request."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Device:
    """A browser that somebody logged in on before. `accounts`: the ids of the last few who did, newest first."""

    id: str
    accounts: tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """Where a change comes from.

    `actor`: the id of the account that acts, or None, and `actor_name`: its e-mail address, for when it is gone;
    `session`: the id of its login; `address`: the network address; `user_agent`: as the client tells it; `device`: the
    browser, if it is known; `interface`: "web", "admin", "cli" or "python"; `reason`: why, in the words of who acts.
    """

    actor: str | None = None
    address: str | None = None
    user_agent: str | None = None
    device: Device | None = None
    interface: str = "python"
    session: str | None = None
    actor_name: str | None = None
    reason: str | None = None


_entered: ContextVar[Origin | None] = ContextVar("stormpath_origin", default=None)
_sources: list[Callable[[], Origin | None]] = []


def add_source(source: Callable[[], Origin | None]) -> None:
    """Ask `source` where nobody entered an origin; it returns None where it does not know.

    The manager adds the one that reads Flask's request, so that nothing is built for a request that never asks.
    """
    if source not in _sources:
        _sources.append(source)


def current() -> Origin:
    """Return the origin that was entered, else what a source knows, else plain Python."""
    entered = _entered.get()
    if entered is not None:
        return entered
    return next((found for source in _sources if (found := source()) is not None), Origin())


@contextmanager
def acting(origin: Origin) -> Iterator[Origin]:
    """Act as `origin` inside the block."""
    token = _entered.set(origin)
    try:
        yield origin
    finally:
        _entered.reset(token)


def because(reason: str | None) -> AbstractContextManager[Origin]:
    """Act as before inside the block, and for this reason: the log tells it with each change."""
    return acting(replace(current(), reason=reason))
