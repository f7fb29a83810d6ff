"""AccountSession: how long a login lasts, and all that ends it."""

import hashlib
from datetime import timedelta

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, clock, origin
from stormpath_app.database import database, session
from stormpath_app.errors import LoginOutdated
from stormpath_app.models import AccountSession, Client, active_session, session as sessions
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD
from .test_event import events

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


# --- What replaces a token ---


def rotate(token, times=1):
    """Replace a token so many times; return the last one."""
    for _ in range(times):
        token = sessions.rotate(token, clock.now())
    return token


def row(token):
    session.expire_all()
    return session.get(AccountSession, token.split(".")[0])


def lineage(token, rotations=10):
    """Return how often a token was replaced, as its secret alone tells; None: it never was the login's."""
    found = sessions.newest(token.split(".")[1], row(token).token_hash, rotations)
    return found and found[0]


def test_a_successor_is_computed_and_looks_like_any_other_token(han):
    token = start(han)
    after = rotate(token)
    assert sessions.rotate(token, clock.now()) == after  # who comes late gets the same
    assert (after.split(".")[0], len(after)) == (token.split(".")[0], len(token))
    assert after.split(".")[1] != token.split(".")[1]
    assert row(token).token_hash == hashlib.sha256(after.split(".")[1].encode()).hexdigest()
    assert row(token).rotations == 1


def test_the_successors_of_two_logins_have_nothing_in_common(han):
    assert len({rotate(start(han)).split(".")[1] for _ in range(5)}) == 5


def test_without_the_secret_key_nobody_can_compute_a_successor(context, han):
    token = start(han)
    before = rotate(token)
    context.config["SECRET_KEY"] = "of somebody else, who knows the token and all of this code"
    session.execute(sa.update(AccountSession).values(token_hash=hashlib.sha256(token[23:].encode()).hexdigest()))
    session.commit()
    assert rotate(token) != before


def test_every_token_that_was_ever_replaced_is_recognised_and_none_that_was_not(han):
    tokens = [start(han)]
    for _ in range(5):
        tokens.append(rotate(tokens[-1]))
    assert [lineage(token) for token in tokens] == [5, 4, 3, 2, 1, 0]
    name = tokens[0].split(".")[0]
    for never in (f"{name}.", f"{name}.{'A' * 43}", f"{name}.{start(han).split('.')[1]}", f"{tokens[0][:-1]}~"):
        assert lineage(never) is None
    assert lineage(tokens[0], rotations=4) is None  # it is not looked for further than there can be one


def test_a_seal_is_made_by_the_server_alone_and_for_one_token(context, han):
    token, other = start(han), start(han)
    sealed = sessions.seal(token)
    assert sessions.unseal(sealed) == (token, True)
    context.config.update(SECRET_KEY="another one, for these tests", SECRET_KEY_FALLBACKS=[context.secret_key])
    assert sessions.unseal(sealed) == (token, True)
    context.config["SECRET_KEY_FALLBACKS"] = []
    for no_seal in (sealed, token, "", sealed[len(token) :], other + sealed[len(token) :], token + "é" * 43):
        assert sessions.unseal(no_seal) == (no_seal, False)


def test_a_login_that_was_ended_is_not_rotated(han):
    token = start(han)
    set_and_save(han, password=OTHER)
    assert rotate(token) is None
    assert count() == 0


def test_a_login_is_rotated_so_often_that_old_tokens_are_still_found_quickly(han, held_clock):
    token = start(han)
    session.execute(sa.update(AccountSession).values(rotations=sessions.MOST_ROTATIONS - 1))
    session.commit()
    assert active_session.find(token).may_rotate(held_clock.at)
    session.execute(sa.update(AccountSession).values(rotations=sessions.MOST_ROTATIONS))
    session.commit()
    assert not active_session.find(token).may_rotate(held_clock.at)
    assert active_session.find(token).token == token


def test_a_successor_is_confirmed_by_a_machine_whose_clock_is_behind_too(han, held_clock):
    token = rotate(start(han))
    rotated_at = active_session.find(token).unconfirmed_since
    assert rotated_at == held_clock.at
    held_clock.forward(seconds=-5)
    sessions.confirm(token.split(".")[0], rotated_at)
    session.expire_all()
    assert active_session.find(token).unconfirmed_since is None


