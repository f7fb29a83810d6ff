"""Rows in a store: what one process finds while another changes them, step by step."""

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from flask import Flask

from stormpath_app.cache import stamps
from stormpath_app.cache.reach import Known
from stormpath_app.cache.region import Lifetime, Region
from stormpath_app.cache.shared import ALL, Shared, now
from tests.servers import PATIENCE

LOGINS = Region("sessions", about=0, moments=(2,))
POLICIES = Region("policies", moments=(2,))
USUAL = Lifetime(ttl=300, tti=300)
HAN, LEIA = "han", "leia"
SINCE = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)


class Database:
    """What the processes share beside the store. `rows`: of the accounts; `n`: the generation."""

    def __init__(self):
        self.rows = {HAN: (HAN, "enabled", SINCE, True, None), LEIA: (LEIA, "enabled", None, False, 7)}
        self.n, self.tenant = 0, "tenant"

    def known(self):
        return Known(self.n, self.tenant)

    def disable(self, who=HAN):
        self.rows[who] = (who, "DISABLED", *self.rows[who][2:])


def patient(server):
    """Return a client that does not give up because this machine is busy."""
    return server.new_store(**dict.fromkeys(server.timeouts, PATIENCE))


class Process:
    """One of several processes, with connections of its own."""

    def __init__(self, server, database, lifetime=USUAL):
        self.database = database
        self.keeper = Shared(patient(server), {"sessions": lifetime, "policies": lifetime})
        self.keeper._generation = database
        self.store = self.keeper._store

    def look(self, who=HAN, region=LOGINS):
        return self.keeper.look(region, f"login of {who}")

    def ask(self, who=HAN, region=LOGINS):
        """Return the row, as a page would, and whether it was kept."""
        row, ticket = self.look(who, region)
        if row is not None:
            return row, True
        row = self.database.rows[who]
        self.keeper.keep(region, f"login of {who}", ticket, row)
        return row, False

    def finds(self, who=HAN):
        return self.look(who)[0] is not None

    def warm(self, who=HAN):
        """Ask until the row is kept."""
        self.ask(who), self.ask(who)
        assert self.ask(who) == (self.database.rows[who], True)
        return self


class Writer:
    """One transaction of another process."""

    def __init__(self, server, database, of=(HAN,)):
        self.keeper = Shared(patient(server), {})
        self.keeper.tenant_id = database.tenant
        self._of, self._mark = of, stamps.mark(now())

    def mark(self):
        assert self.keeper.mark(self._of, self._mark)

    def finish(self):
        assert self.keeper.renew(self._of, self._mark)


@pytest.fixture(autouse=True)
def site():
    site = Flask("site")
    site.secret_key = "of this test alone, and long enough"
    with site.app_context():
        yield site


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def process(cache_server, database):
    return Process(cache_server, database)


@pytest.fixture
def other(cache_server, database):
    return Process(cache_server, database)


@pytest.fixture
def writer(cache_server, database):
    return Writer(cache_server, database)


def place_of_stamp(process, of=HAN):
    return process.keeper._stamp_place(of)


def places_of_rows(server):
    return [key for key in server.all_keys() if ":stamps:" not in key]


# --- Kept and found ---


def test_a_row_is_learnt_about_then_kept_and_then_found_as_it_was_read(process, database):
    assert [process.ask()[1] for _time in range(4)] == [False, False, True, True]
    assert process.ask()[0] == (HAN, "enabled", SINCE, True, None)
    process.warm(LEIA)


def test_another_process_finds_it_when_it_asks_for_the_first_time(process, other, database):
    process.warm()
    assert other.ask() == (database.rows[HAN], True)


def test_a_row_about_no_account_is_kept_at_once(process):
    assert [process.ask(region=POLICIES)[1] for _time in range(2)] == [False, True]


def test_a_hit_is_one_round_trip(process, monkeypatch):
    process.warm()
    asked, ask = [], process.store._ask
    monkeypatch.setattr(process.store, "_ask", lambda question: asked.append(question) or ask(question))
    assert process.finds()
    assert len(asked) == 1


def test_a_hit_is_one_command_of_redis(redis_server, database):
    process = Process(redis_server, database).warm()
    before = redis_server.commands()  # itself is one
    between = redis_server.commands() - before
    assert process.finds()
    assert redis_server.commands() - before - 2 * between == 1


def test_what_lies_in_the_store_is_json_behind_a_seal_and_no_pickle(process, cache_server):
    process.warm()
    (place,) = places_of_rows(cache_server)
    (value,) = process.store.get_many([place])
    key, account_id, _n, _stamps, _until, row = json.loads(value[32:])
    assert (key, account_id) == ("login of han", HAN)
    assert row == [HAN, "enabled", 1795521600123456, True, None]
    assert len(place) < 250


