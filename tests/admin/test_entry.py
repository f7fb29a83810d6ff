"""Signing in to the console: who gets in, where they are led, and what they are told."""

import re

import pytest

from stormpath_app.admin.session import COOKIE
from stormpath_app.models import Administrator, administrator
from stormpath_app.models.administration import OWNER

from ..conftest import PASSWORD
from ..views.test_redirects import PAYLOADS

pytestmark = pytest.mark.sqlite

LEIA, HAN = "leia@alderaan.example", "han@falcon.example"
NEW = "Another1.Password"


@pytest.fixture
def leia(app):
    """Return the address of an owner."""
    with app.app_context():
        Administrator.create(LEIA, PASSWORD, OWNER, given_name="Leia", surname="Organa")
    return LEIA


def send(browser, page, **fields):
    """Open a page, and send its form; return the answer."""
    return browser.post(page, data={"csrf_token": token(browser, page), **fields})


def token(browser, page):
    found = re.search('name="csrf_token" value="([^"]+)"', browser.get(page).text)
    assert found, f"{page} has no form"
    return found[1]


def log_in(browser, login=LEIA, password=PASSWORD, page="/admin/login"):
    return send(browser, page, login=login, password=password)


def change(app, **values):
    with app.app_context():
        account = administrator.directory().find_account(LEIA)
        for name, value in values.items():
            setattr(account, name, value)
        account.save()


# --- In ---


def test_an_administrator_is_led_to_the_page_they_came_for(client, leia):
    bounced = client.get("/admin/accounts/?q=ada")
    assert (bounced.status_code, bounced.location) == (302, "/admin/login?next=/admin/accounts/?q%3Dada")
    answer = log_in(client, page=bounced.location)
    assert (answer.status_code, answer.location) == (303, "/admin/accounts/?q=ada")
    assert client.get(answer.location).status_code == 200
    assert client.get("/admin/login").location == "/admin/"


def test_nobody_is_led_to_another_site(app, leia):
    for target in PAYLOADS:
        client = app.test_client()
        sent = {"csrf_token": token(client, "/admin/login"), "login": LEIA, "password": PASSWORD}
        answer = client.post("/admin/login", query_string={"next": target}, data=sent)
        assert answer.status_code == 303, ascii(target)
        assert re.fullmatch(r"/(?![/\\]).*", answer.location), ascii(target)
        assert client.get("/admin/login", query_string={"next": target}).location == answer.location


@pytest.mark.parametrize("status", ["wrong", "unknown", "disabled", "site"])
def test_who_is_refused_is_told_alike(app, client, leia, account, status):
    if status == "disabled":
        with app.app_context():
            Administrator.create(HAN, PASSWORD, OWNER)
        change(app, status="DISABLED")
    login = {"unknown": "nobody@example.com", "site": account["username"]}.get(status, LEIA)
    answer = log_in(client, login, PASSWORD if status == "site" else "wrong")
    assert answer.status_code == 200
    assert "Invalid username or password." in answer.text
    assert client.get_cookie(f"__Secure-{COOKIE}", path="/admin") is None
    assert "wrong" not in answer.text


def test_a_site_s_account_is_none_of_the_consoles_with_the_right_password_too(client, account, leia):
    assert "Invalid username or password." in log_in(client, account["email"], PASSWORD).text


def test_who_has_no_role_learns_it_from_the_right_password_alone(app, client, leia):
    with app.app_context():
        administrator.directory().accounts.create(email=HAN, password=PASSWORD)
    assert "no role in the console" not in log_in(client, HAN, "wrong").text
    assert "no role in the console" in log_in(client, HAN).text


def test_passwords_cannot_be_guessed_without_end(held_clock, client, leia):
    for _ in range(5):
        assert log_in(client, password="wrong").status_code == 200
    refused = log_in(client, password="wrong")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert log_in(client).status_code == 429


