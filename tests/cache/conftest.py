"""Servers that keep rows, each test's own."""

from collections.abc import Iterator

import pytest

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
