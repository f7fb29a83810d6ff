"""The login page: what it asks for, whom it lets in, and how it refuses."""

import io
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from stormpath_app import Account
from stormpath_app.database import session
from stormpath_app.models import AccountSession

from ..conftest import PASSWORD, token
from ..together import together

FORM = "application/x-www-form-urlencoded"
PAGES = "/login", "/register", "/logout"
WRONG = "Invalid username or password."

#: What no person types: each must be refused or taken, and never be an error of ours.
ODD = {
    "NUL": b"a\0b",
    "half a surrogate pair": b"\xed\xa0\x80",
    "no UTF-8": b"\xff\xfe",
    "line breaks": b"a\r\nSet-Cookie: x=1",
    "an override": "\u202ea".encode(),
    "a ligature that unfolds": "\ufdfa".encode() * 200,
    "formats": b"%s%n{0}{{7*7}}",
    "SQL": b"' OR 1=1 --",
    "no domain": b"a@",
    "dots": b"a@....",
    "a broken literal": b"a@[::1",
    "broken punycode": b"a@xn--\xff",
    "a domain of 300": b"a@" + b"b" * 300,
    "50 000 letters": b"x" * 50_000,
}


@pytest.fixture
def browser(client, account):
    """Return a browser of somebody who has an account."""
    return client


def soup(answer):
    return BeautifulSoup(answer.text, "html.parser")


def send(client, page="/login", **fields):
    valid = {"csrf_token": token(client, "/login?next=/"), "login": "han@falcon.example", "password": PASSWORD}
    data = {**valid, **fields}
    return client.post(page, data={name: value for name, value in data.items() if value is not None})


def is_in(client):
    return client.get("/secret").status_code == 200


# --- What the page asks for ---


def test_the_page_asks_for_an_email_address_and_a_password(client):
    page = soup(client.get("/login"))
    assert page.title.text == "Log In - My Application"
    assert [field["name"] for field in page.select("input")] == ["csrf_token", "login", "password"]
    assert (page.select_one("[name=login]")["type"], page.select_one("label[for=login]").text) == ("email", "Email")
    assert page.select_one("[name=password]")["type"] == "password"
    assert page.select_one("[name=password]")["autocomplete"] == "current-password"


@pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True, STORMPATH_REQUIRE_USERNAME=False)
def test_with_usernames_the_page_asks_for_either_and_takes_either(browser):
    page = soup(browser.get("/login"))
    assert page.select_one("label[for=login]").text == "Username or Email"
    assert page.select_one("[name=login]")["type"] == "text"  # a browser would refuse a username in an e-mail field
    assert send(browser, login="solo").status_code == 302
    assert is_in(browser)


@pytest.mark.parametrize("login", ["han@falcon.example", "HAN@Falcon.Example", " han@falcon.example ", "SOLO"])
def test_the_case_of_a_login_and_blanks_around_it_do_not_matter(browser, login):
    assert (send(browser, login=login).status_code, is_in(browser)) == (302, True)


@pytest.mark.settings(STORMPATH_LOGIN_URL="/come/in")
def test_the_page_can_stand_at_another_address(client):
    assert client.get("/come/in").status_code == 200
    assert client.get("/login").status_code == 404
    assert client.get("/secret").location == "/come/in?next=%2Fsecret"


def test_the_pages_have_the_endpoints_that_apps_link_to(app):
    endpoints = {rule.endpoint: rule.rule for rule in app.url_map.iter_rules()}
    assert endpoints["stormpath.login"] == "/login"
    assert endpoints["stormpath.logout"] == "/logout"
    assert endpoints["stormpath.register"] == "/register"


@pytest.mark.settings(STORMPATH_ENABLE_LOGIN=False)
def test_without_a_login_page_nothing_links_to_one_and_a_closed_door_is_a_401(client):
    assert client.get("/login").status_code == 404
    page = client.get("/register")
    assert (page.status_code, "Back to Log In" in page.text) == (200, False)
    assert client.get("/secret").status_code == 401


@pytest.mark.settings(STORMPATH_ENABLE_LOGIN=False)
def test_a_login_page_of_the_hosts_own_takes_the_place(app, client):
    app.add_url_rule("/mine", "stormpath.login", lambda: "my own")
    assert 'href="/mine"' in client.get("/register").text
    assert client.get("/secret").location == "/mine?next=%2Fsecret"


# --- Where it leads ---


