"""Account: who it is, its names, its password, and what happens when it is saved."""

import contextlib

import pytest
import sqlalchemy as sa
from flask import current_app

from stormpath_app import Account, Application, User
from stormpath_app.database import database, session
from stormpath_app.errors import (
    AccountAlreadyExists,
    ApiKeyRefused,
    LoginFailed,
    PasswordRefused,
    PropertyRequired,
    ResourceNotFound,
    StormpathError,
    TokenRefused,
    UnsupportedValue,
    WrongPassword,
    WrongType,
)
from stormpath_app.models import AccountSession, LoginName, OutboxMessage
from stormpath_app.signals import user_created, user_deleted, user_updated
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD
from ..payloads import EMAIL_REJECT, EMAIL_WRONG_TYPE
from .test_event import events

OTHER = "Kessel12.Parsecs"
SET_UP = {"tenant.created", "application.created", "directory.created", "account_store.mapped"}


@pytest.fixture
def han(context):
    return Account.create("han@falcon.example", PASSWORD, "Han", "Solo", username="solo")


@pytest.fixture
def heard(context):
    """Return what the signals of accounts told: signal, e-mail address."""
    found = []
    with contextlib.ExitStack() as stack:
        for signal in (user_created, user_updated, user_deleted):

            def hear(_sender, user, account, signal=signal):
                found.append((signal.name, user["email"]))
                assert account.email == user["email"]

            stack.enter_context(signal.connected_to(hear, context))
        yield found


def emails():
    """Return the addresses that the database has, whatever is set and not saved here."""
    with current_app.app_context():
        return sorted(account.email for account in Application.current().accounts)


# --- Who it is ---


def test_an_account_is_what_it_was_created_with(context):
    account = User.create("Han@Falcon.example ", PASSWORD, " Han", "Solo", username="Solo", middle_name="J.")
    account.refresh()
    assert (account.email, account.username, account.full_name) == ("Han@Falcon.example", "Solo", "Han J. Solo")
    assert (account.given_name, account.middle_name, account.surname) == ("Han", "J.", "Solo")
    assert (account.status, account.directory.name) == ("ENABLED", "My Application Directory")


def test_an_account_needs_an_address_and_a_password_alone(context):
    account = Application.current().accounts.create(email="han@falcon.example", password=PASSWORD)
    assert (account.full_name, account.given_name) == ("", None)


def test_without_a_username_the_address_is_one_and_follows_a_new_address(context):
    account = Account.create("han@falcon.example", PASSWORD)
    assert account.username == "han@falcon.example"
    account.email = "solo@falcon.example"
    account.save()
    assert account.username == "solo@falcon.example"


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_username_can_be_given_up(han, blank):
    han.username = blank
    han.save()
    assert han.username == "han@falcon.example"
    assert Application.current().find_account("solo") is None


@pytest.mark.parametrize(
    ("status", "is_active"), [("ENABLED", True), ("enabled", True), ("Disabled", False), ("unverified", False)]
)
def test_whether_it_is_active_can_be_read_and_called(han, status, is_active):
    han.status = status
    han.save()
    assert han.status == status.upper()
    assert (bool(han.is_active), han.is_active(), repr(han.is_active)) == (is_active, is_active, str(is_active))


def test_flask_login_finds_its_words(han):
    assert han.is_authenticated
    assert han.is_authenticated() is True
    assert not han.is_anonymous
    assert han.is_anonymous() is False
    assert Account.get(han.get_id()) is han


@pytest.mark.parametrize(("status", "error"), [("LOCKED", UnsupportedValue), ("", UnsupportedValue), (1, WrongType)])
def test_a_status_that_there_is_not_is_refused(han, status, error):
    with pytest.raises(error):
        han.status = status
    assert han.status == "ENABLED"


def test_an_account_is_found_by_href_and_id_whatever_the_sites_address(han, context):
    assert han.href == f"/v1/accounts/{han.id}"
    context.config["STORMPATH_BASE_URL"] = "https://www.example.com"
    assert han.href == f"https://www.example.com/v1/accounts/{han.id}"
    for href in (han.id, han.href, f"/v1/accounts/{han.id}", f"https://old.example/v1/accounts/{han.id}"):
        assert Account.get(href) is han


