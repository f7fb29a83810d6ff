"""Redis and memcached as people run them: a server of its own on a free port, and what can happen to it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from stormpath_app.cache.memcached_store import MemcachedStore
from stormpath_app.cache.redis_store import RedisStore
from stormpath_app.cache.store import Store

from .databases import Missing
from .servers import PATIENCE, free_port

RUBBISH = b"\x80\x04rubbish"


class CacheServer:
    """A server that keeps values at `port`. It can be killed, started again, frozen, emptied and filled with rubbish.

    `folder`: where it keeps what it has, if it does.
    """

    store_class: type[Store]
    timeouts: tuple[str, str]
    #: A client of the test's own.
    store: Store

    def __init__(self, folder: str) -> None:
        self.folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What the setting `store_opts` has."""
        return {"host": "127.0.0.1", "port": self.port}

    @property
    def patient(self) -> dict[str, Any]:
        """The same for a test in which nobody may give up because this machine is busy."""
        return {**self.options, **dict.fromkeys(self.timeouts, PATIENCE)}

    def new_store(self, **more: Any) -> Store:
        """Return a client of our own, as another process has one."""
        return self.store_class(**{**self.options, **more})

    def start(self) -> None:
        """Start it, and return when it answers."""
        self.store = self.store_class(**self.patient)  # what the last one was connected to is gone
        self._process = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it answer nothing, though it can be connected to."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)  # it goes on for a moment

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """End it and start it again."""
        self.kill()
        self.start()

    def flush(self) -> None:
        """Forget everything."""
        raise NotImplementedError

    def all_keys(self) -> list[str]:
        """Return the keys that it has."""
        raise NotImplementedError

    def fill_with_rubbish(self, value: bytes = RUBBISH) -> None:
        """Put a value in the place of every other."""
        for key in self.all_keys():
            self.store.set(key, value, 600)

    def swap(self) -> None:
        """Give every key the value of another."""
        keys = self.all_keys()
        values = self.store.get_many(keys)
        for key, value in zip(keys, values[1:] + values[:1], strict=True):
            self.store.set(key, value or b"", 600)

    def _command(self) -> list[str]:
        raise NotImplementedError


class RedisServer(CacheServer):
    """Redis. It keeps what it has on disk when `save()` says so, and comes back with that."""

    store_class = RedisStore
    timeouts = "socket_timeout", "socket_connect_timeout"

    def _command(self) -> list[str]:
        limits = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.folder]
        return [_program("redis-server"), *limits, "--save", "", "--appendonly", "no"]

    def flush(self) -> None:
        self.store.client.flushall()

    def all_keys(self) -> list[str]:
        return [key.decode() for key in self.store.client.keys("*")]

    def save(self) -> None:
        """Write what there is to disk."""
        self.store.client.save()

    def commands(self) -> int:
        """Return how many commands it has been given."""
        told: int = self.store.client.info("stats")["total_commands_processed"]
        return told


class MemcachedServer(CacheServer):
    """memcached."""

    store_class = MemcachedStore
    timeouts = "timeout", "connect_timeout"

    def _command(self) -> list[str]:
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        return [
            _program("memcached"),
            "-l",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "0",
            "-m",
            "64",
            "-o",
            "no_modern",
            *user,
        ]

    def flush(self) -> None:
        self.store._ask(lambda client: client.flush_all())

    def all_keys(self) -> list[str]:
        # Neither that nor the dump of newer servers shows what is in the lists of those: there is one here.
        items = self.store._ask(lambda client: client.stats("items"))
        slabs = {key.split(b":")[1].decode() for key in items}
        return [key.decode() for slab in slabs for key in self.store.client.stats("cachedump", slab, "0")]


@contextlib.contextmanager
def redis() -> Iterator[RedisServer]:
    """Start Redis."""
    with _running(RedisServer) as found:
        yield found


@contextlib.contextmanager
def memcached() -> Iterator[MemcachedServer]:
    """Start memcached."""
    with _running(MemcachedServer) as found:
        yield found


@contextlib.contextmanager
def _running(kind: type[Any]) -> Iterator[Any]:
    with tempfile.TemporaryDirectory(prefix="cache-") as folder:
        server = kind(folder)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Missing(f"there is no {name} here")
    return found
