"""Numbers of what happened: right by the hour and the day, for all and for some directories, and counted once."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from stormpath_app import clock
from stormpath_app.database import session
from stormpath_app.models import AuditEvent, event, statistics
from stormpath_app.models.base import first_id
from stormpath_app.models.statistics import FAILURES, LOGINS, REGISTRATIONS, RESETS
from stormpath_app.transactions import atomic

from ..conftest import statements

NOON = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


@pytest.fixture
def at(context, held_clock):
    """Return a function that adds events of a moment to an empty log, and comes back to just after noon."""
    held_clock.at = NOON + timedelta(seconds=1)
    with atomic():
        session.execute(sa.delete(AuditEvent))

    def add(kind, ago=timedelta(), times=1, **places):
        held_clock.at = NOON - ago
        with atomic():
            for _ in range(times):
                event.record(kind, **places)
        held_clock.at = NOON + timedelta(seconds=1)

    return add


def hours(number):
    return timedelta(hours=number)


def days(number):
    return timedelta(days=number)


def test_a_site_without_events_has_zeros(at):
    for period in (1, 7, 30, 90):
        found = statistics.numbers(period)
        assert [found.total(kind) for kind in statistics.COUNTED] == [0, 0, 0, 0]
        assert (found.total_before(LOGINS), found.whole_since) == (0, None)
        assert len(found.points) == len(found.before) == (24 if period == 1 else period)


def test_a_day_is_told_by_the_hour_beside_the_day_before(at):
    at(LOGINS, hours(0), 2)
    at(LOGINS, hours(3), 3)
    at(LOGINS, hours(25), 4)
    at(FAILURES, hours(3))
    found = statistics.numbers(1)
    assert (found.total(LOGINS), found.total_before(LOGINS), found.total(FAILURES)) == (5, 4, 1)
    assert [point.counts.get(LOGINS, 0) for point in found.points][-4:] == [3, 0, 0, 2]
    assert found.points[-1].begins_at == NOON.replace(minute=0)


@pytest.mark.parametrize("period", [7, 30, 90])
def test_days_are_told_beside_as_many_before(at, period):
    for ago, times in ((0, 1), (1, 2), (period - 1, 3), (period, 4), (2 * period - 1, 5), (2 * period, 6)):
        at(LOGINS, days(ago), times)
    at(REGISTRATIONS, days(2))
    at(RESETS, days(period + 2))
    found = statistics.numbers(period)
    assert (found.total(LOGINS), found.total_before(LOGINS)) == (6, 9)
    assert (found.total(REGISTRATIONS), found.total_before(REGISTRATIONS)) == (1, 0)
    assert (found.total(RESETS), found.total_before(RESETS)) == (0, 1)


def test_the_period_before_ends_as_long_ago_as_this_one_is_long(at):
    at(LOGINS, days(7) + timedelta(minutes=1))
    at(LOGINS, days(7) - timedelta(minutes=1))  # later in that day than it is now
    found = statistics.numbers(7)
    assert (found.total(LOGINS), found.total_before(LOGINS)) == (0, 1)


def test_a_second_look_finds_the_same_and_counts_nothing_again(app, at):
    for ago in range(60):
        at(LOGINS, days(ago), 2)
    first = statistics.numbers(30)
    with statements(app) as sent:
        second = statistics.numbers(30)
    assert second == first
    assert [each for each in sent if "INSERT" in each] == []
    assert len(sent) < 10


def test_what_happened_after_the_first_look_counts(at, held_clock):
    at(LOGINS, days(1))
    statistics.numbers(7)
    at(LOGINS)
    assert statistics.numbers(7).total(LOGINS) == 2
    held_clock.forward(hours=1)
    with atomic():
        event.record(LOGINS)
    held_clock.forward(seconds=1)
    assert statistics.numbers(7).total(LOGINS) == 3
    held_clock.forward(days=1)
    assert statistics.numbers(7).total(LOGINS) == 3


def test_an_hour_is_kept_once_nobody_can_still_be_writing_it(at, held_clock):
    held_clock.at = NOON.replace(minute=2)
    statistics.numbers(1)
    kept = session.scalars(sa.select(statistics.counts.c.begins_at)).all()
    assert NOON.replace(hour=11, minute=0) not in kept


def test_each_directory_has_its_own_numbers(at):
    at(LOGINS, days(1), 2, directory_id="one")
    at(LOGINS, days(1), 3, directory_id="other")
    at(FAILURES, days(1), 4)
    at(LOGINS, hours(0), 1, directory_id="one")
    for _again in range(2):
        of_one = statistics.numbers(7, directory_ids=["one"])
        assert (of_one.total(LOGINS), of_one.total(FAILURES)) == (3, 0)
        but_one = statistics.numbers(7, without=["one"])
        assert (but_one.total(LOGINS), but_one.total(FAILURES)) == (3, 4)
        assert statistics.numbers(7).total(LOGINS) == 6
        assert statistics.numbers(7, directory_ids=[]).total(LOGINS) == 0


def test_accounts_that_log_in_count_once_a_day(at):
    for ago in (1, 2, 8):
        at(LOGINS, days(ago), 3, directory_id="one", account_id="han")
    at(LOGINS, days(1), directory_id="one", account_id="leia")
    found = statistics.numbers(7)
    assert found.active == pytest.approx(3 / 7, abs=0.2)
    assert statistics.numbers(1).active == 2
    assert statistics.numbers(1).active_before == 1


def test_a_look_after_a_long_pause_counts_a_part_and_says_so(at, monkeypatch):
    monkeypatch.setattr(statistics, "_MOST_EVENTS", 10)
    for ago in range(1, 60):
        at(LOGINS, days(ago), 3)
    first = statistics.numbers(30)
    assert first.whole_since is not None
    assert first.total(LOGINS) < 29 * 3
    assert first.total_before(LOGINS) is None
    for _look in range(30):
        last = statistics.numbers(30)
    assert last.whole_since is None
    assert (last.total(LOGINS), last.total_before(LOGINS)) == (29 * 3, 30 * 3)


def test_the_numbers_of_days_outlive_their_events(at):
    at(LOGINS, days(10), 3)
    assert statistics.count_all() == 10
    assert statistics.count_all() == 0
    with atomic():
        session.execute(sa.delete(AuditEvent))
    assert statistics.numbers(30).total(LOGINS) == 3


def test_hours_that_nobody_asks_for_are_forgotten(at, held_clock):
    at(LOGINS, hours(5))
    before = statistics.numbers(1).total(LOGINS)
    statistics.numbers(7)
    held_clock.forward(days=5)
    statistics.numbers(7)
    statistics.forget_hours()
    left = session.scalars(sa.select(statistics.counts.c.begins_at).where(statistics.counts.c.hours == 1)).all()
    assert all(clock.now() - one < days(3) for one in left)
    assert statistics.numbers(7).total(LOGINS) == before == 1


# --- Accounts ---


def test_the_logins_of_a_lists_accounts_are_found_by_one_statement(app, at):
    at(LOGINS, days(0), 2, account_id="han")
    at(LOGINS, days(3), 1, account_id="han")
    at(FAILURES, days(3), 4, account_id="han")
    at(LOGINS, days(40), 1, account_id="leia")
    at("account.updated", days(0), 1, account_id="leia")
    with statements(app) as sent:
        found = statistics.logins(["han", "leia", "nobody"])
    assert len(sent) == 1
    assert (found["han"].last, found["han"].days[-4:], found["han"].failures[-4:]) == (NOON, [1, 0, 0, 2], [4, 0, 0, 0])
    assert (found["leia"].last, sum(found["leia"].days)) == (NOON - days(40), 0)
    assert (found["nobody"].last, found["nobody"].days) == (None, [0] * 30)
    assert statistics.logins([]) == {}


def test_an_account_has_a_year_of_days(at):
    at(LOGINS, days(364), 2, account_id="han")
    at(LOGINS, days(365), 1, account_id="han")
    found = statistics.logins_of("han")
    assert (len(found.days), found.days[0], sum(found.days)) == (365, 2, 2)


# --- Numbers that only grow ---


def test_totals_are_of_all_time_whatever_was_pruned(at):
    at(LOGINS, days(400), 3)
    at(LOGINS, days(2), 2)
    at(LOGINS, hours(1))
    at(FAILURES, hours(13))  # yesterday
    assert (statistics.totals()[LOGINS], statistics.totals()[FAILURES], statistics.totals()[RESETS]) == (6, 1, 0)
    with atomic():
        session.execute(sa.delete(AuditEvent).where(AuditEvent.id < first_id(NOON - days(1))))
    assert statistics.totals()[LOGINS] == 6


def test_an_event_is_in_the_total_once_as_its_day_ends(at, held_clock):
    at(LOGINS)
    held_clock.at = NOON.replace(hour=23, minute=59)
    for _minutes in range(8):
        assert statistics.totals()[LOGINS] == 1
        held_clock.forward(minutes=1)