def test_another_href_finds_no_account(han, subtests):
    others = ("", "/", "x", "\0", "\ud800", "x" * 5000, "/v1/accounts/", f"{han.id}x", f"x/{han.id}")
    for href in (*others, f"/v1/directories/{han.id}", f"/v1/accounts/{han.id}/", han.directory.href):
        with subtests.test(href=ascii(href[:30])):
            assert Account.find(href) is None
            with pytest.raises(ResourceNotFound):
                Account.get(href)


# --- Whether its address is verified ---


def test_a_new_address_is_unverified_until_somebody_says_otherwise(han):
    assert (han.email_verification_status, han.status) == ("UNVERIFIED", "ENABLED")
    han.email_verification_status = "verified"
    han.save()
    han.refresh()
    assert (han["email_verification_status"], han.status) == ("VERIFIED", "ENABLED")
    created = Application.current().accounts.create(
        {"email_verification_status": "Unknown", "email": "leia@alderaan.example", "password": PASSWORD}
    )
    assert created.email_verification_status == "UNKNOWN"


@pytest.mark.parametrize("status", ["VERIFIED", "UNKNOWN"])
def test_another_address_is_not_verified_because_the_one_before_was(han, status):
    han.email_verification_status = status
    han.save()
    han.email = "han@falcon.example"
    assert han.email_verification_status == status
    han.email = "ben@falcon.example"
    han.save()
    han.refresh()
    assert han.email_verification_status == "UNVERIFIED"
    assert events("account.updated")[-1].data["changed"] == {
        "email": ["han@falcon.example", "ben@falcon.example"],
        "email_verification_status": [status, "UNVERIFIED"],
    }


@pytest.mark.parametrize("first", ["email", "email_verification_status"])
def test_another_address_is_verified_where_the_same_save_says_so(han, first):
    given = {"email": "ben@falcon.example", "email_verification_status": "VERIFIED"}
    for name in (first, *(given.keys() - {first})):
        han[name] = given[name]
    han.save()
    han.refresh()
    assert dict(han).items() >= given.items()


def test_an_address_that_is_refused_leaves_the_old_one_verified(han):
    Account.create("leia@alderaan.example", PASSWORD)
    han.email_verification_status = "VERIFIED"
    han.save()
    han.email = "leia@alderaan.example"
    with pytest.raises(AccountAlreadyExists):
        han.save()
    han.refresh()
    assert (han.email, han.email_verification_status) == ("han@falcon.example", "VERIFIED")


@pytest.mark.parametrize(("value", "error"), [("ENABLED", UnsupportedValue), ("", UnsupportedValue), (True, WrongType)])
def test_whether_an_address_is_verified_has_three_answers(han, value, error):
    with pytest.raises(error) as caught:
        han.email_verification_status = value
    assert caught.value.property == "email_verification_status"


# --- What cannot be ---


WRONG = [
    *(({"email": value}, 2006) for value in EMAIL_REJECT),
    *(({"email": value}, 2004) for value in EMAIL_WRONG_TYPE),
    *(({"email": value}, 2000) for value in (None, "", " ")),
    *(({"email": value}, 2004) for value in (0, False, [], {})),
    *(({"password": value}, 2004) for value in (5, 0, False, [], ["x"], b"Woot1Loves.Cookies", True)),
    *(({"password": value}, 2000) for value in (None, "")),
    *(({"password": "short"}, 2007), ({"password": "x" * 101}, 2008), ({"password": "nodigits.Here"}, 400)),
    *(({name: 5}, 2004) for name in ("username", "given_name", "middle_name", "surname", "status")),
    *(({name: "x" * 256}, 2008) for name in ("username", "given_name", "middle_name", "surname")),
    *(({name: "a\0b"}, 2006) for name in ("username", "given_name", "middle_name", "surname")),
    *(({name: "x"}, 2015) for name in ("given_nmae", "id", "password_hash", "directory_id", "chosen_username")),
    *(
        ({name: "x"}, 2017)
        for name in ("href", "created_at", "full_name", "password_modified_at", "directory", "groups")
    ),
    ({"status": "LOCKED"}, 2003),
    # It would pass for another account where one is asked for by href or name.
    *(({"username": value}, 2006) for value in ("x/v1/accounts/0353QuDJUTzgm3zO2H0Sat", "/v1/accounts/x")),
]


