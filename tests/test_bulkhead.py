"""Bulkhead: so many hashes at once, a short queue, and a refusal that counts for nobody."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import sqlalchemy as sa
from flask import Flask

from stormpath_app import Account, Application, bulkhead, hashers, origin, throttle
from stormpath_app.bulkhead import QUEUE
from stormpath_app.database import session
from stormpath_app.errors import (
    AccountNotFound,
    PasswordChangeRequired,
    PasswordRefused,
    TooManyAtOnce,
    TooManyAttempts,
    WrongPassword,
)
from stormpath_app.models import ENABLED, AuditEvent
from stormpath_app.transactions import atomic

from .conftest import PASSWORD
from .full_queue import full_queue
from .servers import PATIENCE
from .test_hashers import rounds

HAN, NOBODY, OTHER = "han@falcon.example", "nobody@falcon.example", "Kessel12.Parsecs"


@pytest.fixture
def bare():
    """Return an app with the one setting that a bulkhead reads."""
    app = Flask("bare")
    app.config["STORMPATH_HASH_CONCURRENCY"] = 1
    return app


@pytest.fixture
def here(bare, monkeypatch):
    """Hold the app's context, and look at bulkheads that no other test has used."""
    monkeypatch.setattr(bulkhead, "_bulkheads", {})
    monkeypatch.setattr(bulkhead, "release", lambda: None)  # there is no database
    with bare.app_context():
        yield bare


@pytest.fixture
def crowd(here):
    """Return a function that lets others come for a place, who keep theirs until the block ends; each, what came of it.

    It waits until all that can be are inside.
    """
    end = threading.Event()
    pool = ThreadPoolExecutor(50)

    def come():
        with here.app_context(), bulkhead.place():
            end.wait(PATIENCE)

    def crowd(number):
        came = [pool.submit(come) for _ in range(number)]
        until(lambda: inside() + sum(one.done() for one in came) >= number)
        return came

    yield crowd
    end.set()
    pool.shutdown()


def inside():
    """Return how many have a place or wait for one."""
    found = bulkhead._here()._inside
    return found._initial_value - found._value


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# --- Places ---


def test_no_more_are_hashed_at_once_than_there_are_places_and_who_waits_comes_in_turn(here, monkeypatch):
    monkeypatch.setattr(bulkhead, "PATIENCE", PATIENCE)
    here.config["STORMPATH_HASH_CONCURRENCY"] = 2
    most, now, lock = [], [], threading.Lock()
    start, both = threading.Barrier(2 * (1 + QUEUE)), threading.Barrier(2)

    def come(number):
        with here.app_context():
            start.wait(PATIENCE)
            with bulkhead.place():
                with lock:
                    now.append(number)
                    most.append(len(now))
                both.wait(PATIENCE)
                time.sleep(0.01)  # for a third one to come in
                with lock:
                    now.remove(number)
            return number

    everybody = range(start.parties)
    with ThreadPoolExecutor(start.parties) as pool:
        assert list(pool.map(come, everybody)) == list(everybody)
    assert max(most) == 2


def test_who_finds_the_queue_full_is_refused_at_once(crowd, monkeypatch):
    monkeypatch.setattr(bulkhead, "PATIENCE", PATIENCE)
    crowd(1 + QUEUE)
    with pytest.raises(TooManyAtOnce), bulkhead.place():
        pass
    assert inside() == 1 + QUEUE


def test_who_looks_whether_the_queue_is_full_takes_no_place(crowd, monkeypatch):
    monkeypatch.setattr(bulkhead, "PATIENCE", PATIENCE)
    for number in range(1, 1 + QUEUE):
        crowd(1)
        assert (bulkhead.is_full(), inside()) == (False, number)
    crowd(1)
    assert (bulkhead.is_full(), inside()) == (True, 1 + QUEUE)


def test_for_who_has_a_place_the_queue_is_not_full(here):
    with bulkhead.place(), full_queue():
        assert not bulkhead.is_full()
    assert not bulkhead.is_full()


