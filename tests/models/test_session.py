"""AccountSession: how long a login lasts, and all that ends it."""

import hashlib
from datetime import timedelta

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application
from stormpath_app.database import database, session
from stormpath_app.errors import LoginOutdated
from stormpath_app.models import AccountSession, Client, active_session, session as sessions
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD

OTHER = "Kessel12.Parsecs"


@pytest.fixture
def han(context):
    return Account.create("han@falcon.example", PASSWORD, "Han", "Solo", username="solo")


def start(account, application=None):
    """Log an account in, and return the token."""
    with atomic():
        return active_session.start(account, application or Application.current(), remembered=True)


def opens(token):
    """Tell whether a token stands for a login that is alive."""
    session.expire_all()
    return active_session.find(token) is not None


def count():
    return session.scalar(sa.select(sa.func.count()).select_from(AccountSession))


def set_and_save(resource, **values):
    for name, value in values.items():
        setattr(resource, name, value)
    resource.save()


# --- Tokens ---


def test_a_token_finds_the_account_it_was_made_for(han):
    found = active_session.find(start(han))
    assert found.account is han
    assert found.remembered


def test_only_the_digest_of_a_secret_is_kept(han):
    session_id, _, secret = start(han).partition(".")
    kept = session.get(AccountSession, session_id)
    assert kept.token_hash == hashlib.sha256(secret.encode()).hexdigest()
    assert len(secret) >= 43  # 256 bits


def test_each_login_has_a_token_of_its_own(han):
    one, other = start(han), start(han)
    assert one.split(".")[0] != other.split(".")[0]
    assert one.split(".")[1] != other.split(".")[1]


def test_a_token_that_was_tampered_with_opens_nothing(han, subtests):
    token = start(han)
    session_id, _, secret = token.partition(".")
    for tampered in (
        "",
        ".",
        token[:-1],
        token + "x",
        token.swapcase(),
        token.replace(".", ""),
        session_id + ".",
        "." + secret,
        "0" * 22 + "." + secret,
        session_id + "." + hashlib.sha256(secret.encode()).hexdigest(),
        session_id + "." + "x" * 1_000_000,
        token[:-1] + "\0",
        token[:-1] + "é",
        token[:-1] + "\ud800",
        "é" + token[1:],
        " " + token,
        "%" * 22 + "." + secret,
    ):
        with subtests.test(tampered=ascii(tampered)[:60]):
            assert not opens(tampered)
    assert opens(token)


def test_the_secret_of_one_login_does_not_open_another(han):
    one, other = start(han).split("."), start(han).split(".")
    assert not opens(f"{one[0]}.{other[1]}")


# --- How long ---


def test_a_login_without_activity_ends(han, held_clock):
    token = start(han)
    held_clock.forward(days=364, hours=23)
    assert opens(token)
    held_clock.forward(hours=1)
    assert not opens(token)


@pytest.mark.settings(STORMPATH_SESSION_LIFETIME=timedelta(hours=12))
def test_a_login_ends_at_its_lifetime_however_active_it_was(han, held_clock):
    token = start(han)
    for _ in range(12):
        assert opens(token)
        held_clock.forward(hours=1)
        sessions.seen(database.engine, token.split(".")[0], held_clock.at, held_clock.at)
    assert not opens(token)


# --- What ends it ---

ENDINGS = {
    "a new password": lambda han: set_and_save(han, password=OTHER),
    "the same password, set again": lambda han: set_and_save(han, password=PASSWORD),
    "disabling the account": lambda han: set_and_save(han, status="DISABLED"),
    "an unverified account": lambda han: set_and_save(han, status="UNVERIFIED"),
    "deleting the account": lambda han: han.delete(),
    "disabling the directory": lambda han: set_and_save(han.directory, status="DISABLED"),
    "deleting the directory": lambda han: han.directory.delete(),
    "disabling the application": lambda han: set_and_save(Application.current(), status="DISABLED"),
    "deleting the application": lambda han: Application.current().delete(),
    "taking the directory from the application": lambda han: Application.current().account_store_mappings[0].delete(),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_every_login_of_the_account_is_ended_by(han, end):
    tokens = [start(han), start(han)]
    end(han)
    assert count() == 0
    assert not any(opens(token) for token in tokens)


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_no_login_begins_of_what_was_true_before(app, han, end):
    application = Application.current()
    with app.app_context():
        end(Account.get(han.id))
    with pytest.raises(LoginOutdated, match=r"^Invalid username or password\.$"):
        start(han, application)
    assert count() == 0


def test_no_login_begins_at_an_application_that_does_not_know_the_account(han):
    with pytest.raises(LoginOutdated):
        start(han, Client().applications.create(name="Shop"))


@pytest.mark.parametrize("thing", ["account", "directory", "application"])
def test_a_login_that_was_ended_stays_so_when_all_is_enabled_again(han, thing):
    token = start(han)
    resource = {"account": han, "directory": han.directory, "application": Application.current()}[thing]
    set_and_save(resource, status="DISABLED")
    set_and_save(resource, status="ENABLED")
    assert not opens(token)
    assert opens(start(han))


@pytest.mark.parametrize("table", ["accounts", "directories", "applications"])
def test_a_login_is_closed_too_by_what_is_disabled_past_us(han, table):
    token = start(han)
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE stormpath_{table} SET status = 'DISABLED'")
    assert not opens(token)


@pytest.mark.parametrize(
    "change",
    [
        lambda han: set_and_save(han, given_name="Ben", email="ben@falcon.example"),
        lambda han: set_and_save(han, status="enabled"),
        lambda han: set_and_save(Account.create("leia@alderaan.example", PASSWORD), password=OTHER),
        lambda han: Account.create("leia@alderaan.example", PASSWORD).delete(),
        lambda han: set_and_save(han.directory, description="Of the falcon"),
        lambda han: set_and_save(han.directory.password_policy.strength, min_length=20),
        lambda han: Account.from_login("solo", PASSWORD),
        lambda han: Client().directories.create(name="Empire").delete(),
    ],
    ids=[
        "names",
        "nothing",
        "another's password",
        "another deleted",
        "directory",
        "policy",
        "login",
        "another directory",
    ],
)
def test_a_login_goes_on_whatever_else_is_changed(han, change):
    token = start(han)
    change(han)
    assert opens(token)


def test_a_login_at_one_application_opens_no_other(context, han):
    other = Client().applications.create(name="Shop")
    other.add_account_store(han.directory)
    token = start(han)
    context.config["STORMPATH_APPLICATION"] = "Shop"
    assert not opens(token)
    assert opens(start(han, other))


def test_taking_a_directory_from_one_application_leaves_logins_at_another(context, han):
    other = Client().applications.create(name="Shop")
    mapping = other.add_account_store(han.directory)
    here, there = start(han), start(han, other)
    mapping.delete()
    assert opens(here)
    context.config["STORMPATH_APPLICATION"] = "Shop"
    assert not opens(there)
