"""What needs the password given a moment ago: who is asked for it again, and how."""

import flask_login
import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from flask_login import user_needs_refresh

from stormpath_app import Account, fresh_login_required, login_fresh, login_user, logout_user, user
from stormpath_app.database import session
from stormpath_app.models import Tenant

from .conftest import PASSWORD, make_app, statements, token as form_token
from .devices import browser, close, cookies, is_in, login

# Before somebody logs in: the time is held, and the page is there.
pytestmark = pytest.mark.usefixtures("does", "held_clock")

AGAIN = "Enter your password again to open this page."
LOST = "What you sent was not saved. Enter your password again, then send it once more."


@pytest.fixture(autouse=True)
def door(app):
    """Add the page `/safe` to the host, for those who are fresh alone."""

    @app.route("/safe", methods=["GET", "POST"])
    @fresh_login_required
    def safe():
        return f"Safe of {user.given_name if user.is_authenticated else 'nobody'}"


@pytest.fixture
def stale(member, held_clock):
    """Return the browser of Han, who logged in a while ago."""
    held_clock.forward(minutes=15)
    return member


def is_safe(client):
    with client.get("/safe") as answer:
        return answer.status_code == 200


def page(client, where):
    """Open a page, following where it leads."""
    with client.get(where, follow_redirects=True) as answer:
        return answer.request.path, BeautifulSoup(answer.text, "html.parser")


def send(client, where, login="han@falcon.example", password=PASSWORD):
    data = {"csrf_token": form_token(client, where), "login": login, "password": password}
    return client.post(where, data=data)


# --- Who is fresh ---


def test_a_login_is_fresh_for_a_quarter_of_an_hour(member, held_clock):
    assert member.get("/safe").text == "Safe of Han"
    held_clock.forward(minutes=14, seconds=59)
    assert is_safe(member)
    held_clock.forward(seconds=1)
    assert not is_safe(member)
    assert is_in(member)


@pytest.mark.settings(STORMPATH_FRESH_FOR=60)
def test_or_for_as_long_as_the_setting_says(member, held_clock):
    held_clock.forward(seconds=59)
    assert is_safe(member)
    held_clock.forward(seconds=1)
    assert not is_safe(member)


def test_a_login_that_its_remembered_cookie_restored_is_not_fresh_however_young_it_is(member):
    assert not is_safe(close(member))  # in the very request
    assert is_in(member)
    assert not is_safe(member)  # nor after
    assert not is_safe(close(member))


def test_nor_where_the_first_request_cannot_write_that_it_was_restored(does, member):
    def write_and_ask():
        session.execute(sa.update(Tenant).values(name="Not to stay"))
        return str(login_fresh())

    does.append(write_and_ask)
    assert close(member).get("/do").text == "False"
    assert not is_safe(member)


def test_a_copy_of_the_remembered_cookie_does_not_pass_for_a_login_that_is_fresh(app, member):
    for shown in ({"token": cookies(member).token}, {"session": cookies(member).token}):
        thief = browser(app, **shown)
        assert not is_safe(thief)
        assert is_in(thief)
        assert not is_safe(thief)


def test_a_window_that_stayed_open_is_not_fresh_after_somebody_restored_the_login(app, member):
    window = browser(app, *cookies(member))
    assert is_in(close(member))
    assert not is_safe(window)


@pytest.mark.parametrize("log_in_by", [login_user, flask_login.login_user], ids=["ours", "Flask-Login's"])
@pytest.mark.parametrize("fresh", [True, False])
def test_an_app_can_log_somebody_in_who_gave_no_password(does, client, account, log_in_by, fresh):
    def do():
        log_in_by(Account.from_login("solo", PASSWORD), remember=True, fresh=fresh)
        return str(login_fresh())

    does.append(do)
    assert client.get("/do").text == str(fresh)
    assert (is_in(client), is_safe(client)) == (True, fresh)


def test_within_the_request_of_a_login_or_logout_it_is_right_at_once(does, client, account):
    def there_and_back():
        found = [login_fresh()]
        login_user(Account.from_login("solo", PASSWORD))
        found.append(login_fresh())
        logout_user()
        return str([*found, login_fresh()])

    does.append(there_and_back)
    assert client.get("/do").text == "[False, True, False]"


def test_it_costs_no_statement_beside_that_of_who_it_is(app, member):
    with statements(app) as seen:
        assert is_safe(member)
    assert len(seen) == 1


# --- Who is not ---


def test_a_stranger_is_sent_to_log_in_as_everywhere(client):
    assert client.get("/safe").location == "/login?next=%2Fsafe"
    where, found = page(client, "/safe")
    assert where == "/login"
    assert "Log in to open this page." in found.text
    assert AGAIN not in found.text


def test_who_is_not_fresh_is_asked_for_the_password_and_told_why(stale):
    answer = stale.get("/safe?a=b")
    assert (answer.status_code, answer.location) == (302, "/login?next=%2Fsafe%3Fa%3Db&again=1")
    assert answer.headers["Cache-Control"] == "no-store"
    where, found = page(stale, "/safe")
    assert where == "/login"
    assert found.select_one("[role=status]").text.strip() == AGAIN
    assert "another account" not in found.text
    assert found.select_one("[name=login]")["value"] == "han@falcon.example"
    assert found.select_one("[name=password]").has_attr("autofocus")
    assert not found.select_one("[name=password]").get("value")
    assert not found.find("a", string="Create an Account")


