"""Servers that keep rows, each test's own; and the time by which they are asked."""

from collections.abc import Iterator

import pytest

from stormpath_app.cache import reach
from tests.caches import CacheServer, RedisServer, memcached, redis
from tests.conftest import found_here


@pytest.fixture(params=[redis, memcached], ids=lambda kind: kind.__name__)
def cache_server(request: pytest.FixtureRequest) -> Iterator[CacheServer]:
    """Start Redis, and then memcached."""
    with found_here(request.param()) as server:
        yield server


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """Start Redis."""
    with found_here(redis()) as server:
        yield server


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def held_time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Hold the time that pauses, and the age of the generation, are measured by."""
    time = Time()
    monkeypatch.setattr(reach, "time", time)
    return time
