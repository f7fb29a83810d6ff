"""Confirming an address: after registration, before a login, and when it changes."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import bcrypt
import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from stormpath_app import Account, Application
from stormpath_app.database import session
from stormpath_app.errors import TokenRefused
from stormpath_app.mail.rendering import render
from stormpath_app.models import AccountSession, OutboxMessage, one_time_token
from stormpath_app.models.message import REQUESTS

from ..conftest import PASSWORD, statements, token
from ..together import together

LEIA = "leia@alderaan.example"
HAN = "han@falcon.example"
FIRST = "Please confirm your email address first."
NEW = "new@falcon.example"


def soup(answer):
    return BeautifulSoup(answer.text, "html.parser")


@pytest.fixture
def verifying(app):
    """Let the directory confirm the addresses of new accounts."""
    with app.app_context():
        policy = Application.current().default_account_store().account_creation_policy
        policy.verification_email_status = "ENABLED"
        policy.save()


@pytest.fixture
def mails(app):
    """Return a function that answers what strangers asked for, and returns the living mails: kind, address."""

    def mails():
        with app.app_context():
            for asked in session.scalars(sa.select(OutboxMessage).where(OutboxMessage.kind.in_(REQUESTS))):
                Application.current().answer(asked)
            waiting = session.scalars(sa.select(OutboxMessage).order_by(OutboxMessage.id)).all()
            return [(message.kind, message.address) for message in waiting if living(message)]

    return mails


def living(message):
    try:
        return render(message)
    except TokenRefused:
        return None


@pytest.fixture
def link(app, mails):
    """Return a function that returns the path of the newest link that was mailed."""

    def link():
        mails()
        with app.app_context():
            found = session.scalars(sa.select(OutboxMessage).order_by(OutboxMessage.id.desc())).all()
            mail = next(filter(None, map(living, (message for message in found if message.nonce))))
            url = urlsplit(re.search(r"http\S+sptoken=\S+", mail.text)[0])
            return f"{url.path}?{url.query}"

    return link


def confirm(client, page="/verify"):
    return client.post(page, data={"csrf_token": token(client, "/register")})


def resend(client, login=LEIA):
    return client.post("/verify", data={"csrf_token": token(client, "/register"), "login": login})


def status(app, login=LEIA):
    with app.app_context():
        return Application.current().find_account(login).status


# --- After registration ---


def test_who_registers_looks_for_the_mail_and_is_not_logged_in(app, client, verifying, register, mails):
    answer = register(client)
    assert answer.status_code == 200
    assert soup(answer).h1.text == "Look for a mail from us"
    assert "You must validate your email address before logging in." in answer.text
    assert client.get("/secret").status_code == 302
    assert not [name for name in answer.headers.getlist("Set-Cookie") if "stormpath" in name]
    assert status(app) == "UNVERIFIED"
    assert mails() == [("verification", LEIA)]


def test_where_addresses_are_not_confirmed_who_registers_is_logged_in(client, register, mails):
    assert register(client).location == "/"
    assert client.get("/secret").text == "Hello Leia"
    assert mails() == []


@pytest.fixture
def rounds(monkeypatch):
    """Count the hashes."""
    spent, hashpw = [], bcrypt.hashpw

    def counted(password, salt):
        spent.append(salt)
        return hashpw(password, salt)

    monkeypatch.setattr(bcrypt, "hashpw", counted)
    return spent


def test_nobody_learns_by_registering_that_an_address_is_taken(app, account, verifying, register, rounds, mails):
    free, taken = app.test_client(), app.test_client()
    answers, hashes = [], []
    for client, email in ((free, LEIA), (taken, "HAN@falcon.example")):
        rounds.clear()
        answers.append(register(client, email=email))
        hashes.append(len(rounds))
    first, second = answers
    assert first.text == second.text
    assert (first.status_code, sorted(first.headers.keys())) == (second.status_code, sorted(second.headers.keys()))
    assert hashes == [1, 1]
    assert mails() == [("verification", LEIA), ("account_exists", HAN)]
    assert status(app, HAN) == "ENABLED"


def test_of_a_taken_address_too_a_weak_password_is_told(app, account, verifying, register, mails):
    for email in (LEIA, HAN):
        answer = register(app.test_client(), email=email, password="hilol!")
        assert "Account password minimum length not satisfied." in answer.text
    assert mails() == []


# --- The link ---


@pytest.fixture
def leia(client, verifying, register):
    """Register Leia, who has yet to confirm her address."""
    register(client)


def test_a_link_is_looked_at_and_confirmed_by_a_button(app, client, leia, link, log_in):
    path = link()
    secret = path.partition("=")[2]
    for _look in range(2):  # as mail programs do
        answer = app.test_client().get(path)
        assert (answer.status_code, answer.location) == (302, "/verify")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert status(app) == "UNVERIFIED"
    page = client.get(client.get(path).location)
    assert soup(page).find("button").text == "Confirm my email address"
    assert LEIA in page.text
    assert secret not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    answer = confirm(client)
    assert answer.location == "/login"
    assert status(app) == "ENABLED"
    assert "Your email address is confirmed. You can log in now." in client.get("/login").text
    assert log_in(client, LEIA).location == "/"


def test_a_form_may_be_sent_to_the_link_itself(app, client, leia, link):
    assert confirm(client, link()).location == "/login"
    assert status(app) == "ENABLED"


def test_a_form_without_its_token_confirms_nothing(app, client, leia, link):
    client.get(link())
    answer = client.post("/verify")
    assert answer.status_code == 400
    assert "open for too long" in answer.text
    assert status(app) == "UNVERIFIED"
    assert confirm(client).location == "/login"


def is_dead(answer, again="/verify"):
    page = soup(answer)
    onward = page.find("a", string="Ask for a new link")
    return (answer.status_code, page.h1.text, onward and onward["href"]) == (400, "Link not accepted", again)


@together("page", ["/verify", "/verify/change"])
@together("value", ["", "null", "5", "%00", "x" * 43, "x" * 20_000, "%7B%7B7*7%7D%7D"])
def test_what_is_no_link_is_refused_with_one_text(client, page, value):
    again = "/verify" if page == "/verify" else None
    assert is_dead(client.get(f"{page}?sptoken={value}"), again)
    assert is_dead(confirm(client, f"{page}?sptoken={value}"), again)


def test_a_link_is_used_once_and_the_newest_alone(app, client, leia, link):
    old = link()
    resend(client)
    new = link()
    assert is_dead(client.get(old))
    assert is_dead(client.get(f"{new}&{new.partition('?')[2]}"))
    confirm(client, new)
    assert is_dead(client.get(new))
    assert is_dead(confirm(app.test_client(), new))


def test_of_fifty_who_use_a_link_at_once_one_succeeds(app, client, leia, link):
    path = link()
    browsers = [app.test_client() for _number in range(50)]
    csrf = [token(browser) for browser in browsers]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: browsers[n].post(path, data={"csrf_token": csrf[n]}), range(50)))
    assert sum(answer.status_code == 302 for answer in answers) == 1
    assert sum(is_dead(answer) for answer in answers) == 49


def test_who_was_disabled_meanwhile_stays_so(app, client, leia, link):
    path = link()
    with app.app_context():
        found = Application.current().find_account(LEIA)
        found.status = "DISABLED"
        found.save()
    assert is_dead(client.get(path))
    assert status(app) == "DISABLED"


def test_a_link_to_a_new_password_confirms_nothing(app, client, leia):
    with app.app_context():
        raw = Application.current().send_password_reset_email(LEIA).token
    assert is_dead(client.get(f"/verify?sptoken={raw}"))
    assert is_dead(client.get(f"/verify/change?sptoken={raw}"), None)


@pytest.mark.settings(STORMPATH_VERIFY_URL="/confirm")
def test_the_pages_are_where_the_setting_says(client, leia, link):
    assert link().startswith("/confirm?")
    assert client.get("/confirm").status_code == 200
    assert client.get("/confirm/change").status_code == 400


# --- The mail again ---


def test_without_a_link_one_is_asked_for(client, leia, mails):
    page = client.get("/verify")
    assert soup(page).find(attrs={"name": "login"})
    assert "Login identifier required." in resend(client, "").text
    answer = resend(client)
    assert soup(answer).h1.text == "Look for a mail from us"
    assert mails() == [("verification", LEIA)]  # the one before is dead


def test_everybody_is_answered_alike_and_with_the_same_work(app, account, leia):
    def seen(login):
        client = app.test_client()
        csrf = token(client)
        with statements(app) as sent:
            answer = client.post("/verify", data={"csrf_token": csrf, "login": login})
        return answer.status_code, answer.text, sorted(answer.headers.keys()), sent

    logins = [LEIA, HAN, "solo", "nobody@x.example", "x" * 300, "a\0b"]
    expected = seen(LEIA)
    assert expected[0] == 200
    assert {login: seen(login) == expected for login in logins} == dict.fromkeys(logins, True)


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 1})
def test_a_network_that_asks_too_often_must_wait(app, client):
    assert resend(client).status_code == 200
    answer = resend(app.test_client(), "nobody@x.example")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


# --- Before a login ---


def test_who_knows_the_password_is_told_what_is_missing_and_can_have_the_mail_again(app, client, leia, log_in, mails):
    page = soup(log_in(client, LEIA))
    assert FIRST in page.find(role="alert").text
    form = page.find("form", action="/verify")
    assert form.button.text == "Send the mail again"
    fields = {field["name"]: field["value"] for field in form.select("input")}
    answer = client.post("/verify", data=fields)
    assert soup(answer).h1.text == "Look for a mail from us"
    assert mails() == [("verification", LEIA)]
    assert client.get("/secret").status_code == 302


def test_who_does_not_know_it_is_told_what_all_are_told(client, leia, log_in):
    answer = log_in(client, LEIA, "Wrong1.Password")
    assert "Invalid username or password." in answer.text
    assert FIRST not in answer.text
    assert not soup(answer).find("form", action="/verify")


# --- Another address ---


@pytest.fixture
def changing(app, account):
    """Let Han ask for another address."""
    with app.app_context():
        Application.current().find_account(HAN).request_email_change(NEW)


def test_a_new_address_is_confirmed_there_and_told_to_the_old_one(app, member, changing, link, mails):
    path = link()
    assert path.startswith("/verify/change?sptoken=")
    answer = member.get(path)
    assert answer.location == "/verify/change"
    page = member.get("/verify/change")
    assert NEW in page.text
    assert status(app, HAN) == "ENABLED"
    assert confirm_in_page(member, page).location == "/login"
    with app.app_context():
        assert Application.current().find_account(NEW).email_verification_status == "VERIFIED"
        assert Application.current().find_account(HAN) is None
        assert session.scalar(sa.select(sa.func.count()).select_from(AccountSession)) == 1
    assert ("email_changed", HAN) in mails()
    assert is_dead(member.get(path), None)


def confirm_in_page(client, page):
    csrf = soup(page).find(attrs={"name": "csrf_token"})["value"]
    return client.post("/verify/change", data={"csrf_token": csrf})


def test_an_address_that_another_has_by_now_is_refused(app, client, changing, link):
    path = link()
    with app.app_context():
        Account.create(NEW, PASSWORD, "Lando", "Calrissian")
    client.get(path)
    answer = confirm_in_page(client, client.get("/verify/change"))
    assert answer.status_code == 400
    assert "already exists" in answer.text
    assert status(app, HAN) == "ENABLED"


def test_a_link_that_confirms_an_address_changes_none(app, client, leia, link):
    raw = link().partition("=")[2]
    assert is_dead(client.get(f"/verify/change?sptoken={raw}"), None)
    with app.app_context():
        assert one_time_token.find("verification", one_time_token.digest(raw))


# --- A host's templates ---


@pytest.mark.parametrize("by_name", [True, False])
def test_each_page_may_be_the_hosts(app, client, verifying, register, link, tmp_path, by_name):
    folder = tmp_path / "templates" / "flask_stormpath" if by_name else tmp_path / "templates"
    folder.mkdir(parents=True)
    app.template_folder = str(tmp_path / "templates")
    for name in ("verify", "verify_email_sent"):
        fields = "{{ form.hidden_tag() if form }}{{ form.login if form and not email }}"
        (folder / f"{name}.html").write_text(f"<p>their {name} {{{{ email }}}}</p><form>{fields}</form>")
        if not by_name:
            app.config[f"STORMPATH_{name.upper()}_TEMPLATE"] = f"{name}.html"
    assert "their verify_email_sent" in register(client).text
    assert 'name="login"' in client.get("/verify").text
    client.get(link())
    assert f"their verify {LEIA}" in client.get("/verify").text
    assert confirm(client).location == "/login"
