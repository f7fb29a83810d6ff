"""Throttle: what is free, how long the next try waits, and that no two tries can slip through together."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from stormpath_app import clock, origin, throttle
from stormpath_app.database import session
from stormpath_app.errors import TooManyAttempts
from stormpath_app.origin import Device, Origin
from stormpath_app.transactions import atomic

from .conftest import make_app

HAN, LEIA = "0353QuDJUTzgm3zO2H0Sat", "0353QuDJUTzgm3zO2H0Sau"
HOME, OFFICE = Origin(address="192.0.2.1"), Origin(address="198.51.100.1")
LAPTOP = Device("laptop", (HAN,))

pytestmark = pytest.mark.usefixtures("context", "held_clock")


def fail(whose=HAN, who=HOME):
    """Try a wrong password."""
    with origin.acting(who):
        attempt = throttle.reserve(whose)
        with atomic():
            attempt.count()


def succeed(whose=HAN, who=HOME):
    """Try the right one."""
    with origin.acting(who):
        attempt = throttle.reserve(whose)
        with atomic():
            attempt.refund()


def wait(whose=HAN, who=HOME):
    """Return how many seconds the next try has to wait; 0: none. It changes nothing."""
    attempt = throttle._attempt(whose, who)
    try:
        throttle._refuse_blocked(attempt, throttle._look(attempt), throttle.Limits.current(), clock.now())
    except TooManyAttempts as error:
        return error.retry_after
    return 0


def rows():
    """Return the counters that have failures: key -> how many."""
    return {row.key: row.failures for row in session.execute(sa.select(throttle.attempts)) if row.failures}


# --- An account ---


def test_five_failures_are_free_and_then_each_wait_is_twice_as_long_up_to_a_quarter_of_an_hour(held_clock):
    waits = []
    for _ in range(17):
        fail()
        waits.append(wait())
        held_clock.forward(seconds=waits[-1])
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


def test_the_wait_is_told_in_whole_seconds_and_is_over_when_they_are(held_clock):
    for _ in range(5):
        fail()
    held_clock.forward(milliseconds=1)
    assert wait() == 1
    held_clock.forward(milliseconds=998)
    assert wait() == 1
    held_clock.forward(milliseconds=1)
    assert wait() == 0


def test_a_try_that_is_refused_changes_nothing(held_clock):
    for _ in range(5):
        fail()
    before = session.execute(sa.select(throttle.attempts).order_by("key")).all()
    for _ in range(20):
        with pytest.raises(TooManyAttempts):
            fail()
    assert session.execute(sa.select(throttle.attempts).order_by("key")).all() == before
    held_clock.forward(seconds=1)
    assert wait() == 0


def test_a_try_that_is_never_settled_was_a_failure():
    with origin.acting(HOME):
        for _ in range(5):
            throttle.reserve(HAN)
        with pytest.raises(TooManyAttempts):
            throttle.reserve(HAN)
    assert rows() == {f"account:{HAN}": 5}


def test_a_clock_that_is_a_little_behind_anothers_refuses_nothing_that_is_free(held_clock):
    fail()
    succeed(LEIA)
    held_clock.forward(seconds=-5)
    assert wait(HAN) == wait(LEIA) == 0


def test_after_a_wait_the_next_failure_waits_again_and_longer(held_clock):
    for _ in range(5):
        fail()
    for longer in (2, 4):
        held_clock.forward(seconds=wait())
        fail()
        assert wait() == longer


def test_a_success_clears_the_counter_of_its_account_and_no_other():
    for _ in range(4):
        fail(HAN)
        fail(LEIA)
    succeed(HAN)
    assert rows() == {f"account:{LEIA}": 4, "network:192.0.2.1": 8}
    fail(HAN)
    assert wait(HAN) == 0
    fail(LEIA)
    assert wait(LEIA) == 1


def test_time_alone_clears_nothing_for_a_month_and_then_all(held_clock):
    for _ in range(5):
        fail()
    held_clock.forward(days=29)
    fail()
    assert wait() == 2
    held_clock.forward(days=31)
    fail()
    assert wait() == 0
    assert rows()[f"account:{HAN}"] == 1


@pytest.mark.settings(STORMPATH_THROTTLE={"longest_wait": timedelta(days=60)})
def test_no_counter_is_forgotten_while_it_refuses(held_clock):
    for _ in range(40):
        held_clock.forward(seconds=wait())
        fail()
    held_clock.forward(days=59)
    fail(LEIA)
    assert wait() == 86400


@pytest.mark.parametrize("hours", [1, 100_000])
def test_what_a_clock_that_was_wrong_has_written_refuses_nobody_for_longer_than_any_wait(held_clock, hours):
    held_clock.forward(hours=hours)
    fail_often(100)
    for _ in range(5):
        fail(HAN, OFFICE)
    held_clock.forward(hours=-hours)
    assert wait(LEIA) == wait(HAN, OFFICE) == 0
    fail(LEIA)
    assert rows()["network:192.0.2.1"] == 1
    fail(HAN, OFFICE)
    assert wait(HAN, OFFICE) == 2


def test_a_shorter_setting_ends_a_longer_wait_at_once(app, held_clock):
    app.config["STORMPATH_THROTTLE"] = {"longest_wait": timedelta(days=1), "network_window": timedelta(days=1)}
    fail_often(100)
    for _ in range(30):
        held_clock.forward(seconds=wait(HAN, OFFICE))
        fail(HAN, OFFICE)
    assert (wait(LEIA) > 0, wait(HAN, OFFICE)) == (False, 86400)
    fail_often(100)
    assert wait(LEIA) == 86400
    app.config["STORMPATH_THROTTLE"] = {}
    assert wait(LEIA) == wait(HAN, OFFICE) == 0
    fail(HAN, OFFICE)
    assert wait(HAN, OFFICE) == 900


# --- A network ---


def fail_often(times, who=HOME):
    """Fail at as many accounts."""
    for number in range(times):
        fail(f"somebody {number}", who)


def test_a_network_that_failed_a_hundred_times_is_refused_until_its_window_ends(held_clock):
    fail_often(60)
    held_clock.forward(minutes=5)
    fail_often(39)
    assert wait(LEIA) == 0
    fail(HAN)
    assert wait(LEIA) == 600
    assert wait(LEIA, OFFICE) == wait(LEIA, Origin()) == 0
    held_clock.forward(minutes=10)
    assert wait(LEIA) == 0
    fail(LEIA)
    assert rows()["network:192.0.2.1"] == 1


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 3})
def test_successes_neither_count_for_a_network_nor_clear_it():
    for _ in range(10):
        succeed()
    assert rows() == {}
    for number in range(3):
        fail(f"victim {number}")
        if number < 2:
            succeed()
    assert wait() == 900


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 3})
def test_of_a_network_and_an_account_the_longer_wait_is_told(held_clock):
    fail_often(3)
    for _ in range(10):
        held_clock.forward(seconds=wait(HAN, Origin()))
        fail(HAN, Origin())
    assert (wait(HAN, Origin()), wait(LEIA, HOME)) == (32, 900 - 31)
    assert wait(HAN, HOME) == 900 - 31
    held_clock.forward(seconds=31)
    fail_often(3, OFFICE)
    assert wait(HAN, OFFICE) == 900


def test_one_who_fails_again_and_again_slows_nobody_else_of_the_office(held_clock):
    for _ in range(12):
        held_clock.forward(seconds=wait())
        fail(HAN, OFFICE)
    assert wait(HAN, OFFICE) > 60
    assert wait(LEIA, OFFICE) == 0


SAME = [
    ("192.0.2.1", "192.0.2.1"),
    ("192.0.2.1", "::ffff:192.0.2.1"),
    ("192.0.2.1", "::ffff:c000:201"),
    ("2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff"),
    ("2001:DB8::1", "2001:db8::2"),
    ("fe80::1%eth0", "fe80::2%eth1"),
    ("192.0.2.1", "192.0.2.1:50123"),
    ("192.0.2.1:50123", "192.0.2.1:50124"),
    ("2001:db8::1", "[2001:db8::2]:50123"),
    ("unix:", "unix:"),
]
DIFFERENT = [
    ("192.0.2.1", "192.0.2.2"),
    ("2001:db8::1", "2001:db8:0:1::1"),
    ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
    ("unix:", "somewhere"),
    ("192.0.2.1, 192.0.2.2", "192.0.2.1"),
    ("192.0.2.1:50123", "192.0.2.2:50123"),
    ("[2001:db8::1]:50123", "[2001:db8:0:1::1]:50123"),
    ("[2001:db8::1", "2001:db8::1"),
    ("x" * 10_000, "y" * 10_000),
    ("\ud800", "\0"),
]


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 1})
@pytest.mark.parametrize(("one", "other"), [*SAME, *DIFFERENT], ids=lambda value: ascii(value[:20]))
def test_addresses_that_one_customer_has_are_one_network(one, other):
    fail(HAN, Origin(address=one))
    assert wait(LEIA, Origin(address=other)) == (900 if (one, other) in SAME else 0)


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 1})
@pytest.mark.parametrize("address", [None, ""])
def test_without_an_address_there_is_no_network_and_the_account_counts_alike(address):
    for _ in range(5):
        fail(HAN, Origin(address=address))
    assert rows() == {f"account:{HAN}": 5}
    assert wait(HAN, Origin(address=address)) == 1


# --- A known device ---


def known(device=LAPTOP):
    return Origin(address="192.0.2.1", device=device)


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 5})
def test_strangers_do_not_slow_the_owner_on_a_known_device_even_in_the_same_network():
    for _ in range(5):
        fail()
    assert wait() == 900
    assert wait(who=known()) == 0
    succeed(who=known())
    assert wait() == 900
    assert rows() == {f"account:{HAN}": 5, "network:192.0.2.1": 5}


def test_a_known_device_has_a_counter_by_the_same_rule_and_slows_nobody_else():
    for _ in range(5):
        fail(who=known())
    assert wait(who=known()) == 1
    assert wait() == wait(LEIA, known()) == 0
    assert rows() == {f"device:{HAN}:laptop": 5}


def test_a_device_is_known_to_the_accounts_that_logged_in_on_it_alone():
    for _ in range(5):
        fail(LEIA)
    assert wait(LEIA, known()) == 1
    assert wait(LEIA, known(Device("desk", (HAN, LEIA)))) == 0


# --- Unlocking ---


def test_an_account_that_is_unlocked_has_no_failures_on_any_device_and_others_keep_theirs():
    for who in (HOME, known(), known(Device("phone", (HAN,)))):
        fail(HAN, who)
    desk = known(Device("desk", (LEIA,)))
    for whose, who in ((LEIA, HOME), (LEIA, desk)):
        fail(whose, who)
    with atomic():
        throttle.unlock(HAN)
    assert rows() == {f"account:{LEIA}": 1, f"device:{LEIA}:desk": 1, "network:192.0.2.1": 2}


# --- A login that nobody has ---


@pytest.mark.parametrize(
    "login", ["nobody", " NoBody ", "no\u200dbody", "\uff2e\uff2f\uff22\uff2f\uff24\uff39"], ids=ascii
)
def test_each_spelling_of_a_login_that_nobody_has_is_one(login):
    assert throttle.nobody("people", login) == throttle.nobody("people", "nobody")


@pytest.mark.parametrize("login", ["", "\0", "\ud800", "x" * 100_000], ids=lambda login: ascii(login[:9]))
def test_a_login_that_no_account_can_have_counts_too(login):
    for _ in range(5):
        fail(throttle.nobody("people", login))
    assert wait(throttle.nobody("people", login)) == 1
    assert wait(throttle.nobody("people", "nobody")) == wait(throttle.nobody("staff", login)) == 0


# --- What is old is swept away ---


def test_each_failure_sweeps_some_of_what_is_old_away_and_nothing_else(held_clock):
    fail_often(25)
    held_clock.forward(days=31)
    fail(LEIA)
    for left in (15, 5, 0, 0):
        assert len([key for key in rows() if "somebody" in key]) == left
        fail(LEIA)
    assert rows() == {f"account:{LEIA}": 5, "network:192.0.2.1": 5}


def test_what_successes_leave_is_swept_away_after_a_month_too(held_clock):
    for who in (HOME, Origin(), known()):
        succeed(HAN, who)
    assert rows() == {}
    for days, left in ((29, 4), (2, 2)):
        held_clock.forward(days=days)
        fail(LEIA)
        assert len(session.execute(sa.select(throttle.attempts)).all()) == left


def test_a_sweep_that_another_one_stands_in_the_way_of_harms_nobody(held_clock, monkeypatch):
    fail_often(3)
    held_clock.forward(days=31)
    broken = sa.text("DELETE FROM stormpath_nowhere WHERE :old = :now")
    monkeypatch.setattr(throttle, "_FORGET", broken.bindparams(sa.bindparam("old", expanding=True)))
    fail(LEIA)
    assert rows()[f"account:{LEIA}"] == 1
    monkeypatch.undo()


# --- Settings ---


@pytest.mark.settings(STORMPATH_THROTTLE={"free_failures": 2, "longest_wait": 3})
def test_a_dictionary_changes_what_it_names_and_seconds_will_do(held_clock):
    waits = []
    for _ in range(5):
        fail()
        waits.append(wait())
        held_clock.forward(seconds=waits[-1])
    assert waits == [0, 1, 2, 3, 3]
    limits = throttle.Limits.current()
    assert (limits.longest_wait, limits.network_failures, limits.hard_stop) == (timedelta(seconds=3), 100, 100)


@pytest.mark.settings(STORMPATH_THROTTLE=False)
def test_without_a_limit_nothing_is_refused_and_nothing_written(app):
    for _ in range(200):
        fail()
        succeed()
    assert rows() == {}


@pytest.mark.parametrize("setting", [{}, False])
def test_no_password_is_tried_inside_a_block_that_could_undo_its_count(app, setting):
    app.config["STORMPATH_THROTTLE"] = setting
    with atomic(), pytest.raises(RuntimeError, match=r"inside atomic\(\)"):
        throttle.reserve(HAN)


# --- Many at once ---


def reserve(_number):
    try:
        throttle.reserve(HAN)
    except TooManyAttempts:
        return False
    return True


def test_of_forty_threads_at_one_moment_five_get_through(app):
    barrier = threading.Barrier(40)

    def run(number):
        with app.app_context():
            barrier.wait(60)
            return reserve(number)

    with ThreadPoolExecutor(40) as pool:
        assert sum(pool.map(run, range(40))) == 5
    assert rows() == {f"account:{HAN}": 5}


_barrier = None


def _enter(barrier):
    global _barrier
    _barrier = barrier


def _reserve_in_process(instance):
    app = make_app(Path(instance), STORMPATH_THROTTLE={"longest_wait": timedelta(hours=1), "free_failures": 12})
    with app.app_context():
        _barrier.wait(60)
        return sum(map(reserve, range(10)))


def test_of_forty_tries_in_four_processes_twelve_get_through_and_perhaps_one_more_for_each_wait(instance):
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(4)
    with ProcessPoolExecutor(4, spawn, _enter, (barrier,)) as pool:
        got_through = sum(pool.map(_reserve_in_process, [str(instance)] * 4))
    assert 12 <= got_through <= 12 + 4
    assert rows() == {f"account:{HAN}": got_through}


def test_a_counter_that_changes_again_and_again_lets_nobody_through_unseen(monkeypatch):
    look = throttle._look

    def look_and_lose(attempt):
        seen = look(attempt)
        with atomic() as writing:
            writing.execute(sa.update(throttle.attempts).values(failures=throttle.attempts.c.failures + 1))
        return seen

    fail()
    monkeypatch.setattr(throttle, "_look", look_and_lose)
    with pytest.raises(TooManyAttempts):
        fail()
