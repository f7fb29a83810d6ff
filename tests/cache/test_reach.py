"""What a process knows of a store that does not answer, and of the generation."""

import logging
import math
from contextlib import suppress
from threading import Semaphore, Thread

import pytest
import sqlalchemy as sa

from stormpath_app.cache import MemcachedStore, reach
from stormpath_app.cache.reach import Generation, Line
from stormpath_app.cache.store import PATIENCE, Unreachable
from stormpath_app.database import database

from ..conftest import statements


class FakeStore:
    def __init__(self):
        self.answers, self.asked, self.greeted = True, 0, 0
        self.line = Line(self.greet)
        self.delay = 0

    def greet(self):
        self.greeted += 1
        if self.delay:
            reach.time.at += self.delay
        self.ask_it()

    def ask_it(self):
        self.asked += 1
        if not self.answers:
            raise Unreachable("down")

    def ask(self, **how):
        with suppress(Unreachable), self.line.open(**how):
            self.ask_it()


def test_a_store_that_is_gone_is_asked_after_1_2_4_8_and_10_seconds(held_time):
    store = FakeStore()
    store.answers = False
    times, begun = [], held_time.at
    for _quarter in range(4 * 40):
        before = store.asked
        store.ask()
        if store.asked > before:
            times.append(held_time.at - begun)
        held_time.at += 0.25
    assert times == [0, 1, 3, 7, 15, 25, 35]


def test_it_is_told_of_once_and_once_when_it_is_back_after_it_was_greeted(held_time, caplog):
    store = FakeStore()
    with caplog.at_level(logging.WARNING):
        store.ask()
        for _time in range(2):
            store.answers = False
            for _request in range(30):
                store.ask()
                held_time.at += 1
            store.answers = True
            greeted = store.greeted
            for _request in range(30):
                store.ask()
                held_time.at += 1
            assert store.greeted == greeted + 1
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4
    assert ["not answer" in record.getMessage() for record in caplog.records] == [True, False] * 2


def test_a_store_whose_answers_take_long_together_is_asked_no_more_and_left_alone(held_time):
    store = FakeStore()
    with store.line.open() as go_on:
        held_time.at += 0.6 * PATIENCE
        go_on()
        held_time.at += 0.6 * PATIENCE
        with pytest.raises(Unreachable, match="slow"):
            go_on()
    store.ask()
    assert store.asked == 0


@pytest.mark.parametrize(("options", "seconds"), [({}, PATIENCE), ({"timeout": 3}, 3), ({"timeout": None}, math.inf)])
def test_a_host_may_be_more_patient(options, seconds):
    assert MemcachedStore(**options).patience == seconds


def test_what_a_slow_store_has_answered_is_good_but_it_is_left_alone(held_time):
    store = FakeStore()
    with store.line.open():
        held_time.at += 2 * PATIENCE
    store.ask()
    assert store.asked == 0


def test_a_store_that_answers_slowly_is_not_back(held_time, caplog):
    store = FakeStore()
    store.answers = False
    store.ask()
    store.answers, store.delay = True, 2 * PATIENCE
    for _second in range(30):
        held_time.at += 1
        store.ask()
    assert (store.greeted, store.asked) == (5, 1 + 5)
    store.delay = 0
    held_time.at += 10
    store.ask()
    assert (store.greeted, store.asked) == (6, 1 + 5 + 2)
    assert ["not answer" in record.getMessage() for record in caplog.records] == [True, False]


def test_while_one_thread_tries_again_the_others_go_on_without(held_time):
    store = FakeStore()
    store.answers = False
    store.ask()
    held_time.at += 1
    asked = store.asked
    with store.line._lock:  # another thread is trying
        store.ask()
    assert store.asked == asked


def test_a_change_is_told_at_once_when_it_answers_again_however_long_it_was_to_be_left_alone(held_time):
    store = FakeStore()
    store.answers = False
    for _second in range(20):
        store.ask()
        held_time.at += 1
    store.answers, asked = True, store.asked
    store.ask()
    assert store.asked == asked
    held_time.at += 0.1
    store.ask(insist=True)
    assert store.asked == asked + 2  # greeted, and told
    store.ask()
    assert store.asked == asked + 3


def test_of_many_changes_at_once_one_at_most_tries_a_store_that_is_gone(held_time, monkeypatch):
    store = FakeStore()
    store.answers = False
    store.ask()
    asked, have_come = store.asked, Semaphore(0)
    monkeypatch.setattr(held_time, "monotonic", lambda: have_come.release() or held_time.at)
    with store.line._lock:  # another thread is trying
        changes = [Thread(target=store.ask, kwargs={"insist": True}) for _ in range(5)]
        for change in changes:
            change.start()
            have_come.acquire()
        held_time.at += 0.1
    for change in changes:
        change.join()
    assert store.asked <= asked + 1


# --- The generation ---


def test_the_generation_is_read_every_five_seconds(context, held_time):
    generation = Generation()
    with statements(context) as seen:
        for _second in range(20):
            assert generation.known().n == 0
            held_time.at += 1
    assert len(seen) == 4


def test_one_that_was_raised_is_known_five_seconds_later(context, held_time):
    generation = Generation()
    assert generation.known().n == 0
    with database.engine.begin() as connection:
        connection.execute(reach.NEXT)
    held_time.at += reach.EVERY
    assert generation.known().n != 0


def test_one_that_cannot_be_read_is_not_believed_for_more_than_ten_seconds(context, held_time):
    generation = Generation()
    known = generation.known()
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE stormpath_cache_generation RENAME TO gone")
    held_time.at += 9.9
    assert generation.known() == known
    held_time.at += 0.1
    with statements(context) as seen:
        assert generation.known() is None
        assert generation.known() is None
    assert len(seen) <= 1, "a database that is gone is not asked with each request"
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO stormpath_cache_generation")
    held_time.at += reach.FIRST_PAUSE
    assert generation.known() == known


def test_a_database_that_nobody_set_up_is_nobodys(context, held_time):
    with database.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM stormpath_cache_generation"))
    assert Generation().known() is None