def test_an_account_that_cannot_be_leaves_nothing_behind(context, heard, subtests):
    for wrong, code in WRONG:
        with subtests.test(wrong=ascii(wrong)[:60]), pytest.raises(StormpathError) as caught:
            Application.current().accounts.create({"email": "han@falcon.example", "password": PASSWORD, **wrong})
        assert (caught.value.status, caught.value.code) == (400, code), wrong
    Account.create("leia@alderaan.example", PASSWORD)  # commits whatever is left
    assert emails() == ["leia@alderaan.example"]
    assert session.scalar(sa.select(sa.func.count()).select_from(LoginName)) == 1
    assert heard == [("user-created", "leia@alderaan.example")]


def test_a_wrong_attribute_is_named_as_it_was_written(context):
    with pytest.raises(StormpathError, match=r"^Account has no property 'given_nmae'\.$"):
        Application.current().accounts.create(email="han@falcon.example", password=PASSWORD, given_nmae="Han")


@pytest.mark.parametrize("password", ["weak", None], ids=["refused", "never saved"])
def test_what_is_set_waits_for_its_own_save_whatever_else_is_saved(han, password):
    han.given_name = "Eve"
    if password:
        han.password = password
        with pytest.raises(PasswordRefused):
            han.save()
    Account.create("leia@alderaan.example", PASSWORD)
    with database.engine.connect() as connection:
        assert connection.scalar(sa.select(Account.given_name).where(Account.id == han.id)) == "Han"
    han.password = OTHER
    han.save()
    han.refresh()
    assert han.given_name == "Eve"


# --- Its password ---


def test_a_password_cannot_be_read(han):
    with pytest.raises(AttributeError):
        _ = han.password
    han.password = OTHER
    assert OTHER not in repr(han) + str(han) + str(dict(han))
    han.save()
    assert OTHER not in str(vars(han))
    assert not {"password", "password_hash"} & dict(han).keys()


@pytest.mark.parametrize(
    ("value", "error"),
    [(None, PropertyRequired), (5, WrongType), (b"Kessel12.Parsecs", WrongType), ("", PropertyRequired)],
)
def test_a_password_that_is_none_is_refused_where_it_is_set(han, value, error):
    with pytest.raises(error):
        han.password = value
    han.save()
    han.check_password(PASSWORD)


def test_a_new_password_takes_the_place_of_the_old_one(han, held_clock):
    held_clock.forward(days=1)
    han.password = OTHER
    han.save()
    han.check_password(OTHER)
    assert han.password_modified_at == held_clock.at
    with pytest.raises(WrongPassword):
        han.check_password(PASSWORD)


@pytest.mark.parametrize("password", [PASSWORD, "", "None", "\0"])
def test_an_account_without_a_password_lets_nobody_in(han, password):
    assert han.has_password
    han.password_hash = None
    han.save()
    assert not han.has_password
    with pytest.raises(LoginFailed):
        User.from_login("solo", password)


def test_a_check_of_the_password_keeps_what_is_not_saved_yet(han):
    han.status = "DISABLED"
    with pytest.raises(WrongPassword):
        han.check_password(OTHER)
    assert han.status == "DISABLED"


def test_a_wrong_password_of_a_check_is_logged(han):
    with pytest.raises(WrongPassword):
        han.check_password(OTHER)
    (failed,) = events("reauthentication.failed")
    assert (failed.account_id, failed.directory_id) == (han.id, han.directory_id)


def test_no_password_is_checked_inside_a_block_that_could_undo_its_count(han):
    with atomic(), pytest.raises(RuntimeError, match=r"inside atomic\(\)"):
        han.check_password(PASSWORD)


def test_an_account_that_is_unlocked_may_be_logged_in_to_at_once(han, held_clock):
    for _ in range(6):
        with pytest.raises(LoginFailed):
            User.from_login("solo", OTHER)
    han.unlock()
    assert User.from_login("solo", PASSWORD) is han
    assert [event.account_id for event in events("account.unlocked")] == [han.id]


def test_from_login_finds_the_account_by_either_name(han):
    assert User is Account
    for login in ("solo", "SOLO", "Han@Falcon.example", " solo "):
        assert User.from_login(login, PASSWORD) is han


# --- Saving and deleting ---