def test_who_waits_too_long_is_refused_and_leaves_the_queue(crowd, monkeypatch):
    monkeypatch.setattr(bulkhead, "PATIENCE", 0.01)
    crowd(1)
    for _ in range(3 * QUEUE):
        with pytest.raises(TooManyAtOnce), bulkhead.place():
            pass
    assert inside() == 1


@pytest.mark.parametrize("error", [WrongPassword, KeyboardInterrupt, SystemExit])
def test_a_place_is_given_back_whatever_goes_wrong_inside(here, error):
    for _ in range(10):
        with pytest.raises(error), bulkhead.place():
            raise error
    assert inside() == 0


def test_a_place_is_given_back_where_waiting_for_it_goes_wrong(here, crowd, monkeypatch):
    def go_wrong():
        raise KeyboardInterrupt

    crowd(1)
    monkeypatch.setattr(bulkhead, "release", go_wrong)
    with pytest.raises(KeyboardInterrupt), bulkhead.place():
        pass
    assert inside() == 1


def test_who_has_a_place_needs_no_other(here):
    with bulkhead.place(), bulkhead.place():
        with bulkhead.place():
            assert inside() == 1
        assert inside() == 1
    assert inside() == 0


def test_apps_with_the_same_setting_share_their_places(here, crowd, monkeypatch):
    monkeypatch.setattr(bulkhead, "PATIENCE", 0)
    crowd(1)
    another = Flask("another")
    for number, refused in ((1, True), (2, False)):
        another.config["STORMPATH_HASH_CONCURRENCY"] = number
        with another.app_context():
            assert is_refused() is refused


def is_refused():
    try:
        with bulkhead.place():
            return False
    except TooManyAtOnce:
        return True


def test_a_fork_has_places_of_its_own(crowd, monkeypatch):
    monkeypatch.setattr(bulkhead, "PATIENCE", 0)
    crowd(1)
    assert is_refused()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert not is_refused()


@pytest.mark.parametrize("cores", [1, 3])
def test_without_the_setting_there_are_as_many_as_the_process_may_use_cores(here, monkeypatch, cores):
    here.config["STORMPATH_HASH_CONCURRENCY"] = None
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(cores)), raising=False)
    assert bulkhead._here()._places._initial_value == cores
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert bulkhead._here()._places._initial_value == 5


# --- Verbs ---


@pytest.fixture
def application(context):
    return Application.current()


@pytest.fixture
def han(context):
    return Account.create(HAN, PASSWORD, "Han", "Solo")


#: All that takes a hash.
VERBS = {
    "a login": lambda application, han: application.authenticate_account(HAN, PASSWORD),
    "a wrong password": lambda application, han: application.authenticate_account(HAN, OTHER),
    "an unknown login": lambda application, han: application.authenticate_account(NOBODY, OTHER),
    "a password asked for again": lambda application, han: han.check_password(PASSWORD),
    "a change of a password": lambda application, han: han.change_password(PASSWORD, OTHER),
    "a registration": lambda application, han: application.register({"email": NOBODY, "password": OTHER}),
    "an account": lambda application, han: application.accounts.create(email=NOBODY, password=OTHER),
}


def written():
    """Return what the database has of tries, events and accounts."""
    found = [*session.execute(sa.select(throttle.attempts)), *session.scalars(sa.select(AuditEvent.id))]
    found += session.execute(sa.select(Account.id, Account.password_hash)).all()
    session.rollback()
    return sorted(map(str, found))


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_what_needs_a_hash_is_refused_where_too_many_come_at_once_and_nothing_is_written(
    application, han, overloaded, verb
):
    before = written()
    with overloaded(), rounds() as spent:
        for _ in range(20):
            with pytest.raises(TooManyAtOnce):
                verb(application, han)
    assert (written(), spent) == (before, [])
    session.expire_all()
    with suppress(WrongPassword, AccountNotFound):
        verb(application, han)
    assert written() != before