def test_an_old_confirmation_does_not_confirm_the_next_successor(han, held_clock):
    token = rotate(start(han))
    earlier = held_clock.at
    held_clock.forward(minutes=1)
    newest = rotate(token)
    sessions.confirm(token.split(".")[0], earlier)
    assert active_session.find(newest).unconfirmed_since == held_clock.at


@pytest.mark.parametrize("fresh", [True, False])
def test_a_login_knows_when_the_password_was_given_until_it_is_restored(han, held_clock, fresh):
    with atomic():
        token = active_session.start(han, Application.current(), remembered=True, fresh=fresh)
    assert active_session.find(token).authenticated_at == (held_clock.at if fresh else None)
    assert active_session.find(rotate(token)).authenticated_at is None


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


def test_a_login_at_one_application_opens_those_that_have_the_directory_and_no_other(context, han):
    other = Client().applications.create(name="Shop")
    token = start(han)
    context.config["STORMPATH_APPLICATION"] = "Shop"
    assert not opens(token)
    other.add_account_store(han.directory)
    assert opens(token)
    other.status = "disabled"
    other.save()
    assert not opens(token)
    context.config["STORMPATH_APPLICATION"] = "My Application"
    assert opens(token)


def test_a_shorter_lifetime_counts_for_the_logins_there_are(context, han, held_clock):
    token = start(han)
    held_clock.forward(hours=2)
    assert opens(token)
    context.config["STORMPATH_SESSION_LIFETIME"] = timedelta(hours=1)
    assert not opens(token)


def test_taking_a_directory_from_one_application_leaves_logins_at_another(context, han):
    other = Client().applications.create(name="Shop")
    mapping = other.add_account_store(han.directory)
    here, there = start(han), start(han, other)
    mapping.delete()
    assert opens(here)
    context.config["STORMPATH_APPLICATION"] = "Shop"
    assert not opens(there)


def test_signing_an_account_out_ends_all_its_logins_and_nobody_elses(han):
    leia = Account.create("leia@alderaan.example", PASSWORD)
    tokens, hers, key = [start(han), start(han)], start(leia), han.api_keys.create()
    assert han.sign_out() == 2
    assert [active_session.find(token) for token in tokens] == [None, None]
    assert active_session.find(hers).account is leia
    assert han.api_keys.authenticate(key.id, key.secret)
    assert han.sign_out() == 0
    assert start(han)


# --- As their owner sees them ---


def test_an_account_has_its_logins_that_are_alive_the_last_active_first(han, held_clock):
    leia = Account.create("leia@alderaan.example", PASSWORD)
    start(leia)
    ids = []
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        with origin.acting(origin.Origin(address=address, user_agent="Firefox/1 (Windows)")):
            ids.append(start(han).partition(".")[0])
        held_clock.forward(days=100)
    found = han.sessions
    assert [login.id for login in found] == ids[::-1]
    assert [login.address for login in found] == ["192.0.2.3", "192.0.2.2", "192.0.2.1"]
    assert {(login.device, login.user_agent, login.remembered) for login in found} == {
        ("Firefox on Windows", "Firefox/1 (Windows)", True)
    }
    assert found[0].created_at == found[0].last_seen_at == held_clock.at - timedelta(days=100)
    held_clock.forward(days=66)
    assert [login.id for login in han.sessions] == ids[:0:-1]


@pytest.mark.settings(STORMPATH_COOKIE_DURATION=timedelta(days=1))
def test_a_login_without_activity_is_none_any_more(han, held_clock):
    start(han)
    held_clock.forward(days=2)
    assert han.sessions == []


def test_a_login_that_is_ended_opens_nothing_and_others_do(han):
    first, second = start(han), start(han)
    ended = next(login for login in han.sessions if first.startswith(login.id))
    for _twice in range(2):
        ended.end()
        assert (opens(first), opens(second)) == (False, True)
    (event,) = events("session.ended")
    assert (event.account_id, event.directory_id) == (han.id, han.directory_id)


def test_the_login_that_asks_is_left_where_the_others_end(han):
    mine, other = start(han), start(han)
    with origin.acting(origin.Origin(session=mine.partition(".")[0])):
        assert {login.is_current for login in han.sessions} == {True, False}
        assert han.sign_out(others=True) == 1
    assert (opens(mine), opens(other)) == (True, False)
    assert han.sign_out(others=True) == 1  # a script has none of its own