def test_signals_tell_of_what_was_done_and_of_nothing_else(context, heard):
    account = Account.create("han@falcon.example", PASSWORD)
    account.save()
    account.email = "solo@falcon.example"
    account.save()
    account.delete()
    assert heard == [
        ("user-created", "han@falcon.example"),
        ("user-updated", "solo@falcon.example"),
        ("user-deleted", "solo@falcon.example"),
    ]


@pytest.mark.parametrize(
    ("attribute", "value", "kind", "details"),
    [
        ("given_name", "Ben", "account.updated", {"changed": {"given_name": ["Han", "Ben"]}}),
        (
            "email",
            "ben@falcon.example",
            "account.updated",
            {"changed": {"email": ["han@falcon.example", "ben@falcon.example"]}},
        ),
        ("status", "disabled", "account.updated", {"changed": {"status": ["ENABLED", "DISABLED"]}}),
        ("password", OTHER, "password.changed", {}),
    ],
)
def test_the_log_says_what_was_changed(han, attribute, value, kind, details):
    setattr(han, attribute, value)
    han.save()
    (event,) = [event for event in events() if event.kind not in {"account.created", *SET_UP}]
    assert (event.kind, event.data, event.account_id) == (kind, details, han.id)


def test_a_change_moves_the_time_it_was_changed_at_alone(han, held_clock):
    held_clock.forward(days=1)
    created = han.created_at
    han.given_name = "Ben"
    han.save()
    han.refresh()
    assert (han.created_at, han.modified_at) == (created, held_clock.at)


def test_an_account_that_is_refused_leaves_what_is_set_on_others(context):
    han = Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
    han.given_name = "Unsaved"
    with pytest.raises(AccountAlreadyExists):
        Account.create("han@falcon.example", PASSWORD)
    assert han.given_name == "Unsaved"


# --- What an administrator does for its owner ---


@pytest.mark.parametrize(
    ("before", "after"), [("UNVERIFIED", "ENABLED"), ("ENABLED", "ENABLED"), ("DISABLED", "DISABLED")]
)
def test_an_address_is_taken_for_confirmed_and_whoever_waited_for_that_is_let_in(context, before, after):
    account = Account.create("han@falcon.example", PASSWORD, status=before)
    account.verify()
    account.refresh()
    assert (account.status, account.email_verification_status) == (after, "VERIFIED")
    account.verify()


def test_the_link_that_would_have_confirmed_it_is_dead_then_and_no_mail_is_written(context):
    policy = Application.current().default_account_store().account_creation_policy
    policy.verification_email_status = policy.welcome_email_status = "ENABLED"
    policy.save()
    account = Account.create("han@falcon.example", PASSWORD)
    token = account.email_verification_token
    account.verify()
    with pytest.raises(TokenRefused):
        Account.verify_email(token)
    kinds = session.scalars(sa.select(OutboxMessage.kind)).all()
    assert kinds == ["verification"]


def test_a_lock_down_shuts_out_every_way_in_at_once(han):
    here = Application.current()
    key = han.api_keys.create()
    han.api_keys.create(status="DISABLED")
    AccountSession.start(han.id, here.id, remembered=True)
    session.commit()
    link = here.create_password_reset_token(han).token
    assert han.lock_down() == (1, 1)
    han.refresh()
    assert (han.status, han.sessions) == ("DISABLED", [])
    assert [one.status for one in han.api_keys] == ["DISABLED", "DISABLED"]
    with pytest.raises(ApiKeyRefused):
        here.api_keys.authenticate(key.id, key.secret)
    with pytest.raises(LoginFailed):
        User.from_login("solo", PASSWORD)
    han.status = "ENABLED"
    han.save()
    with pytest.raises(TokenRefused):
        here.reset_account_password(link, OTHER)
    (event,) = events("account.locked_down")
    assert (event.account_id, event.data) == (han.id, {"sessions": 1, "api_keys": 1})


def test_who_is_disabled_already_is_locked_down_all_the_same(han):
    han.status = "DISABLED"
    han.save()
    han.api_keys.create()
    assert han.lock_down() == (0, 1)


def test_its_wrong_passwords_are_told_and_forgotten(held_clock, han):
    for _ in range(6):
        with contextlib.suppress(LoginFailed):
            User.from_login("solo", OTHER)
    everybody, devices = han.locks
    assert (everybody.failures, everybody.is_open, everybody.is_stopped, devices) == (5, False, False, [])
    han.unlock()
    assert han.locks[0].is_open
