"""What STORMPATH_CACHE says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..settings import Problem, closest, duration, settings
from .memcached_store import MemcachedStore
from .memory_store import SIZE, MemoryStore
from .redis_store import RedisStore
from .region import NAMES, Lifetime
from .store import Store

#: The names that environment variables can give for a store.
STORES: dict[str, type] = {"memory": MemoryStore, "redis": RedisStore, "memcached": MemcachedStore}
#: As long as Stormpath's own libraries kept what they had read, and the longest that may be set, in seconds.
_USUAL = 300
_LONGEST = 86_400
_KEYS = ("store", "store_opts", "ttl", "tti", "regions")


@dataclass(frozen=True)
class Configuration:
    """A store, what it is opened with, and how long rows of each region are kept."""

    store: type
    options: Mapping[str, Any]
    lifetimes: Mapping[str, Lifetime]


def configured() -> Configuration | None:
    """Return what the settings of the current app say; None: nothing is to be kept."""
    given = settings.CACHE
    if given is False:
        return None
    given = given or {}
    named, regions = given.get("store", MemoryStore), given.get("regions", {})
    lifetimes = {name: _lifetime({**given, **regions.get(name, {})}) for name in NAMES}
    store = STORES[named] if isinstance(named, str) else named
    return Configuration(store, given.get("store_opts", {}), lifetimes)


def _lifetime(given: Mapping[str, Any]) -> Lifetime:
    ttl, tti = (duration(given.get(name, _USUAL)).total_seconds() for name in Lifetime._fields)
    return Lifetime(ttl, tti)


def check() -> Iterator[Problem]:
    """Yield what is wrong with STORMPATH_CACHE."""
    given = settings.CACHE
    if given is None or given is False:
        return
    yield from _check_keys("", given, _KEYS)
    store = given.get("store", MemoryStore)
    if store not in [*STORES, *STORES.values()]:  # a list, as it may be anything
        stores = ", ".join(known.__name__ for known in STORES.values())
        yield Problem(
            f"STORMPATH_CACHE['store'] is none of ours: it must be one of {stores}, or its name in lower case."
        )
        return
    for name, kind in (("store_opts", Mapping), ("regions", Mapping)):
        if not isinstance(given.get(name, {}), kind):
            yield Problem(f"STORMPATH_CACHE[{name!r}] must be a dictionary.")
            return
    yield from _check_options(STORES.get(store, store), given.get("store_opts", {}))
    yield from _check_lifetime("", given)
    for region, its in given.get("regions", {}).items():
        where = f"['regions'][{region!r}]"
        if region not in NAMES:
            yield Problem(f"STORMPATH_CACHE['regions'] has no {region!r}.{closest(str(region), NAMES)}")
        elif not isinstance(its, Mapping):
            yield Problem(f"STORMPATH_CACHE{where} must be a dictionary.")
        else:
            yield from _check_keys(where, its, Lifetime._fields)
            yield from _check_lifetime(where, its)


def _check_options(store: type, options: Mapping[str, Any]) -> Iterator[Problem]:
    """Make the client of a shared store, which connects nowhere yet. What it is told is shown to nobody."""
    if not issubclass(store, Store):
        yield from _check_keys("['store_opts']", options, ("size",))
        size = options.get("size", SIZE)
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            yield Problem("STORMPATH_CACHE['store_opts']['size'] must be a whole number, 1 or more.")
        return
    try:
        made = store(**options)
        made.client, made.patience  # noqa: B018 - they are made when they are asked for
    except ImportError:
        yield Problem(
            f"STORMPATH_CACHE['store'] is {store.__name__}, whose client is not installed:"
            f" pip install 'stormpath-app[{store.extra}]'."
        )
    except (TypeError, ValueError) as error:
        told = f": {error}" if isinstance(error, TypeError) else ""  # the other may quote a password
        yield Problem(f"STORMPATH_CACHE['store_opts'] is nothing that {store.__name__} can be made with{told}.")


def _check_keys(where: str, given: Mapping[Any, Any], known: tuple[str, ...]) -> Iterator[Problem]:
    for key in given:
        if key not in known:
            yield Problem(f"STORMPATH_CACHE{where} has no {key!r}.{closest(str(key), known)}")


def _check_lifetime(where: str, given: Mapping[str, Any]) -> Iterator[Problem]:
    for name in Lifetime._fields:
        value = given.get(name, _USUAL)
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= _LONGEST:
            yield Problem(
                f"STORMPATH_CACHE{where}[{name!r}] must be a number of seconds, or a timedelta, of a day at most."
            )
