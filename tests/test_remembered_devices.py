"""A browser that was closed comes back: its token is replaced, and so are those of its tabs."""

import contextlib
import hashlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from stormpath_app import Account, login_user, user
from stormpath_app.database import database, session
from stormpath_app.models import Tenant

from .conftest import PASSWORD, closed, reads, statements
from .devices import SESSION, browser, close, cookies, is_in, login, written

# Before somebody logs in: the time is held, and the page is there.
pytestmark = pytest.mark.usefixtures("does", "held_clock")


# --- A token is replaced ---


def test_who_comes_back_after_closing_the_browser_is_in_and_gets_another_token(app, member):
    before = cookies(member)
    assert is_in(close(member))
    after = cookies(member)
    assert after.agree
    assert after.token != before.token
    assert after.token.split(".")[0] == before.token.split(".")[0]
    assert login(app).token_hash == hashlib.sha256(after.token.split(".")[1].encode()).hexdigest()
    assert is_in(member)
    assert cookies(member) == after


def test_every_return_brings_another_token(member, held_clock):
    shown = {cookies(member).token}
    for _ in range(5):
        held_clock.forward(days=1)
        assert is_in(close(member))
        shown.add(cookies(member).token)
    assert len(shown) == 6


def test_a_session_cookie_that_is_worth_nothing_is_as_none(member):
    before = cookies(member)
    member.set_cookie(SESSION, f"{before.session[:-1]}~")
    assert is_in(member)
    assert cookies(member).agree
    assert cookies(member).token != before.token


def test_a_return_writes_once_its_first_request_after_once_and_all_others_not(app, member):
    close(member)
    for writes in (1, 1, 0, 0):
        with statements(app) as seen:
            assert is_in(member)
        assert len(written(seen)) == writes
    assert len(seen) == reads(app)


def test_a_page_that_does_not_ask_who_it_is_replaces_nothing(app, member):
    before = cookies(close(member))
    with statements(app) as seen:
        member.get("/")
    assert (cookies(member), seen) == (before, [])


def test_a_token_is_not_replaced_twice_in_half_a_minute(app, member, held_clock):
    assert is_in(close(member))
    token = cookies(member).token
    held_clock.forward(seconds=29)
    assert is_in(close(member))
    assert cookies(member).agree
    assert cookies(member).token == token
    held_clock.forward(seconds=1)
    assert is_in(close(member))
    assert (cookies(member).token != token, login(app).rotations) == (True, 2)


def test_a_login_that_is_not_remembered_is_never_rotated(app, does, client, account):
    does.append(lambda: str(login_user(Account.from_login("solo", PASSWORD), remember=False)))
    client.get("/do")
    before = cookies(client)
    assert before.token is None
    moved = browser(app, token=before.session[:-43])  # where somebody made it a remembered one by hand
    assert is_in(moved)
    assert cookies(moved) == before
    assert is_in(browser(app, token=before.session))
    assert login(app).rotations == 0


# --- Tabs, and answers that were lost ---


def test_all_tabs_of_a_browser_get_the_same_cookies(app, member, held_clock):
    tabs = [browser(app, token=cookies(member).token) for _ in range(5)]
    for tab in tabs:
        assert is_in(tab)
        held_clock.forward(seconds=5)
    assert len({cookies(tab) for tab in tabs}) == 1
    assert cookies(tabs[0]).agree
    assert login(app).rotations == 1
    assert all(is_in(tab) for tab in tabs)


def test_tabs_that_ask_at_one_moment_get_the_same_cookies(app, member, held_clock):
    token = cookies(member).token
    for number in range(1, 21):
        held_clock.forward(seconds=31)
        start = threading.Barrier(5)

        def ask(tab, start=start):
            start.wait(60)
            return tab.get("/secret").status_code

        tabs = [browser(app, token=token) for _ in range(5)]
        with ThreadPoolExecutor(5) as pool:
            assert list(pool.map(ask, tabs)) == [200] * 5
        found = {cookies(tab) for tab in tabs}
        assert len(found) == 1
        (after,) = found
        assert after.agree
        assert (after.token != token, login(app).rotations) == (True, number)
        token = after.token


