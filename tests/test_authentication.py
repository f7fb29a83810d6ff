"""Who is asking: sessions that begin, last and end, and values that never were one."""

import hashlib
import itertools
from datetime import timedelta

import flask_login
import pytest
import sqlalchemy as sa
from flask import render_template_string
from flask_login import user_logged_in, user_logged_out

from stormpath_app import Account, Application, current_user, login_user, logout_user, user
from stormpath_app.database import database, session
from stormpath_app.models import AccountSession

from .conftest import PASSWORD, make_app, statements, token
from .together import together

SESSION, TOKEN = "__Host-stormpath_session", "__Host-stormpath_token"


@pytest.fixture
def other_app(app, instance):
    """Return a second app on the same file, as another process has it."""
    other = make_app(instance)
    yield other
    with other.app_context():
        database.engine.dispose()


def is_in(client):
    return client.get("/secret").status_code == 200


def copy(client, app):
    """Return another browser with the login cookies of this one."""
    thief = app.test_client()
    for name in (SESSION, TOKEN):
        if cookie := client.get_cookie(name):
            thief.set_cookie(name, cookie.value)
    return thief


def han():
    return Application.current().find_account("han@falcon.example")


def written(seen):
    """Return the statements that write."""
    return [statement for statement in seen if not statement.startswith(("SELECT", "PRAGMA"))]


def sessions(app):
    with app.app_context():
        return list(session.scalars(sa.select(AccountSession)))


# --- The ends of a session ---


@pytest.mark.parametrize("how", ["GET", "POST"])
def test_a_cookie_that_was_copied_before_the_logout_is_dead_after(app, member, how):
    thief = copy(member, app)
    assert is_in(thief)
    member.open("/logout", method=how, data={"csrf_token": token(member, "/login?next=/")})
    assert not is_in(thief)
    assert sessions(app) == []


def test_a_logout_ends_the_login_of_this_device_alone(app, member, log_in):
    phone = app.test_client()
    log_in(phone)
    member.get("/logout")
    assert (is_in(member), is_in(phone)) == (False, True)


def change(resource, **attributes):
    for name, value in attributes.items():
        setattr(resource, name, value)
    resource.save()


def delete(resource):
    resource.delete()


def mapping():
    return Application.current().default_account_store_mapping