def test_a_large_row_is_read_each_time(process, database):
    database.rows[HAN] = (HAN, "x" * 600_000, None, True, None)
    assert [process.ask()[1] for _time in range(3)] == [False] * 3


def test_one_row_can_be_forgotten_and_all_of_them(process, other):
    process.warm(), process.warm(LEIA)
    other.ask()
    other.keeper.drop(LOGINS, "login of han")
    assert not process.finds()
    assert process.finds(LEIA)
    other.keeper.clear()
    assert not process.finds(LEIA)
    process.warm(), process.warm(LEIA)


def test_nothing_but_our_own_values_is_touched_by_a_clear(process, cache_server):
    process.store.set("another_program", b"value", 60)
    process.warm().keeper.clear()
    assert process.store.get_many(["another_program"]) == [b"value"]


def test_a_row_runs_out(process, held_clock):
    process.warm()
    held_clock.forward(seconds=299)
    assert process.finds()
    held_clock.forward(seconds=1)
    assert not process.finds()


def test_a_row_that_nobody_asks_for_goes_sooner_and_stays_while_somebody_does(redis_server, database):
    process = Process(redis_server, database, Lifetime(ttl=300, tti=100)).warm()
    (place,) = places_of_rows(redis_server)
    left = process.store.client.ttl
    process.store.touch(place, 10)
    process.keeper._prolonged.clear()  # a while ago
    assert process.finds()
    assert 90 < left(place) <= 100
    process.store.touch(place, 10)
    assert process.finds()
    assert left(place) <= 10, "it was prolonged a moment ago"


# --- While it changes ---


def test_between_the_mark_and_the_commit_nothing_is_found_and_nothing_is_kept(process, writer, database):
    process.warm()
    writer.mark()
    assert [process.ask()[1] for _time in range(3)] == [False] * 3
    database.disable()
    writer.finish()
    assert not process.finds()
    process.warm()


def test_a_change_of_one_account_leaves_the_rows_of_others(process, writer):
    process.warm(), process.warm(LEIA)
    writer.mark()
    assert process.finds(LEIA)
    writer.finish()
    assert process.finds(LEIA)


def test_a_change_of_what_all_share_is_one_of_every_row(process, cache_server, database):
    process.warm(), process.warm(LEIA)
    writer = Writer(cache_server, database, of=[ALL])
    writer.mark()
    assert not process.finds()
    writer.finish()
    assert not process.finds(LEIA)
    process.warm(), process.warm(LEIA)


def test_a_change_of_many_accounts_is_one_of_all(process, cache_server, database):
    process.warm()
    writer = Writer(cache_server, database, of=[str(number) for number in range(21)])
    writer.mark()
    assert not process.finds()
    writer.finish()
    assert not process.finds()
    process.warm()


@pytest.mark.parametrize("steps", ["mark keep commit finish", "mark commit keep finish", "mark commit finish keep"])
def test_what_was_read_before_a_change_is_never_found_after_it(process, other, writer, database, steps):
    other.ask()  # it knows whose it is
    _row, ticket = other.look()
    old = database.rows[HAN]
    do = {
        "mark": writer.mark,
        "commit": database.disable,
        "finish": writer.finish,
        "keep": lambda: other.keeper.keep(LOGINS, "login of han", ticket, old),
    }
    for step in steps.split():
        do[step]()
        assert not process.finds()
    assert not process.finds()
    assert not other.finds()
    assert process.warm().ask()[0][1] == "DISABLED"


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_writers_at_once_the_last_lets_rows_be_kept_again(process, cache_server, database, first):
    process.warm()
    writers = [Writer(cache_server, database), Writer(cache_server, database)]
    for writer in writers:
        writer.mark()
    writers[first].finish()
    assert [process.ask()[1] for _time in range(3)] == [False] * 3
    database.disable()
    writers[1 - first].finish()
    assert not process.finds()
    process.warm()


def test_a_writer_that_is_done_takes_no_mark_away_but_its_own(process, cache_server, database):
    writer, late = Writer(cache_server, database), Writer(cache_server, database)
    writer.mark()
    late.finish()
    assert process.look() == (None, process.look()[1])
    process.ask()
    assert not any(process.ask()[1] for _time in range(3))
    writer.finish()
    process.warm()


def test_after_a_rollback_rows_are_kept_again(process, writer):
    process.warm()
    writer.mark()
    writer.finish()
    process.warm()


def test_the_mark_of_a_writer_that_died_goes_by_itself_and_leaves_nothing_old(process, writer, database):
    process.warm()
    writer.mark()
    database.disable()
    process.store.delete(place_of_stamp(process))  # as the server does, by then
    assert not process.finds()
    assert process.warm().ask()[0][1] == "DISABLED"


