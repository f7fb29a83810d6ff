"""Passwords that were chosen under other rules: left alone, looked at when their owner logs in, or replaced."""

from datetime import timedelta

import pytest

from stormpath_app import Account, Application, Directory, signals
from stormpath_app.database import session
from stormpath_app.errors import LoginFailed, OutOfRange, PasswordChangeRequired, UnsupportedValue, WrongPassword
from stormpath_app.models import active_session
from stormpath_app.models.directory import CHECK, KEEP, REPLACE, STOP
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, statements
from .test_event import events

LOGIN, LONG = "han@falcon.example", "No mystical energy field, 1"


@pytest.fixture
def application(context):
    return Application.current()


@pytest.fixture
def directory(application):
    return application.default_account_store()


@pytest.fixture
def han(directory, held_clock):
    account = Account.create(LOGIN, PASSWORD, "Han", "Solo")
    held_clock.at += timedelta(days=1)
    return account


def log_in(account):
    with atomic():
        active_session.start(account, Application.current(), remembered=True)


def ask_for_more(directory, old):
    directory.password_policy.strength.min_length = 20
    return directory.save_password_policy(old)


def is_let_in(application, password=PASSWORD):
    try:
        return bool(application.authenticate_account(LOGIN, password))
    except PasswordChangeRequired:
        return False


def test_rules_are_for_new_passwords_unless_it_is_said(application, directory, han):
    log_in(han)
    assert ask_for_more(directory, KEEP) == 0
    assert is_let_in(application)
    assert len(han.sessions) == 1


def test_a_password_that_is_looked_at_and_breaks_the_rules_must_be_changed(application, directory, han):
    log_in(han)
    assert ask_for_more(directory, CHECK) == 0
    assert len(han.sessions) == 1
    with pytest.raises(PasswordChangeRequired) as caught:
        application.authenticate_account(LOGIN, PASSWORD)
    session.refresh(han)
    assert (han.must_change_password, han.sessions) == (True, [])
    assert application.choose_password(caught.value.proof, LONG).must_change_password is False
    assert is_let_in(application, LONG)


def test_a_password_that_is_looked_at_and_keeps_the_rules_is_good(application, directory, han):
    directory.password_policy.strength.min_symbol = 1
    directory.save_password_policy(CHECK)
    assert is_let_in(application)
    assert is_let_in(application)


def test_the_names_of_the_account_count_when_it_is_looked_at(application, directory):
    directory.password_policy.refuses_common = False
    directory.password_policy.save()
    Account.create(LOGIN, "Solo1234", "Han", "Solo")
    directory.password_policy.refuses_common = True
    directory.save_password_policy(CHECK)
    assert not is_let_in(application, "Solo1234")


def test_a_wrong_password_learns_nothing_of_it(application, directory, han):
    ask_for_more(directory, CHECK)
    with pytest.raises(WrongPassword):
        application.authenticate_account(LOGIN, "Wr0ng.password")
    session.refresh(han)
    assert han.must_change_password is False


def test_whoever_must_change_it_is_not_throttled_for_that(application, directory, han):
    ask_for_more(directory, CHECK)
    for _ in range(20):
        with pytest.raises(LoginFailed) as caught:
            application.authenticate_account(LOGIN, PASSWORD)
        assert type(caught.value) is PasswordChangeRequired


def test_that_it_must_be_changed_is_told_once_in_the_log_and_by_a_signal(application, directory, han):
    told = []
    ask_for_more(directory, CHECK)
    log_in(han)
    with signals.user_updated.connected_to(lambda _sender, **payload: told.append(payload["account"].id)):
        is_let_in(application)
        is_let_in(application)
    (expired,) = events("password.expired")
    assert (expired.account_id, expired.directory_id, expired.data) == (han.id, directory.id, {"sessions": 1})
    assert told == [han.id]
    assert [event.data["code"] for event in events("login.failed")] == [PasswordChangeRequired.code] * 2


def test_everybody_is_asked_at_once_and_logged_out(application, directory, han):
    log_in(han)
    log_in(han)
    assert directory.save_password_policy(REPLACE) == 2
    assert han.sessions == []
    assert not is_let_in(application)
    (expired,) = events("directory.passwords_expired")
    assert (expired.directory_id, expired.data) == (directory.id, {"sessions": 2})


def test_a_password_that_was_chosen_since_is_good(application, directory, han, held_clock):
    directory.save_password_policy(REPLACE)
    held_clock.at += timedelta(seconds=1)
    han.password = LONG
    han.save()
    assert is_let_in(application, LONG)


def test_another_directory_is_in_nobodys_way(application, directory, han):
    other = Directory.create(name="Rebels")
    log_in(han)
    assert other.save_password_policy(REPLACE) == 0
    assert is_let_in(application)


@pytest.mark.parametrize("before", [CHECK, REPLACE])
def test_it_can_be_stopped(application, directory, han, before):
    ask_for_more(directory, before)
    directory.save_password_policy(STOP)
    assert is_let_in(application)
    directory.save_password_policy(KEEP)
    assert is_let_in(application)


@pytest.mark.parametrize("before", [CHECK, REPLACE])
def test_another_change_leaves_what_was_said_before(application, directory, han, before):
    ask_for_more(directory, before)
    directory.password_policy.strength.max_length = 200
    directory.save_password_policy(KEEP)
    assert not is_let_in(application)


def test_nothing_is_said_of_them_where_the_rules_cannot_be_saved(directory, han):
    log_in(han)
    directory.password_policy.strength.min_length, directory.password_policy.strength.max_length = 20, 10
    with pytest.raises(OutOfRange):
        directory.save_password_policy(REPLACE)
    assert len(han.sessions) == 1
    assert events("directory.passwords_expired") == []


@pytest.mark.parametrize("old", ["", "all", None])
def test_what_cannot_become_of_them_is_refused(directory, old):
    with pytest.raises(UnsupportedValue):
        directory.save_password_policy(old)


def test_a_login_whose_password_is_newer_costs_no_statement_more(app, application, directory, han, held_clock):
    def cost():
        with statements(app) as seen:
            assert is_let_in(application)
        return len(seen)

    cost()
    before = cost()
    ask_for_more(directory, CHECK)
    directory.password_policy.strength.min_length = 8
    directory.save_password_policy(KEEP)
    held_clock.at += timedelta(seconds=1)
    han.password = PASSWORD
    han.save()
    cost()
    assert cost() == before
