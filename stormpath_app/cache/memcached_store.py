"""MemcachedStore: rows that several processes and machines share, in memcached."""

from collections.abc import Callable, Sequence
from typing import Any

from .store import PATIENCE, RACES, Change, Store, Unreachable


class MemcachedStore(Store):
    """One memcached. `store_opts`: `host` and `port`, or `server` for a socket's path, and what pymemcache takes."""

    extra, timeout = "memcached", "timeout"

    def _open(self) -> Any:
        from pymemcache.client.base import PooledClient

        options = {"host": "localhost", "port": 11211, **self._options}
        address = options.pop("host"), int(options.pop("port"))
        limits = {"connect_timeout": PATIENCE, "timeout": PATIENCE, "no_delay": True}
        return PooledClient(**{"server": address, **limits, **options, "default_noreply": False})

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Ask for the values."""
        found = self._ask(lambda client: client.get_many(keys))
        return [found.get(key) for key in keys]

    def set(self, key: str, value: bytes, seconds: int) -> None:
        """Keep a value."""
        self._ask(lambda client: client.set(key, value, expire=seconds))

    def touch(self, key: str, seconds: int) -> None:
        """Keep it for longer."""
        self._ask(lambda client: client.touch(key, expire=seconds))

    def change(self, key: str, change: Change) -> bytes:
        """Change a value, unless somebody else does meanwhile; then again."""
        changed: bytes = self._ask(lambda client: self._change(client, key, change))
        return changed

    def _change(self, client: Any, key: str, change: Change) -> bytes:
        for _race in range(RACES):
            old, number = client.gets(key)
            wanted = change(old)
            if wanted is None:
                return old  # type: ignore[no-any-return]
            value, seconds = wanted
            if number is None:
                is_done = client.add(key, value, expire=seconds)
            else:
                is_done = client.cas(key, value, number, expire=seconds)
            if is_done:
                return value
        raise Unreachable("others are always quicker")

    def delete(self, key: str) -> None:
        """Forget it."""
        self._ask(lambda client: client.delete(key))

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        from pymemcache.exceptions import MemcacheError, MemcacheUnexpectedCloseError

        idle = len(self.client.client_pool.free)  # which may have ended, all of them
        while True:
            try:
                return question(self.client)
            except (MemcacheError, OSError, ValueError) as error:  # a ValueError: an answer that cannot be read
                has_ended = isinstance(error, ConnectionError | MemcacheUnexpectedCloseError)
                if not has_ended or not idle:
                    raise Unreachable(f"{type(error).__name__}: {error}") from error
                idle -= 1
