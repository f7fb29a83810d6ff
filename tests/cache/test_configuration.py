"""What STORMPATH_CACHE may be, and what is said of what it may not."""

from datetime import timedelta

import pytest

from stormpath_app.cache import MemcachedStore, MemoryStore, RedisStore
from stormpath_app.cache.configuration import check, configured
from stormpath_app.cache.memcached_store import MemcachedStore as AtItsOldPlace
from stormpath_app.cache.region import Lifetime

USUAL = Lifetime(300, 300)


@pytest.fixture
def say(context):
    """Return a function that sets the setting, and returns what is wrong with it."""

    def say(value):
        context.config["STORMPATH_CACHE"] = value
        return [problem.sentence for problem in check()]

    return say


def test_without_it_everything_is_kept_in_memory_for_five_minutes(say):
    assert say(None) == []
    assert configured().store is MemoryStore
    assert set(configured().lifetimes.values()) == {USUAL}


def test_false_keeps_nothing(say):
    assert say(False) == []
    assert configured() is None


@pytest.mark.parametrize("store", [RedisStore, "redis", MemcachedStore, "memcached", MemoryStore, "memory"])
def test_a_store_is_given_by_its_class_or_name(say, store):
    assert say({"store": store, "store_opts": {}}) == []
    assert configured().store.__name__.lower().removesuffix("store") == str(
        getattr(store, "__name__", store)
    ).lower().removesuffix("store")


def test_the_modules_have_the_names_that_they_always_had():
    assert AtItsOldPlace is MemcachedStore


def test_a_region_may_have_times_of_its_own(say):
    assert say({"ttl": 60, "regions": {"policies": {"ttl": timedelta(minutes=10), "tti": 5}}}) == []
    lifetimes = configured().lifetimes
    assert (lifetimes["sessions"], lifetimes["policies"]) == (Lifetime(60, 300), Lifetime(600, 5))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"stor": RedisStore}, "has no 'stor'. Did you mean store?"),
        ({"store": dict}, "it must be one of MemoryStore"),
        ({"store": ["redis"]}, "it must be one of MemoryStore"),
        ({"store_opts": 7}, "['store_opts'] must be a dictionary"),
        ({"ttl": 0}, "['ttl'] must be a number of seconds"),
        ({"tti": "soon"}, "['tti'] must be a number of seconds"),
        ({"ttl": True}, "['ttl'] must be a number of seconds"),
        ({"ttl": 90_000}, "of a day at most"),
        ({"ttl": float("nan")}, "['ttl'] must be a number of seconds"),
        ({"tti": 1e300}, "of a day at most"),
        ({"store_opts": {"size": "many"}}, "['store_opts']['size'] must be a whole number"),
        ({"store_opts": {"size": 0}}, "['store_opts']['size'] must be a whole number"),
        ({"store": "memory", "store_opts": {"sise": 5}}, "['store_opts'] has no 'sise'. Did you mean size?"),
        ({"store": RedisStore, "store_opts": {"socket_timeout": "soon"}}, "nothing that RedisStore can be made with"),
        ({"store": MemcachedStore, "store_opts": {"timeout": "soon"}}, "nothing that MemcachedStore can be made with"),
        ({"regions": {"session": {}}}, "['regions'] has no 'session'. Did you mean sessions?"),
        ({"regions": {"sessions": 5}}, "['regions']['sessions'] must be a dictionary"),
        ({"regions": {"sessions": {"tll": 5}}}, "['regions']['sessions'] has no 'tll'. Did you mean ttl?"),
        ({"regions": {"sessions": {"ttl": -5}}}, "['regions']['sessions']['ttl'] must be"),
    ],
)
def test_what_cannot_be_is_told(say, value, told):
    (sentence,) = say(value)
    assert told in sentence
