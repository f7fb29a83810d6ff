"""RedisStore: rows that several processes and machines share, in Redis."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from .store import PATIENCE, RACES, Change, Store, Unreachable


class RedisStore(Store):
    """Redis, or what speaks its protocol. `store_opts`: `host`, `port`, `password`, … of `redis.Redis`, or a `url`."""

    extra, timeout = "redis", "socket_timeout"
    _life = ""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._mine = threading.local()

    def forget_client(self) -> None:
        """Connect anew from now on."""
        super().forget_client()
        self._mine = threading.local()

    def _open(self) -> Any:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # A connection that ended while it was idle is made anew, once; what is slow is not waited for again.
        retry = Retry(NoBackoff(), 1, (redis.ConnectionError,))
        limits = {"socket_connect_timeout": PATIENCE, "socket_timeout": PATIENCE, "retry": retry}
        options = {**limits, **self._options, "decode_responses": False, "redis_connect_func": self._meet}
        url = options.pop("url", None)
        client = redis.Redis.from_url(url, **options) if url else redis.Redis(**options)
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # an option that is none is told of now, and not to a page
        return client

    def _meet(self, connection: Any) -> None:
        """Ask each server which life it is in: one that ended may come back with what it had before."""
        connection.on_connect()
        connection.send_command("INFO", "server", check_health=False)
        told: bytes = connection.read_response()
        lines = dict(line.partition(b":")[::2] for line in told.splitlines())
        self._life = lines[b"run_id"][:16].decode("ascii", "replace")

    @property
    def life(self) -> str:
        """The id of the server's run."""
        return self._life

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Ask for the values: MGET, as a GET stumbles over what is no text."""
        values: list[bytes | None] = self._ask(lambda client: self._read(client, keys))
        return values

    def _read(self, client: Any, keys: Sequence[str]) -> Any:
        """Ask by a connection that this thread keeps: the client's own way takes longer than the answer does."""
        import redis

        if not hasattr(self._mine, "connection"):
            self._mine.connection = client.connection_pool.make_connection()
        connection = self._mine.connection
        try:
            connection.send_command("MGET", *keys)
            return connection.read_response()
        except redis.ConnectionError:  # it ended while it was idle, and is made anew
            connection.send_command("MGET", *keys)
            return connection.read_response()

    def set(self, key: str, value: bytes, seconds: int) -> None:
        """Keep a value."""
        self._ask(lambda client: client.set(key, value, ex=seconds))

    def touch(self, key: str, seconds: int) -> None:
        """Keep it for longer."""
        self._ask(lambda client: client.expire(key, seconds))

    def change(self, key: str, change: Change) -> bytes:
        """Change a value, unless somebody else does meanwhile; then again."""
        changed: bytes = self._ask(lambda client: self._change(client, key, change))
        return changed

    def _change(self, client: Any, key: str, change: Change) -> bytes:
        import redis

        with client.pipeline() as pipeline:
            for _race in range(RACES):
                pipeline.watch(key)
                (old,) = pipeline.mget([key])
                wanted = change(old)
                if wanted is None:
                    return old  # type: ignore[no-any-return]
                pipeline.multi()
                pipeline.set(key, wanted[0], ex=wanted[1])
                try:
                    pipeline.execute()
                    return wanted[0]
                except redis.WatchError:
                    pass
        raise Unreachable("others are always quicker")

    def delete(self, key: str) -> None:
        """Forget it."""
        self._ask(lambda client: client.delete(key))

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        import redis

        try:
            return question(self.client)
        except (redis.RedisError, OSError, KeyError) as error:  # a KeyError: it tells no run_id
            raise Unreachable(f"{type(error).__name__}: {error}") from error