def test_a_mark_lives_a_minute_and_a_stamp_longer_than_any_row(redis_server, database):
    process, writer = Process(redis_server, database).warm(), Writer(redis_server, database)
    left = process.store.client.ttl
    writer.mark()
    assert 50 < left(place_of_stamp(process)) <= 60
    writer.finish()
    assert left(place_of_stamp(process)) > 86400


def test_the_mark_of_a_writer_that_died_is_not_kept_alive_by_others(process, cache_server, database, held_clock):
    process.ask()
    Writer(cache_server, database).mark()
    held_clock.forward(minutes=9)
    other = Writer(cache_server, database)
    other.mark(), other.finish()
    process.ask()
    assert not process.ask()[1], "its clock may be late by minutes"
    held_clock.forward(minutes=2)
    other.mark(), other.finish()
    process.warm()


# --- What the store loses, or makes of it ---


def evict(server, process):
    process.store.delete(place_of_stamp(process))
    process.store.delete(place_of_stamp(process, ALL))


def flush(server, process):
    server.flush()


def restart(server, process):
    server.restart()


@pytest.mark.parametrize("lost_before", ["mark", "commit", "finish", "the end"])
@pytest.mark.parametrize("lose", [evict, flush, restart])
def test_a_store_that_loses_what_it_had_never_leads_back_to_an_old_row(
    process, other, cache_server, database, lost_before, lose
):
    process.warm(), other.warm()
    writer = Writer(cache_server, database)
    for step, do in {"mark": writer.mark, "commit": database.disable, "finish": writer.finish, "the end": None}.items():
        if step == lost_before:
            lose(cache_server, process)
            if step != "mark":
                process.ask(), other.ask()  # which may be kept until the writer is done
        if do:
            do()
    for asking in (process, other, Process(cache_server, database)):
        assert asking.ask()[0][1] == "DISABLED"
    process.warm()


def test_redis_that_comes_back_with_what_it_had_on_disk_leads_to_no_old_row(redis_server, database):
    process, writer = Process(redis_server, database).warm(), Writer(redis_server, database)
    redis_server.save()
    writer.mark(), database.disable(), writer.finish()
    redis_server.restart()
    assert len(redis_server.all_keys()) == 3
    for asking in (Process(redis_server, database), process):
        assert asking.ask()[0][1] == "DISABLED"
    process.warm()


def test_rubbish_is_a_miss(process, other, cache_server):
    process.warm()
    for rubbish in (b"", b"\x80\x04rubbish", b"{}", b"x" * 40, b"\xff" * 1000):
        cache_server.fill_with_rubbish(rubbish)
        assert not process.finds()
        other.ask()
        process.warm()


def test_what_is_no_text_in_redis_is_a_miss_and_replaced(redis_server, database):
    process = Process(redis_server, database).warm()
    for key in redis_server.all_keys():
        process.store.delete(key)
        process.store.client.rpush(key, "rubbish")
    assert not process.finds()
    process.warm()


def test_nobody_becomes_somebody_else_where_values_are_swapped(process, cache_server, database):
    for _time in range(3):
        process.warm(), process.warm(LEIA)
        cache_server.swap()
        for who in (HAN, LEIA):
            assert process.ask(who)[0] == database.rows[who]


def test_a_row_that_was_changed_by_a_bit_or_cut_is_a_miss(process, cache_server):
    process.warm()
    (place,) = places_of_rows(cache_server)
    (value,) = process.store.get_many([place])
    for changed in (value[:-1], value[:40], value[:-1] + b"}", bytes([value[0] ^ 1]) + value[1:], value + b" "):
        process.store.set(place, changed, 60)
        assert not process.finds()
    process.store.set(place, value, 60)
    assert process.finds()


def test_an_old_row_that_somebody_puts_back_is_a_miss(process, cache_server, writer):
    process.warm()
    (place,) = places_of_rows(cache_server)
    (value,) = process.store.get_many([place])
    writer.mark(), writer.finish()
    process.store.set(place, value, 60)
    assert not process.finds()


def test_rows_of_another_secret_another_site_or_another_shape_are_none(process, cache_server, database, site):
    process.warm()
    site.secret_key = "another one, which is as long as that"
    assert not process.finds()
    site.secret_key = "of this test alone, and long enough"
    assert process.finds()
    assert process.look(region=Region("sessions", about=0, moments=(2,), statement=sa.select(sa.literal(1))))[0] is None
    database.tenant = "another"
    assert not Process(cache_server, database).finds()


# --- Writers that are cut off ---


def test_rows_that_were_kept_under_another_generation_are_none(process, other, database):
    process.warm()
    database.n += 1  # by a writer who could not reach the store
    assert not process.finds()
    process.warm()
    database.n -= 1
    assert not other.finds()