def test_an_answer_that_was_lost_can_be_asked_for_again_however_late(app, member, held_clock):
    token = cookies(member).token
    answers = []
    for pause in (0, 60, 60, 3600, 30 * 86400):
        held_clock.forward(seconds=pause)
        lost = browser(app, token=token)
        assert is_in(lost)
        answers.append(cookies(lost))
    assert len(set(answers)) == 1
    assert is_in(lost)
    held_clock.forward(seconds=1)
    assert not is_in(browser(app, token=token))  # the last answer has arrived


def test_the_old_cookie_of_a_window_that_is_still_open_is_replaced_too(app, member):
    other_window = browser(app, *cookies(member))
    assert is_in(close(member))
    assert is_in(other_window)
    assert cookies(other_window) == cookies(member)


# --- What else is being written ---


def tenant_name(app):
    with app.app_context():
        return Tenant.current().name


@pytest.mark.sqlite
def test_a_host_that_is_writing_on_a_connection_of_its_own_is_not_waited_for(does, instance, member):
    def write_and_ask():
        host = sqlite3.connect(instance / "stormpath.db", isolation_level=None)
        host.execute("BEGIN IMMEDIATE")
        host.execute("UPDATE stormpath_tenants SET name = 'Theirs'")
        open_connections.append(host)
        return user.given_name

    open_connections = []
    does.append(write_and_ask)
    before = cookies(close(member))
    with member.get("/do") as answer:
        assert (answer.text, cookies(member)) == ("Han", before)
    (host,) = open_connections
    host.execute("COMMIT")
    host.close()
    assert is_in(member)
    assert cookies(member).token != before.token


def test_many_who_come_back_at_one_moment_do_not_wait_for_each_others_connections(app, does, member):
    def read_and_ask():
        name = user.given_name
        session.scalar(sa.select(Tenant.name))  # from now on the request has a connection
        both.wait(60)
        return name

    does.append(read_and_ask)
    both = threading.Barrier(2)
    tabs = [browser(app, token=cookies(member).token) for _ in range(2)]
    with app.app_context():
        engine = database.engine
    with contextlib.ExitStack() as others, ThreadPoolExecutor(2) as threads:
        for _ in range(13):  # of fifteen
            others.enter_context(engine.connect())
        answers = list(threads.map(lambda tab: tab.get("/do").text, tabs))
    assert answers == ["Han", "Han"]
    assert any(cookies(tab).session for tab in tabs)


def test_what_a_host_has_written_in_our_session_and_not_committed_is_not_committed_for_it(app, does, member, dialect):
    def write_and_ask():
        session.execute(sa.update(Tenant).values(name="Not to stay"))
        return user.given_name

    does.append(write_and_ask)
    before = cookies(close(member))
    with statements(app) as seen:
        assert member.get("/do").text == "Han"
    assert tenant_name(app) == "My Tenant"
    if dialect == "sqlite":  # the one lock is taken: it was not even tried
        assert (len(written(seen)), cookies(member)) == (1, before)
    assert is_in(member)
    assert cookies(member).token != before.token


def test_what_a_host_has_not_even_sent_yet_is_not_sent_for_it(app, does, member):
    def add_and_ask():
        session.add(Tenant(name="Twin", key="twin"))
        return user.given_name

    does.append(add_and_ask)
    before = cookies(close(member))
    assert member.get("/do").text == "Han"
    assert cookies(member).token != before.token
    with app.app_context():
        assert len(session.scalars(sa.select(Tenant)).all()) == 1


def test_a_host_whose_session_is_broken_gets_its_answer(does, member):
    def ask_and_break():
        name = user.given_name
        session.add(Tenant(name="Twin", key=Tenant.current().key))
        with contextlib.suppress(sa.exc.IntegrityError):
            session.flush()
        return name

    does.append(ask_and_break)
    before = cookies(close(member))
    assert member.get("/do").text == "Han"
    assert is_in(member)
    assert cookies(member).token != before.token


def test_a_database_that_takes_no_change_leaves_people_logged_in(member, outside):
    before = cookies(close(member))
    with closed(outside, "stormpath_account_sessions", "UPDATE"):
        for _ in range(3):
            assert is_in(member)
        assert cookies(member) == before
    assert is_in(member)
    assert cookies(member).token != before.token
