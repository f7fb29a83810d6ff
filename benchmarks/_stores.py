"""The cache's stores that this machine has; Redis and memcached are started, each for the run alone."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).resolve().parent.parent))
from tests import caches

STORES = ("memory", "redis", "memcached")
#: How the servers are started; the program and the library that each needs.
_SERVERS = {"redis": caches.redis, "memcached": caches.memcached}
_NEEDED = {"redis": ("redis-server", "redis"), "memcached": ("memcached", "pymemcache")}


def missing(store: str) -> list[str]:
    """Return what is not installed of what a store needs."""
    if store not in _NEEDED:
        return []
    program, library = _NEEDED[store]
    return [program] * (shutil.which(program) is None) + [library] * (find_spec(library) is None)


def installed() -> list[str]:
    """Return the stores that this machine has."""
    return [store for store in STORES if not missing(store)]


@contextmanager
def started(store: str) -> Iterator[dict[str, Any]]:
    """Give what STORMPATH_CACHE says for a store, whose server runs meanwhile."""
    if store not in _SERVERS:
        yield {"store": store}
        return
    with _SERVERS[store]() as server:
        yield {"store": store, "store_opts": server.options}