def test_who_gives_the_password_is_led_back_with_a_new_login_that_is_fresh(app, stale):
    before, old = cookies(stale), login(app).id
    answer = send(stale, stale.get("/safe?a=b").location)
    assert (answer.status_code, answer.location) == (302, "/safe?a=b")
    assert is_safe(stale)
    assert login(app).id != old  # and it is the only one
    assert not is_in(browser(app, *before))


def test_a_wrong_password_opens_nothing_and_ends_nothing(stale):
    where = stale.get("/safe").location
    answer = send(stale, where, password="not the one")
    assert answer.status_code == 200
    assert "Invalid username or password." in answer.text
    assert 'value="han@falcon.example"' in answer.text
    assert "another account" not in answer.text
    assert (is_in(stale), is_safe(stale)) == (True, False)
    assert send(stale, where).location == "/safe"


def test_somebody_else_may_log_in_there_and_is_led_on_as_who_they_are(app, stale):
    with app.app_context():
        Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa")
    before = cookies(stale)
    assert send(stale, stale.get("/safe").location, "leia@alderaan.example").location == "/safe"
    assert stale.get("/safe").text == "Safe of Leia"
    assert not is_in(browser(app, *before))


def test_who_sends_a_form_too_late_is_asked_and_led_home_as_no_link_sends_it_again(stale):
    answer = stale.post("/safe")
    assert answer.location == "/login?again=1"
    _where, found = page(stale, answer.location)
    assert found.select_one("[role=status]").text.strip() == LOST
    assert send(stale, answer.location).location == "/"


def test_who_would_rather_not_is_shown_the_way_back_however_often_they_tried(stale):
    where = stale.get("/safe").location
    for found in (page(stale, where)[1], BeautifulSoup(send(stale, where, password="wrong").text, "html.parser")):
        assert found.find("a", string="Back to My Application")["href"] == "/"
        assert not found.find("a", string="Create an Account")


@pytest.mark.parametrize(("who", "sentence"), [("client", "Log in first."), ("stale", AGAIN)])
def test_a_client_that_prefers_json_reads_what_is_missing(who, sentence, request):
    found = request.getfixturevalue(who)
    answer = found.get("/safe", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.json == {"status": 401, "code": 401, "message": sentence}


def test_nothing_of_the_view_runs_for_who_is_not_fresh(instance, log_in, account, held_clock):
    ran = []
    app = make_app(instance)
    app.add_url_rule("/closed", "closed", fresh_login_required(lambda: ran.append(1) or "in"), methods=["GET", "POST"])
    client = app.test_client()
    log_in(client)
    held_clock.forward(hours=1)
    for how in ("GET", "HEAD", "POST"):
        client.open("/closed", method=how)
    assert client.options("/closed").status_code == 200
    assert ran == []


@pytest.mark.parametrize(("disabled", "is_open"), [(True, True), (None, True), (False, False)])
def test_testing_opens_this_door_too_unless_login_disabled_says_what_is_true(app, client, disabled, is_open):
    app.config["LOGIN_DISABLED"] = disabled
    answer = client.get("/safe")
    assert (answer.text == "Safe of nobody", answer.status_code) == (is_open, 200 if is_open else 302)
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_app_may_ask_on_a_login_page_of_its_own(app, stale):
    app.extensions["stormpath"].manager.login_view = "https://id.example/login?client=1"
    assert stale.get("/safe").location.startswith("https://id.example/login?client=1&next=")
    assert stale.get("/safe").location.endswith("&again=1")
    app.extensions["stormpath"].manager.login_view = None
    assert stale.get("/safe").status_code == 401


def test_flask_logins_signal_tells_of_it(app, stale):
    heard = []

    def note(sender):
        heard.append(sender is app)

    with user_needs_refresh.connected_to(note, app):
        is_safe(stale)
    assert heard == [True]


# --- The login page's argument says nothing by itself ---


def test_a_link_that_says_again_tells_a_stranger_nothing(client, account):
    _where, found = page(client, "/login?again=1&next=/safe")
    assert AGAIN not in found.text
    assert not found.select_one("[name=login]").get("value")
    assert found.find("a", string="Create an Account")


def test_a_link_that_says_again_puts_no_words_into_our_mouth(stale):
    _where, found = page(stale, "/login?again=Enter+it+or+lose+all&next=/safe")
    assert AGAIN not in found.text
    assert "lose all" not in found.text
    assert [alert.strong.text for alert in found.select("[role]")] == ["Logging in cannot work over plain http."]


def test_who_is_fresh_by_now_is_led_on_from_such_a_link_and_nowhere_else(member):
    for link, target in (
        ("/login?next=/safe&again=1", "/safe"),
        ("/login?again=1", "/"),
        ("/login?next=https://evil.example/&again=1", "/"),
    ):
        assert member.get(link).location == target
    _where, found = page(member, "/login?next=/safe")
    assert "This page needs another account." in found.text


# --- Flask-Login's own ---


def test_flask_logins_own_door_never_opens_and_tells_its_developer_why(does, member, held_clock):
    does.append(flask_login.fresh_login_required(lambda: "inside"))
    with pytest.raises(RuntimeError, match=r"stormpath_app's `fresh_login_required`"):
        member.get("/do")
    held_clock.forward(hours=1)
    assert member.get("/do").location == "/login?next=%2Fdo&again=1"