@pytest.mark.settings(STORMPATH_REDIRECT_URL="/dashboard")
def test_a_login_leads_to_the_setting_and_sooner_to_the_page_that_was_asked_for(browser):
    assert send(browser).location == "/dashboard"
    assert send(browser, page="/login?next=/a%3Fb%3Dc").location == "/a?b=c"


@pytest.mark.settings(STORMPATH_REDIRECT_URL="/dashboard")
def test_who_is_logged_in_goes_on_at_once(browser):
    send(browser)
    assert browser.get("/login").location == "/dashboard"
    assert browser.get("/register").location == "/dashboard"


def test_who_needs_another_account_is_not_sent_round_in_circles(browser):
    send(browser)
    page = browser.get("/login?next=/admins-only")
    assert page.status_code == 200
    assert "This page needs another account." in page.text
    assert "You are logged in as han@falcon.example." in page.text


# --- Refusals ---


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"password": "Woot1Loves.Cookie"}, WRONG),
        ({"password": PASSWORD.lower()}, WRONG),
        ({"password": f" {PASSWORD}"}, WRONG),
        ({"password": f"{PASSWORD}\0"}, WRONG),
        ({"login": "nobody@falcon.example"}, WRONG),
        ({"login": " "}, WRONG),
        ({"login": ""}, "Email"),
        ({"login": None}, "Email"),
        ({"password": ""}, "Password"),
        ({"password": None}, "Password"),
    ],
)
def test_a_refused_form_comes_again_with_what_was_typed_but_never_the_password(browser, fields, sentence):
    answer = send(browser, **fields)
    page = soup(answer)
    assert answer.status_code == 200
    assert sentence in page.select_one("[role=alert]").text
    assert page.title.text.startswith("Error: ")
    assert page.select_one("[name=login]").get("value", "") == (fields.get("login", "han@falcon.example") or "")
    assert page.select_one("[name=password]").get("value", "") == ""
    assert "Woot1Loves" not in answer.text
    assert not is_in(browser)


@pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True)
def test_what_is_missing_is_told_once_at_its_field_and_the_alert_leads_there(browser):
    page = soup(send(browser, login="", password=""))
    links = {link.text: link["href"] for link in page.select("[role=alert] a")}
    assert links == {"Username or Email": "#login", "Password": "#password"}
    assert page.select_one("label[for=login]").text == "Username or Email"
    assert page.text.count("Login identifier required.") == page.text.count("Password required.") == 1
    assert page.select_one("#login-error").text.strip() == "Login identifier required."


def test_what_was_typed_comes_back_as_text_and_not_as_markup(browser):
    answer = send(browser, login='"><script>alert(1)</script>')
    assert "<script" not in answer.text
    assert soup(answer).select_one("[name=login]")["value"] == '"><script>alert(1)</script>'


@pytest.mark.parametrize(
    ("status", "told"), [("DISABLED", "is disabled"), ("UNVERIFIED", "Please confirm your email address first.")]
)
def test_only_who_knows_the_password_learns_that_an_account_may_not_log_in(app, browser, status, told):
    with app.app_context():
        Account.create("lando@cloud.example", PASSWORD, "Lando", "Calrissian", status=status)
    assert told in send(browser, login="lando@cloud.example").text
    wrong = send(browser, login="lando@cloud.example", password="not the one").text
    assert WRONG in wrong
    assert told not in wrong
    assert not is_in(browser)


def foreign_token(app, _client):
    return token(app.test_client())


def tampered_token(_app, client):
    return token(client)[:-1] + "~"


@pytest.mark.parametrize(
    "make",
    [lambda *_: None, lambda *_: "", lambda *_: "wrong", foreign_token, tampered_token],
    ids=["missing", "empty", "wrong", "another browser's", "tampered"],
)
@pytest.mark.parametrize("visited", [True, False])
def test_a_form_without_the_token_of_this_browser_is_refused_and_comes_again(app, browser, make, visited):
    if visited:
        browser.get("/login")
    data = {"csrf_token": make(app, browser), "login": "han@falcon.example", "password": PASSWORD}
    answer = browser.post("/login", data={name: value for name, value in data.items() if value is not None})
    page = soup(answer)
    assert answer.status_code == 400
    assert "This page was open for too long." in page.select_one("[role=alert]").text
    assert page.select_one("[name=login]")["value"] == "han@falcon.example"
    assert PASSWORD not in answer.text
    assert not is_in(browser)
    again = {**data, "csrf_token": page.select_one("[name=csrf_token]")["value"]}
    assert browser.post("/login", data=again).status_code == 302


