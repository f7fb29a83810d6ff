"""Passwords that their owners change: when they want to, and when they must."""

import pytest

from stormpath_app import Account, Application, origin
from stormpath_app.database import session
from stormpath_app.errors import (
    AccountDisabled,
    LoginOutdated,
    PasswordChangeRequired,
    PasswordRefused,
    PasswordReused,
    TooManyAttempts,
    WrongPassword,
)
from stormpath_app.models import DISABLED, active_session
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD
from ..together import together
from .test_event import events

OTHER, THIRD = "Kessel12.Parsecs", "Bespin4.Clouds"
LOGIN = "han@falcon.example"


@pytest.fixture
def application(context):
    return Application.current()


@pytest.fixture
def han(context):
    return Account.create(LOGIN, PASSWORD, "Han", "Solo", username="solo")


@pytest.fixture
def flagged(han):
    """Return Han's account, which needs another password."""
    han.must_change_password = True
    han.save()
    return han


def log_in(account):
    """Log an account in, and return the id of its login."""
    with atomic():
        token = active_session.start(account, Application.current(), remembered=True)
    return token.partition(".")[0]


def proof_of(application, password=PASSWORD):
    with pytest.raises(PasswordChangeRequired) as caught:
        application.authenticate_account(LOGIN, password)
    return caught.value.proof


# --- When they want to ---


def test_who_gives_the_old_password_has_the_new_one_then(application, han):
    assert han.change_password(PASSWORD, OTHER) == 0
    assert application.authenticate_account(LOGIN, OTHER).account is han
    with pytest.raises(WrongPassword):
        application.authenticate_account(LOGIN, PASSWORD)
    assert len(events("password.changed")) == 1


def test_every_login_ends_but_the_one_that_asks(han):
    mine, *_others = [log_in(han) for _ in range(3)]
    with origin.acting(origin.Origin(session=mine)):
        assert han.change_password(PASSWORD, OTHER) == 2
    assert [login.id for login in han.sessions] == [mine]
    assert han.change_password(OTHER, THIRD) == 1  # a script has no login to keep
    assert han.sessions == []


def test_a_password_that_is_just_set_and_saved_ends_every_login(han):
    mine = log_in(han)
    with origin.acting(origin.Origin(session=mine)):
        han.password = OTHER
        han.save()
    assert han.sessions == []


@pytest.mark.parametrize("wrong", [OTHER, "", None, 5, ["x"]])
def test_who_does_not_know_the_old_password_changes_nothing(han, wrong):
    login = log_in(han)
    with pytest.raises(WrongPassword):
        han.change_password(wrong, OTHER)
    han.check_password(PASSWORD)
    assert [one.id for one in han.sessions] == [login]
    assert len(events("reauthentication.failed")) == 1


def test_the_old_password_is_guessed_no_faster_than_at_the_login(han, held_clock):
    for _ in range(5):
        with pytest.raises(WrongPassword):
            han.change_password("wrong", OTHER)
    with pytest.raises(TooManyAttempts):
        han.change_password(PASSWORD, OTHER)


def test_a_new_password_that_is_refused_leaves_nothing_to_be_saved(han):
    strength = han.directory.password_policy.strength
    strength.prevent_reuse = 1
    strength.save()
    for refused, error in (("x", PasswordRefused), (PASSWORD, PasswordReused)):
        with pytest.raises(error):
            han.change_password(PASSWORD, refused)
        han.given_name = "Randall"
        han.save()
        han.check_password(PASSWORD)


# --- When they must ---


def test_who_must_choose_another_password_is_not_let_in_with_the_one_they_have(application, flagged):
    for login in (LOGIN, "solo"):
        with pytest.raises(PasswordChangeRequired):
            application.authenticate_account(login, PASSWORD)
    assert {event.kind for event in events() if event.kind.startswith("login")} == {"login.failed"}


