"""How often rows are found: of this process, and of all by the hour."""

from datetime import timedelta

import pytest

from stormpath_app import cache, user
from stormpath_app.cache import Stats
from stormpath_app.cache.counts import EVERY, KEPT, Counts
from stormpath_app.database import database

FRESH = {"sessions": Stats(), "applications": Stats(), "policies": Stats()}


@pytest.fixture
def counts():
    found = Counts()
    for is_hit in (True, True, True, False):
        found.count("sessions", is_hit=is_hit)
    return found


def test_the_hit_rate_is_the_part_that_was_found(counts):
    assert counts.stats() == {**FRESH, "sessions": Stats(3, 1)}
    assert counts.stats()["sessions"].hit_rate == 0.75
    assert counts.stats()["policies"].hit_rate is None


def test_all_processes_add_up_by_the_hour_and_nothing_twice(context, counts, held_clock):
    other = Counts()
    other.count("policies", is_hit=True)
    for each in (counts, other, counts):
        each.write(database.engine)
    held_clock.forward(hours=1)
    counts.count("sessions", is_hit=False)
    counts.write(database.engine)
    assert cache.recent_stats(1) == {**FRESH, "sessions": Stats(0, 1)}
    assert cache.recent_stats(2) == {**FRESH, "sessions": Stats(3, 2), "policies": Stats(1, 0)}


def test_what_cannot_be_written_comes_with_the_next_time(context, counts, held_clock, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("stormpath_app.cache.counts._add", _fail)
        counts.write(database.engine)
    assert cache.recent_stats(1) == FRESH
    counts.write(database.engine)
    assert cache.recent_stats(1)["sessions"] == Stats(3, 1)


def _fail(*_what):
    from sqlalchemy.exc import OperationalError

    raise OperationalError("", {}, Exception())


@pytest.mark.sqlite
def test_they_are_written_once_a_minute_after_a_response(held_clock, app, does, member):
    does.append(lambda: user.given_name)
    assert member.get("/do").text == "Han"
    with app.app_context():
        assert cache.recent_stats(1) == FRESH
        cache.counted()._next -= EVERY
    member.get("/do").close()
    with app.app_context():
        assert sum(cache.recent_stats(1)["sessions"]) == 2
        assert not cache.counted().are_due()
        assert sum(cache.stats()["sessions"]) == 2


@pytest.mark.settings(STORMPATH_CACHE=False)
def test_where_nothing_is_kept_nothing_is_counted(app, does, member):
    does.append(lambda: user.given_name)
    assert member.get("/do").text == "Han"
    with app.app_context():
        assert cache.stats() == FRESH


def test_old_hours_are_forgotten(context, counts, held_clock):
    counts.write(database.engine)
    held_clock.at += KEPT - timedelta(hours=1)
    cache.forget_counts()
    assert cache.recent_stats(24 * 100)["sessions"] == Stats(3, 1)
    held_clock.forward(hours=2)
    cache.forget_counts()
    assert cache.recent_stats(24 * 100) == FRESH