def test_a_new_password_that_was_refused_for_it_can_be_saved_again(han, overloaded):
    han.password = OTHER
    with overloaded(), pytest.raises(TooManyAtOnce):
        han.save()
    han.save()
    han.check_password(OTHER)


def test_the_proof_of_who_must_choose_another_password_stays_good(application, han, overloaded):
    han.must_change_password = True
    han.save()
    with pytest.raises(PasswordChangeRequired) as caught:
        application.authenticate_account(HAN, PASSWORD)
    with overloaded(), pytest.raises(TooManyAtOnce):
        application.choose_password(caught.value.proof, OTHER)
    assert application.choose_password(caught.value.proof, OTHER) == han


def test_a_link_to_a_new_password_stays_good(application, han, overloaded):
    token = application.create_password_reset_token(han).token
    with overloaded(), pytest.raises(TooManyAtOnce):
        application.reset_account_password(token, OTHER)
    assert application.reset_account_password(token, OTHER) == han


@pytest.mark.parametrize("email", [HAN, NOBODY])
def test_where_addresses_are_confirmed_a_registration_is_refused_alike_for_one_that_is_taken(
    application, han, overloaded, email
):
    policy = han.directory.account_creation_policy
    policy.verification_email_status = ENABLED
    policy.save()
    with overloaded(), pytest.raises(TooManyAtOnce):
        application.register({"email": email, "password": OTHER})


def test_all_hashes_of_one_act_need_one_place(app, application, han, monkeypatch):
    app.config["STORMPATH_HASH_CONCURRENCY"] = 1
    monkeypatch.setattr(bulkhead, "PATIENCE", 0)
    han.directory.password_policy.strength.prevent_reuse = 5
    han.directory.password_policy.strength.save()
    with rounds() as spent:
        han.change_password(PASSWORD, OTHER)
    assert len(spent) == 3  # the old one; the new one beside it; the new one
    app.config["STORMPATH_BCRYPT_COST"] = 6
    with rounds() as spent:
        application.authenticate_account(HAN, OTHER)
    assert len(spent) == 4  # the one there is, two to make it as dear as a new one, and that


def test_a_hash_waits_for_its_place_without_a_connection(context, han, overloaded):
    session.execute(sa.select(Account.email))
    assert session().in_transaction()
    with overloaded(), pytest.raises(TooManyAtOnce), bulkhead.place():
        pass
    assert not session().in_transaction()


# --- What takes no place ---


def test_a_password_that_is_too_long_is_refused_without_a_place_and_without_a_hash(application, han, overloaded):
    longest = "x" * (hashers.LONGEST + 1)
    with overloaded(), rounds() as spent:
        for verb in (
            lambda: application.authenticate_account(HAN, longest),
            lambda: application.authenticate_account(NOBODY, longest),
            lambda: han.check_password(longest),
            lambda: han.change_password(longest, OTHER),
        ):
            with pytest.raises(WrongPassword):
                verb()
    assert spent == []


def test_a_password_that_breaks_the_policy_is_refused_without_a_place(application, han, overloaded):
    with overloaded():
        with pytest.raises(PasswordRefused):
            application.register({"email": NOBODY, "password": "short"})
        han.password = "x" * 5000
        with pytest.raises(PasswordRefused):
            han.save()


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 3})
def test_passwords_that_are_too_long_count_for_their_network(application, han):
    with origin.acting(origin.Origin(address="192.0.2.1")):
        for expected in (WrongPassword, WrongPassword, WrongPassword, TooManyAttempts):
            with pytest.raises(expected):
                application.authenticate_account(HAN, "x" * 5000)


def test_inside_an_open_change_nobody_waits_with_what_is_not_written_yet_lost(context, han, overloaded):
    with atomic():
        han.surname = "Organa"
        with overloaded(), pytest.raises(TooManyAtOnce), bulkhead.place():
            pass
        han.save()
    assert han.surname == "Organa"