def test_a_token_from_before_the_login_is_worthless_after(browser):
    before = token(browser)
    assert send(browser, csrf_token=before).status_code == 302
    assert send(browser, page="/login?next=/", csrf_token=before).status_code == 400
    assert browser.post("/logout", data={"csrf_token": before}).status_code == 400
    assert is_in(browser)


@pytest.mark.settings(WTF_CSRF_TIME_LIMIT=-1)
def test_a_form_that_was_open_for_too_long_is_refused(browser):
    assert send(browser).status_code == 400
    assert not is_in(browser)


@together("kind", ["application/json", "text/plain", "application/xml", ""])
def test_what_is_not_a_form_is_refused(client, kind):
    for page in PAGES:
        assert client.post(page, data=b'{"login": "han@falcon.example"}', content_type=kind).status_code == 415


@together("body", [b"[1]", b"5", b'"x"', b'{"login": {"a": 1}, "password": 5, "email": []}', b"{bad"])
def test_what_is_not_a_form_is_refused_too_where_no_length_is_told(client, body):
    for page in PAGES:
        chunked = {"headers": {"Transfer-Encoding": "chunked"}, "environ_overrides": {"wsgi.input_terminated": True}}
        answer = client.post(page, input_stream=io.BytesIO(body), content_type="application/json", **chunked)
        assert answer.status_code in {411, 415}


def test_a_password_of_a_megabyte_is_refused_unread(client):
    long = b"x" * 2**20
    for page in PAGES:
        assert client.post(page, data=b"password=" + long, content_type=FORM).status_code == 413
        part = b'--x\r\nContent-Disposition: form-data; name="password"\r\n\r\n' + long + b"\r\n--x--\r\n"
        assert client.post(page, data=part, content_type="multipart/form-data; boundary=x").status_code == 413
        endless = {"input_stream": io.BytesIO(b"password=" + long), "content_type": FORM}
        assert client.post(page, **endless, environ_overrides={"wsgi.input_terminated": True}).status_code == 413


def test_a_hundred_thousand_fields_are_refused(client):
    for page in PAGES:
        assert client.post(page, data="a=1&" * 100_000, content_type=FORM).status_code == 413
        assert client.post(page, data="&" * 60_000, content_type=FORM).status_code == 400
        parts = {f"f{number}": "1" for number in range(1001)}
        assert client.post(page, data=parts, content_type="multipart/form-data").status_code in {400, 413}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_values_are_refused_like_any_other(browser, odd):
    for field, status in (("login", 200), ("password", 200), ("csrf_token", 400)):
        data = {"csrf_token": token(browser), "login": "han@falcon.example", "password": PASSWORD, field: odd}
        assert browser.post("/login", data=urlencode(data), content_type=FORM).status_code == status
        assert not is_in(browser)


@pytest.mark.parametrize("field", ["login", "password", "csrf_token"])
def test_a_file_in_place_of_a_text_is_refused(browser, field):
    answer = send(browser, **{field: (io.BytesIO(b"x"), "file.txt")})
    assert answer.status_code in {200, 400}
    assert not is_in(browser)


@together("body", [b"", b"--x", b"--x\r\n\r\n", b'--x\r\nContent-Disposition: form-data; name="login'])
@together("kind", ["multipart/form-data", "multipart/form-data; boundary=x", f"{FORM}; charset=utf-16"])
def test_a_broken_form_is_refused(client, kind, body):
    assert client.post("/login", data=body, content_type=kind).status_code in {400, 413}


def test_of_a_repeated_field_the_first_counts(browser):
    fields = [("csrf_token", token(browser)), ("login", "han@falcon.example"), ("login", "nobody")]
    data = urlencode([*fields, ("password", "wrong"), ("password", PASSWORD)])
    assert WRONG in browser.post("/login", data=data, content_type=FORM).text
    assert not is_in(browser)


def test_a_login_in_the_address_logs_nobody_in(browser):
    data = urlencode({"csrf_token": token(browser), "login": "han@falcon.example", "password": PASSWORD})
    for method in ("GET", "HEAD"):
        assert browser.open(f"/login?{data}", method=method).status_code == 200
    assert browser.post(f"/login?{data}").status_code == 400
    assert not is_in(browser)


def test_who_only_looks_or_fails_leaves_no_session_behind(app, browser):
    for _ in range(3):
        browser.get("/login")
        send(browser, password="wrong")
    with app.app_context():
        assert session.scalar(sa.select(sa.func.count()).select_from(AccountSession)) == 0