def test_whoever_logged_in_here_before_has_a_count_of_their_own(held_clock, app, client, leia):
    log_in(client)
    send(client, "/admin/", csrf_token="x")  # nothing: not a form
    stranger = app.test_client()
    for _ in range(7):
        log_in(stranger, password="wrong")
    client.delete_cookie(f"__Secure-{COOKIE}", path="/admin")
    assert log_in(client).status_code == 303


def test_a_form_of_another_site_is_refused(client, leia):
    assert client.post("/admin/login", data={"login": LEIA, "password": PASSWORD}).status_code == 400


def test_pages_are_kept_by_no_cache(client, leia):
    for page in ("/admin/login", "/admin/forgot"):
        headers = client.get(page).headers
        assert headers["Cache-Control"] == "no-store"
        assert "Cookie" in headers["Vary"]
    log_in(client)
    assert client.get("/admin/").headers["Cache-Control"] == "no-store"


def test_over_plain_http_the_page_says_why_logging_in_cannot_work(client, leia):
    assert "Logging in cannot work over plain http" in client.get("/admin/login").text
    assert "Logging in cannot work" not in client.get("/admin/login", base_url="https://localhost").text


# --- A password that must be changed ---


def test_who_must_choose_a_new_password_is_let_in_once_they_have(app, client, leia):
    change(app, must_change_password=True)
    asked = log_in(client, page="/admin/login?next=/admin/accounts/")
    assert asked.location == "/admin/login/password?next=/admin/accounts/"
    assert client.get("/admin/").status_code == 302
    same = send(client, asked.location, password=PASSWORD, password_again=PASSWORD)
    assert "choose another" in same.text
    answer = send(client, asked.location, password=NEW, password_again=NEW)
    assert (answer.status_code, answer.location) == (303, "/admin/accounts/")
    assert client.get("/admin/").status_code == 200


def test_nobody_chooses_a_password_without_the_one_before(app, client, leia):
    change(app, must_change_password=True)
    assert client.get("/admin/login/password").location == "/admin/login"
    log_in(client)
    change(app, password=NEW)
    answer = client.get("/admin/login/password", follow_redirects=True)
    assert "That took too long. Log in again." in answer.text


# --- Out, and staying ---


def test_logging_out_takes_a_form_of_this_login(client, leia):
    log_in(client)
    assert client.get("/admin/logout").status_code == 405
    assert client.post("/admin/logout").status_code == 400
    answer = client.post("/admin/logout", data={"csrf_token": token(client, "/admin/")}, follow_redirects=True)
    assert "You are logged out." in answer.text
    assert client.get("/admin/").status_code == 302


def test_who_is_warned_can_stay(client, leia, held_clock):
    log_in(client)
    sent = {"csrf_token": token(client, "/admin/"), "back": "/admin/accounts/"}
    held_clock.forward(minutes=14)
    assert client.post("/admin/stay", data=sent, buffered=True).location == "/admin/accounts/"
    held_clock.forward(minutes=14)
    answer = client.post("/admin/stay", data=sent, headers={"Accept": "application/json"}, buffered=True)
    assert answer.json == {"seconds": 900, "can_stay": True}
    held_clock.forward(minutes=14)
    assert client.post("/admin/stay", data={**sent, "back": "//evil.example"}, buffered=True).location == "/admin/"


def test_a_page_tells_until_when_the_login_lasts(client, leia, held_clock):
    log_in(client)
    assert "Logged in until 12:15 UTC if nothing happens" in client.get("/admin/").text
    for _ in range(59):
        held_clock.forward(minutes=12)
        client.get("/admin/accounts/", buffered=True)
    held_clock.forward(minutes=2)
    assert "Logged in until 00:00 UTC at most" in client.get("/admin/").text


# --- A forgotten password ---