ENDS = {
    "a new password": lambda: change(han(), password="Another1.Password"),
    "account disabled": lambda: change(han(), status="DISABLED"),
    "account unverified": lambda: change(han(), status="UNVERIFIED"),
    "account deleted": lambda: delete(han()),
    "directory disabled": lambda: change(mapping().account_store, status="DISABLED"),
    "directory deleted": lambda: delete(mapping().account_store),
    "mapping deleted": lambda: delete(mapping()),
    "application disabled": lambda: change(Application.current(), status="DISABLED"),
    "application deleted": lambda: delete(Application.current()),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_ends_a_login_ends_it_everywhere_at_the_next_request(app, other_app, member, log_in, end):
    phone, elsewhere = app.test_client(), copy(member, other_app)
    log_in(phone)
    assert [is_in(browser) for browser in (member, phone, elsewhere)] == [True] * 3
    with other_app.app_context():
        end()
    assert [is_in(browser) for browser in (member, phone, elsewhere)] == [False] * 3
    assert member.get("/").status_code == 200


@pytest.mark.parametrize("name", ["account", "directory", "application"])
def test_what_was_disabled_and_is_enabled_again_revives_no_old_login(app, member, name):
    find = {"account": han, "directory": lambda: mapping().account_store, "application": Application.current}[name]
    for status in ("DISABLED", "ENABLED"):
        with app.app_context():
            change(find(), status=status)
    assert not is_in(member)


def test_other_changes_of_an_account_end_nothing_and_show_at_once(app, member):
    with app.app_context():
        change(han(), given_name="Ben", email="ben@falcon.example", username="kylo")
    assert member.get("/secret").text == "Hello Ben"


# --- Values that are no session ---


def test_a_value_from_before_a_login_is_worthless_after(app, member):
    before = copy(member, app)
    data = {"csrf_token": token(member, "/login?next=/"), "login": "solo", "password": PASSWORD}
    assert member.post("/login?next=/", data=data).status_code == 302
    assert (is_in(before), is_in(member)) == (False, True)


def test_logging_in_as_another_ends_the_first_login_of_the_browser(app, member):
    with app.app_context():
        Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa")
    before = copy(member, app)
    data = {"csrf_token": token(member, "/login?next=/"), "login": "leia@alderaan.example", "password": PASSWORD}
    member.post("/login", data=data)
    assert member.get("/secret").text == "Hello Leia"
    assert not is_in(before)
    assert len(sessions(app)) == 1


# A session's token is its name in the database, a dot and its secret.
PLANTED = {
    "nothing": lambda name, secret: "",
    "a dot": lambda name, secret: ".",
    "the id alone": lambda name, secret: name,
    "no secret": lambda name, secret: f"{name}.",
    "another secret": lambda name, secret: f"{name}.{'A' * 43}",
    "the secret alone": lambda name, secret: f".{secret}",
    "the stored hash": lambda name, secret: f"{name}.{hashlib.sha256(secret.encode()).hexdigest()}",
    "a part": lambda name, secret: f"{name}.{secret[:-1]}",
    "more": lambda name, secret: f"{name}.{secret}A",
    "another case": lambda name, secret: f"{name}.{secret.swapcase()}",
    "another id": lambda name, secret: f"{name[:-1]}{'0' if name[-1] != '0' else '1'}.{secret}",
    "the id in another case": lambda name, secret: f"{name.swapcase()}.{secret}",
    "wildcards": lambda name, secret: f"{'%' * 22}.{secret}",
    "SQL": lambda name, secret: f"' OR id LIKE '%' --     .{secret}",
    "blanks": lambda name, secret: f" {name}.{secret}",
    "a NUL": lambda name, secret: f"{name[:-1]}\0.{secret}",
    "no ASCII": lambda name, secret: f"{name}.é{secret}",
    "8000 letters": lambda name, secret: f"{name}.{secret * 200}",
}


@together("plant", PLANTED.values(), ids=PLANTED)
def test_a_planted_value_is_nobody(app, member, plant):
    value = plant(*member.get_cookie(SESSION).value.split("."))
    for name in (SESSION, TOKEN):
        browser = app.test_client()
        answer = browser.get("/secret", headers={"Cookie": f"{name}={value}".encode().decode("latin-1")})
        assert answer.status_code == 302


def test_the_names_without_the_prefix_are_not_looked_at_over_https(app, member):
    browser = app.test_client()
    browser.set_cookie("stormpath_session", member.get_cookie(SESSION).value)
    browser.set_cookie("stormpath_token", member.get_cookie(TOKEN).value)
    assert not is_in(browser)


def test_a_worthless_cookie_does_not_hide_a_good_one(member):
    member.set_cookie(SESSION, "planted")
    assert is_in(member)  # by the remembered one


def test_a_login_cookie_of_another_extension_does_not_lock_a_person_out(member):
    member.set_cookie("remember_token", "of another app on this host, or of this one before it moved here")
    assert is_in(member)


@pytest.mark.settings(SESSION_PROTECTION="strong")
def test_a_setting_of_an_app_that_moved_here_does_not_lock_a_person_out(member):
    token(member, "/login?next=/")
    assert is_in(member)


# --- How long it lasts ---


@pytest.mark.settings(STORMPATH_COOKIE_DURATION=timedelta(minutes=30))
def test_a_login_lasts_as_long_as_there_is_activity(app, held_clock, account, client, log_in):
    log_in(client)
    for _ in range(3):
        held_clock.forward(minutes=29)
        with client.get("/secret") as answer:
            assert answer.status_code == 200
    held_clock.forward(minutes=31)
    assert not is_in(client)


@pytest.mark.settings(STORMPATH_SESSION_LIFETIME=timedelta(hours=1))
def test_no_activity_keeps_a_login_beyond_its_lifetime(held_clock, account, client, log_in):
    log_in(client)
    for _ in range(2):
        held_clock.forward(minutes=29)
        with client.get("/secret") as answer:
            assert answer.status_code == 200
    held_clock.forward(minutes=3)
    assert not is_in(client)


def test_a_login_ends_after_a_year_without_activity(held_clock, account, client, log_in):
    log_in(client)
    held_clock.forward(days=364)
    with client.get("/secret") as answer:
        assert answer.status_code == 200
    held_clock.forward(days=2)
    assert not is_in(client)


def test_the_last_sight_moves_once_a_minute_at_most_and_after_the_response(app, held_clock, account, client, log_in):
    log_in(client)
    began = held_clock.at
    held_clock.forward(seconds=59)
    with statements(app) as seen:
        client.get("/secret").close()
    assert written(seen) == []
    held_clock.forward(seconds=2)
    with statements(app) as seen:
        answer = client.get("/secret")
        assert written(seen) == []
        assert "max-age=31535939" in answer.headers["Set-Cookie"].lower()  # the remembered cookie moves on with it
        answer.close()
    assert [statement.split()[:2] for statement in written(seen)] == [["UPDATE", "stormpath_account_sessions"]]
    assert [row.last_seen_at - began for row in sessions(app)] == [timedelta(seconds=61)]
    with statements(app) as seen:
        client.get("/secret").close()
    assert written(seen) == []


def test_ordinary_requests_write_nothing(app, member):
    with statements(app) as seen:
        for page in ("/", "/secret", "/login?next=/", "/register", "/nowhere"):
            member.get(page).close()
            app.test_client().get(page).close()
    assert written(seen) == []


# --- From an app's own code ---


def view(app, body):
    app.add_url_rule("/do", "do", body, methods=["GET", "POST"])


def test_a_login_that_is_not_remembered_sets_no_cookie_that_lasts_but_that_of_the_device(app, client, account):
    view(app, lambda: str(login_user(han(), remember=False)))
    lasting = [line for line in client.get("/do").headers.getlist("Set-Cookie") if "max-age=31" in line.lower()]
    assert [line.partition("=")[0] for line in lasting] == ["__Host-stormpath_device"]
    assert client.get_cookie(TOKEN) is None
    assert is_in(client)


@pytest.mark.parametrize("status", ["DISABLED", "UNVERIFIED"])
def test_an_account_that_may_not_log_in_is_not_logged_in_by_code_either(app, client, account, status):
    with app.app_context():
        change(han(), status=status)
    view(app, lambda: str(login_user(han())))
    answer = client.get("/do")
    assert (answer.text, "stormpath" in str(answer.headers)) == ("False", False)
    assert sessions(app) == []


def test_user_and_current_user_are_the_account_in_templates_and_in_code(app, client, account, log_in):
    page = "{{ user.is_authenticated }} {{ current_user.is_authenticated }} {{ user.email }} {{ current_user.surname }}"
    view(app, lambda: render_template_string(page) + f" {user == current_user}")
    assert client.get("/do").text == "False False   True"
    log_in(client)
    assert client.get("/do").text == "True True han@falcon.example Solo True"


def test_within_the_request_of_a_login_or_logout_the_user_is_right_at_once(app, client, account):
    def there_and_back():
        names = [user.is_authenticated]
        login_user(han())
        names.append(user.given_name)
        logout_user()
        return str([*names, user.is_authenticated])

    view(app, there_and_back)
    assert client.get("/do").text == "[False, 'Han', False]"
    assert not is_in(client)


def test_flask_logins_signals_are_sent(app, client, account, log_in):
    heard = []

    def note(sender, user):
        heard.append((sender is app, user.given_name))

    with user_logged_in.connected_to(note, app), user_logged_out.connected_to(note, app):
        log_in(client, password="wrong")
        log_in(client)
        client.get("/logout")
    assert heard == [(True, "Han"), (True, "Han")]


def test_an_answer_that_depends_on_who_asks_says_so_to_caches(app, client, account, log_in):
    view(app, lambda: "known" if user.is_authenticated else "unknown")
    strangers = client.get("/do"), client.get("/secret")
    log_in(client)
    members = client.get("/do"), client.get("/secret")
    assert (strangers[0].text, members[0].text) == ("unknown", "known")
    assert all("Cookie" in answer.headers["Vary"] for answer in (*strangers, *members))


def test_flask_logins_own_login_user_logs_in_as_ours_does(app, client, account):
    view(app, lambda: str(flask_login.login_user(han())))
    client.get("/do")
    assert is_in(client)


def test_flask_logins_own_logout_user_logs_out_as_ours_does(app, client, account, log_in):
    view(app, lambda: str(flask_login.logout_user()))
    log_in(client)
    thief = copy(client, app)
    client.get("/do")
    assert (is_in(client), is_in(thief)) == (False, False)


BY_ANY_HAND = pytest.mark.parametrize(
    ("enter", "leave"),
    list(itertools.product((login_user, flask_login.login_user), (logout_user, flask_login.logout_user))),
    ids=lambda verb: verb.__module__.partition(".")[0],
)


@BY_ANY_HAND
def test_who_is_logged_in_and_out_again_by_one_view_is_out(app, client, account, enter, leave):
    view(app, lambda: f"{enter(han())} {leave()} {user.is_authenticated}")
    assert client.get("/do").text == "True True False"
    assert not is_in(client)


@BY_ANY_HAND
def test_who_is_logged_out_and_another_one_in_by_one_view_is_the_other_one(app, client, account, log_in, enter, leave):
    with app.app_context():
        Account.create("leia@alderaan.example", PASSWORD, "Leia")
    view(app, lambda: f"{leave()} {enter(Application.current().find_account('leia@alderaan.example'))}")
    log_in(client)
    client.get("/do")
    assert client.get("/secret").text == "Hello Leia"


@pytest.mark.parametrize("enter", [login_user, flask_login.login_user], ids=["ours", "Flask-Login's"])
def test_of_two_who_are_logged_in_by_one_view_the_second_one_stays(app, client, account, enter):
    with app.app_context():
        Account.create("leia@alderaan.example", PASSWORD, "Leia")
    view(app, lambda: f"{enter(Application.current().find_account('leia@alderaan.example'))} {enter(han())}")
    client.get("/do")
    assert client.get("/secret").text == "Hello Han"


@BY_ANY_HAND
def test_an_app_may_put_somebody_out_when_it_is_told_that_they_came(app, client, account, enter, leave):
    def put_out(_app, user):
        leave()

    view(app, lambda: str(enter(han())))
    with user_logged_in.connected_to(put_out, app):
        client.get("/do")
    assert not is_in(client)


def test_a_stranger_and_a_person_can_be_asked_in_the_old_way_and_in_the_new(app, account, log_in):
    @app.get("/who")
    def who():
        claims = (user.is_authenticated, user.is_active, user.is_anonymous)
        assert [claim() for claim in claims] == [bool(claim) for claim in claims]
        return {"claims": [claim() for claim in claims]}

    client = app.test_client()
    assert client.get("/who").json["claims"] == [False, False, True]
    log_in(client)
    assert client.get("/who").json["claims"] == [True, True, False]