def test_nobody_but_the_owner_learns_of_it(application, flagged):
    with pytest.raises(WrongPassword) as caught:
        application.authenticate_account(LOGIN, OTHER)
    assert caught.value.message == "Invalid username or password."
    flagged.status = DISABLED
    flagged.save()
    with pytest.raises(AccountDisabled):
        application.authenticate_account(LOGIN, PASSWORD)


def test_it_is_no_wrong_password(application, flagged, held_clock):
    for _ in range(7):
        proof_of(application)


def test_it_ends_the_logins_there_are(han):
    log_in(han)
    han.must_change_password = True
    han.save()
    assert han.sessions == []
    log_in(han)  # a host lets in whom it likes
    han.must_change_password = False
    han.save()
    assert len(han.sessions) == 1


def test_the_proof_of_the_error_sets_another_password_which_lets_in(application, flagged):
    account = application.choose_password(proof_of(application), OTHER)
    assert (account.id, account.must_change_password) == (flagged.id, False)
    assert application.authenticate_account(LOGIN, OTHER).account.id == flagged.id


def test_a_proof_is_good_once(application, flagged):
    proof = proof_of(application)
    application.choose_password(proof, OTHER)
    with pytest.raises(LoginOutdated):
        application.choose_password(proof, THIRD)
    flagged.must_change_password = True
    flagged.save()
    with pytest.raises(LoginOutdated):
        application.choose_password(proof, THIRD)


def test_a_proof_is_good_for_a_quarter_of_an_hour(application, flagged, held_clock):
    proof = proof_of(application)
    held_clock.forward(minutes=14)
    assert application.proven_account(proof).id == flagged.id
    held_clock.forward(minutes=2)
    with pytest.raises(LoginOutdated):
        application.choose_password(proof, OTHER)


@pytest.mark.parametrize(
    ("name", "value"), [("password", THIRD), ("status", DISABLED), ("must_change_password", False)]
)
def test_a_proof_is_worth_nothing_once_the_account_was_changed(app, application, flagged, name, value):
    proof = proof_of(application)
    with app.app_context():
        account = Account.find(flagged.href)
        account[name] = value
        account.save()
    with pytest.raises(LoginOutdated):
        application.choose_password(proof, OTHER)


@together("proof", [None, "", "x", "x" * 5000, "\ud800", 5, ["x"], b"x"])
def test_what_is_no_proof_opens_nothing(application, flagged, proof):
    with pytest.raises(LoginOutdated):
        application.choose_password(proof, OTHER)


def test_a_proof_is_none_for_another_application(application, flagged):
    other = Application.create(name="Shop", create_directory=True)
    proof = proof_of(application)
    with pytest.raises(LoginOutdated):
        other.choose_password(proof, OTHER)


def test_who_must_choose_another_gets_not_away_with_the_one_they_have(application, flagged):
    proof = proof_of(application)
    with pytest.raises(PasswordReused):
        application.choose_password(proof, PASSWORD)
    with pytest.raises(PasswordReused):
        flagged.change_password(PASSWORD, PASSWORD)
    with pytest.raises(PasswordRefused):
        application.choose_password(proof, "x")
    application.choose_password(proof, OTHER)


def test_an_owner_who_chose_another_by_mail_or_with_the_old_one_is_let_in(application, flagged):
    token = application.send_password_reset_email(LOGIN).token
    assert application.reset_account_password(token, OTHER).must_change_password is False
    flagged.must_change_password = True
    flagged.save()
    flagged.change_password(OTHER, THIRD)
    assert application.authenticate_account(LOGIN, THIRD).account is flagged


def test_a_password_that_somebody_else_set_must_still_be_changed(application, flagged):
    flagged.password = OTHER
    flagged.save()
    proof_of(application, OTHER)


def test_whether_it_must_be_changed_is_read_anew_for_each_login(app, application, han):
    application.authenticate_account(LOGIN, PASSWORD)
    with app.app_context():
        account = Account.find(han.href)
        account.must_change_password = "true"
        account.save()
        session.remove()
    proof_of(application)
    assert dict(han)["must_change_password"] is True