def test_a_forgotten_password_is_chosen_anew_by_mail(app, client, leia, outbox):
    other = app.test_client()
    log_in(other)
    asked = send(client, "/admin/forgot", email=LEIA)
    assert "on its way there" in asked.text
    (mail,) = outbox
    (link,) = [link for link in mail.links if "sptoken" in link]
    assert link.startswith("http://localhost/admin/forgot/change?sptoken=")
    assert "My Application console" in mail.text
    opened = client.get(link)
    assert (opened.status_code, opened.location) == (302, "/admin/forgot/change")
    assert (opened.headers["Referrer-Policy"], opened.headers["Cache-Control"]) == ("no-referrer", "no-store")
    assert client.get("/admin/forgot/change").headers["Referrer-Policy"] == "no-referrer"
    page = client.get("/admin/forgot/change").text
    kept = re.search('name="link"[^>]*value="([^"]+)"', page)[1]
    weak = send(client, "/admin/forgot/change", link=kept, password="short", password_again="short")
    assert "minimum length" in weak.text
    done = send(client, "/admin/forgot/change", link=kept, password=NEW, password_again=NEW)
    assert (done.status_code, done.location) == (303, "/admin/login")
    assert other.get("/admin/").status_code == 302
    assert log_in(client, password=NEW).status_code == 303
    assert client.get(link).status_code == 404


@pytest.mark.parametrize("address", ["nobody@example.com", HAN])
def test_nobody_learns_who_is_an_administrator(app, client, account, leia, outbox, address):
    there = send(app.test_client(), "/admin/forgot", email=LEIA).text.replace(LEIA, "")
    assert send(client, "/admin/forgot", email=address).text.replace(address, "") == there
    assert [mail.to for mail in outbox] == [LEIA]


def test_a_sites_link_opens_nothing_here_and_the_consoles_nothing_there(app, client, leia, outbox):
    app.config["STORMPATH_ENABLE_FORGOT_PASSWORD"] = True
    send(client, "/admin/forgot", email=LEIA)
    link = next(link for link in outbox[0].links if "sptoken" in link)
    assert client.get(link.replace("/admin/forgot/change", "/forgot/change")).status_code in {400, 404}


@pytest.mark.parametrize("value", ["", "x", "null", "a" * 43])
def test_what_never_was_a_link_is_refused(client, leia, value):
    for page in ("/admin/forgot/change", "/admin/invitation", "/admin/enter"):
        answer = client.get(page, query_string={"sptoken": value})
        assert (answer.status_code, "does not work any more" in answer.text) == (404, True)


def test_where_no_mail_can_leave_nobody_is_sent_to_forgot(app, client, leia):
    app.config.update(TESTING=False, MAIL_SUPPRESS_SEND=False, STORMPATH_BASE_URL=None)
    with app.app_context():
        from stormpath_app.admin.entry import may_forget

        assert not may_forget()


# --- Too many at once ---


def is_refused(answer):
    """Tell whether a form comes again because too many log in at once."""
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    return "Too many people are logging in at this moment. Try again in 5 seconds." in answer.text


def test_where_too_many_come_at_once_the_login_is_refused_and_counts_for_nobody(client, leia, overloaded):
    with overloaded():
        for _ in range(10):
            assert is_refused(log_in(client, password="wrong"))
    assert log_in(client).status_code == 303


def test_where_too_many_come_at_once_who_must_choose_another_password_may_send_it_again(app, client, leia, overloaded):
    change(app, must_change_password=True)
    assert log_in(client).location == "/admin/login/password"
    with overloaded():
        assert is_refused(send(client, "/admin/login/password", password=NEW, password_again=NEW))
    assert send(client, "/admin/login/password", password=NEW, password_again=NEW).location == "/admin/"


def test_where_too_many_come_at_once_a_mailed_link_stays_good(client, leia, outbox, overloaded):
    send(client, "/admin/forgot", email=LEIA)
    client.get(next(link for link in outbox[0].links if "sptoken" in link))
    page = client.get("/admin/forgot/change").text
    fields = {"link": re.search('name="link"[^>]*value="([^"]+)"', page)[1], "password": NEW, "password_again": NEW}
    with overloaded():
        refused = send(client, "/admin/forgot/change", **fields)
    assert is_refused(refused)
    assert refused.headers["Referrer-Policy"] == "no-referrer"
    assert send(client, "/admin/forgot/change", **fields).location == "/admin/login"
