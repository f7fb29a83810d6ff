"""How long a login lasts, whatever is asked with it, and where its cookies are for."""

from datetime import timedelta

import pytest

from stormpath_app.database import database

from .conftest import PASSWORD, make_app
from .devices import SESSION, TOKEN, browser, close, cookies, is_in, login

pytestmark = pytest.mark.usefixtures("held_clock")  # before somebody logs in


# --- How long ---


@pytest.mark.settings(STORMPATH_SESSION_LIFETIME=timedelta(hours=12))
def test_coming_back_moves_no_absolute_limit(app, member, held_clock):
    ends = login(app).expires_at
    for _ in range(11):
        held_clock.forward(hours=1)
        assert is_in(close(member))
    assert (login(app).rotations, login(app).expires_at) == (11, ends)
    held_clock.forward(hours=1)
    before = cookies(close(member))
    assert not is_in(member)
    assert cookies(member) == before


@pytest.mark.settings(STORMPATH_COOKIE_DURATION=timedelta(minutes=30))
def test_coming_back_after_too_long_without_activity_revives_nothing(app, member, held_clock):
    for _ in range(3):
        held_clock.forward(minutes=29)
        assert is_in(close(member))
    held_clock.forward(minutes=30)
    before = cookies(close(member))
    assert not is_in(member)
    assert (cookies(member), login(app).rotations) == (before, 3)


@pytest.mark.settings(STORMPATH_COOKIE_DURATION=timedelta(minutes=30))
def test_asking_for_a_lost_answer_is_no_activity(app, member, held_clock):
    token = cookies(member)[1]
    for minutes in (0, 29):
        held_clock.forward(minutes=minutes)
        assert is_in(browser(app, token=token))
    held_clock.forward(minutes=1)
    assert not is_in(browser(app, token=token))


def ages(answer):
    """Return what a browser is told of how long it keeps each cookie, in seconds."""
    found = {}
    for line in answer.headers.getlist("Set-Cookie"):
        parts = dict(part.strip().lower().partition("=")[::2] for part in line.split(";"))
        found[line.partition("=")[0]] = int(parts["max-age"]) if "max-age" in parts else None
    found.pop("__Host-stormpath_device", None)  # it promises no login
    return found


@pytest.mark.settings(STORMPATH_COOKIE_DURATION=timedelta(hours=2), STORMPATH_SESSION_LIFETIME=timedelta(hours=3))
def test_no_cookie_promises_more_than_the_login_lasts(app, account, client, log_in, held_clock):
    assert ages(log_in(client)) | {"session": 0} == {SESSION: None, TOKEN: 2 * 3600, "session": 0}
    held_clock.forward(minutes=90)
    assert ages(client.get("/secret")) == {TOKEN: 90 * 60}
    assert ages(close(client).get("/secret")) == {SESSION: None, TOKEN: 90 * 60}


@pytest.mark.settings(STORMPATH_SESSION_LIFETIME=3600)
def test_a_lifetime_shorter_than_the_idle_time_is_all_that_is_promised(account, client, log_in, held_clock):
    assert ages(log_in(client))[TOKEN] == 3600


# --- Where the cookies are for ---

DOMAIN = {"STORMPATH_COOKIE_DOMAIN": "falcon.example"}


@pytest.mark.settings(**DOMAIN)
def test_the_cookies_of_a_domain_say_so_and_are_deleted_there(app, account, log_in):
    client = app.test_client()
    page = client.get("/login", base_url="https://www.falcon.example").text
    data = {"csrf_token": page.partition('csrf_token" type="hidden" value="')[2].partition('"')[0]}
    data |= {"login": "solo", "password": PASSWORD}
    lines = client.post("/login", data=data, base_url="https://www.falcon.example").headers.getlist("Set-Cookie")
    ours = {line.partition("=")[0]: line for line in lines if line.startswith("stormpath_")}
    assert ours.keys() == {"stormpath_session", "stormpath_token", "stormpath_device"}
    assert all("Domain=falcon.example" in line for line in ours.values())
    client.delete_cookie("stormpath_session", domain="falcon.example")
    with client.get("/secret", base_url="https://shop.falcon.example") as answer:
        assert answer.text == "Hello Han"
        restored = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("stormpath_")]
    assert [line.partition("=")[0] for line in restored] == ["stormpath_session", "stormpath_token"]
    assert all("Domain=falcon.example" in line for line in restored)
    client.get("/logout", base_url="https://falcon.example")
    for name in ("stormpath_session", "stormpath_token"):
        assert client.get_cookie(name, domain="falcon.example") is None


def test_two_apps_of_one_process_keep_their_cookie_settings_apart(app, instance, account, log_in):
    other = make_app(instance, **DOMAIN, STORMPATH_COOKIE_SECURE=False, STORMPATH_COOKIE_DURATION=60)
    ours = log_in(app.test_client()).headers.getlist("Set-Cookie")
    theirs = log_in(other.test_client()).headers.getlist("Set-Cookie")
    found = [[line for line in lines if "stormpath_token" in line] for lines in (ours, theirs)]
    (mine,), (its,) = found
    assert mine.startswith("__Host-stormpath_token=")
    assert its.startswith("stormpath_token=")
    assert ("Secure" in mine, "Secure" in its) == (True, False)
    assert ("Domain" in mine, "Domain=falcon.example" in its) == (False, True)
    assert ("Max-Age=31536000" in mine, "Max-Age=60" in its) == (True, True)
    value = its.partition("=")[2].partition(";")[0]
    for name in ("stormpath_token", "stormpath_session"):
        client = app.test_client()
        client.set_cookie(name, value)
        assert not is_in(client)
    with other.app_context():
        database.engine.dispose()
