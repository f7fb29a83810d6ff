"""A forgotten password: the page that asks, the link, the new password, and the page that leads on."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from stormpath_app import Account, Application, Directory
from stormpath_app.database import session
from stormpath_app.errors import TokenRefused
from stormpath_app.mail.rendering import render
from stormpath_app.models import AccountSession, OutboxMessage, one_time_token
from stormpath_app.models.message import REQUESTS

from ..conftest import PASSWORD, statements, token
from ..payloads import EMAIL_REJECT, HTML
from ..together import together

NEW = "Kessel12.Parsecs"
EMAIL = "han@falcon.example"
DEAD = "This link does not work any more. Ask for a new one."

pytestmark = pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True)


def soup(answer):
    return BeautifulSoup(answer.text, "html.parser")


def ask(client, email=EMAIL, **more):
    return client.post("/forgot", data={"csrf_token": token(client, "/forgot"), "email": email, **more})


@pytest.fixture
def mails(app):
    """Return a function that answers what strangers asked for, as who sends mails does; it returns the mails that live.

    One whose link is dead is never sent.
    """

    def mails():
        with app.app_context():
            for asked in session.scalars(sa.select(OutboxMessage).where(OutboxMessage.kind.in_(REQUESTS))):
                Application.current().answer(asked)
            waiting = session.scalars(sa.select(OutboxMessage).order_by(OutboxMessage.id)).all()
            return [(message.kind, mail) for message in waiting if (mail := living(message))]

    return mails


def living(message):
    try:
        return render(message)
    except TokenRefused:
        return None


@pytest.fixture
def mailed(client, account, mails):
    """Return a function that returns the path of the link that Han asked for, as his mail has it."""

    def mailed(email=EMAIL):
        ask(client, email)
        url = urlsplit(re.search(r"http\S+sptoken=\S+", mails()[-1][1].text)[0])
        return f"{url.path}?{url.query}"

    return mailed


def change(client, password=NEW, again=None, page="/forgot/change", **more):
    fields = {"password": password, "password_again": password if again is None else again}
    return client.post(page, data={"csrf_token": token(client, "/login"), **fields, **more})


# --- Asking ---


def test_the_login_page_leads_to_the_page_that_asks(client):
    link = soup(client.get("/login")).find("a", string="Forgot Password?")
    page = client.get(link["href"])
    assert page.status_code == 200
    assert soup(page).h1.text == "Forgot your password?"
    assert soup(page).find("a", string="Back to Log In")["href"] == "/login"


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=False)
def test_where_it_is_off_there_is_no_page_and_no_link_to_one(client):
    assert "Forgot" not in client.get("/login").text
    assert client.get("/forgot").status_code == client.get("/forgot/change").status_code == 404


@pytest.mark.settings(STORMPATH_FORGOT_PASSWORD_URL="/lost", STORMPATH_FORGOT_PASSWORD_CHANGE_URL="/found")
def test_the_pages_are_where_the_settings_say(client, mailed):
    assert client.get("/lost").status_code == 200
    with client.application.app_context():
        Application.current().send_password_reset_email(EMAIL)
        (message,) = session.scalars(sa.select(OutboxMessage)).all()
        assert "/found?sptoken=" in render(message).text


@together("email", [address for address in EMAIL_REJECT if "\ud800" not in address] + HTML)
def test_what_is_no_address_is_told(client, email):
    answer = ask(client, email)
    assert answer.status_code == 200
    assert "Invalid email address." in answer.text
    assert not soup(answer).select("script, img")


def test_an_empty_form_is_told(client):
    assert "Email address required." in ask(client, "").text


def test_a_field_that_comes_twice_is_one_mail_to_the_stored_address(client, account, mails):
    ask(client, ["HAN@falcon.example", "attacker@evil.example"])
    assert [mail.to for _kind, mail in mails()] == [EMAIL]
    answer = client.post("/forgot", data={"csrf_token": token(client, "/forgot"), "email[]": EMAIL, "email.x": EMAIL})
    assert "Email address required." in answer.text


@pytest.fixture
def people(app):
    """Make an account of each kind; "busy" has had all mails it may have."""
    with app.app_context():
        for name, status in (("known", "ENABLED"), ("disabled", "DISABLED"), ("unverified", "UNVERIFIED")):
            Account.create(f"{name}@x.example", PASSWORD, "A", "B", status=status)
        Account.create("busy@x.example", PASSWORD, "A", "B")
        for _time in range(3):
            Application.current().send_password_reset_email("busy@x.example")
    return ["known", "disabled", "unverified", "busy", "unknown"]


def test_everybody_is_answered_alike_and_with_the_same_work(app, people):
    def seen(name):
        client = app.test_client()
        csrf = token(client, "/forgot")
        with statements(app) as sent:
            answer = client.post("/forgot", data={"csrf_token": csrf, "email": f"{name}@x.example"})
        page = answer.text.replace(f"{name}@x.example", "@")
        return answer.status_code, page, sorted(answer.headers.keys()), sent

    expected = seen("known")
    assert expected[0] == 200
    assert "Look for a mail from us" in expected[1]
    assert {name: seen(name) == expected for name in people} == dict.fromkeys(people, True)


def test_who_may_have_a_mail_gets_one(app, people, mails):
    for name in people:
        ask(app.test_client(), f"{name}@x.example")
    assert sorted(mail.to for _kind, mail in mails()) == ["busy@x.example", "known@x.example", "unverified@x.example"]
    with app.app_context():
        assert session.query(OutboxMessage).filter_by(address="busy@x.example").count() == 3  # none of them is newer


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 2})
def test_a_network_that_asks_too_often_must_wait_whomever_it_asks_for(app, account):
    for _time in range(2):
        assert ask(app.test_client()).status_code == 200
    for email in (EMAIL, "nobody@x.example"):
        answer = ask(app.test_client(), email)
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 0
        assert "Too many attempts." in answer.text


def test_a_link_never_names_the_host_that_asked(app, account, mails):
    client = app.test_client()
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    csrf = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/forgot", headers=headers).text)[1]
    client.post("/forgot", data={"csrf_token": csrf, "email": EMAIL}, headers=headers)
    ((_kind, mail),) = mails()
    assert "evil" not in mail.text + mail.html


# --- The link ---


def test_a_link_leaves_the_address_at_once_and_is_looked_at_as_often_as_one_likes(client, mailed):
    link = mailed()
    secret = link.partition("=")[2]
    for _look in range(3):
        answer = client.get(link)
        assert (answer.status_code, answer.location) == (302, "/forgot/change")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        page = client.get(answer.location)
        assert page.status_code == 200
        assert soup(page).h1.text == "Change Your Password"
        assert secret not in page.text
        with client.session_transaction() as kept:
            assert secret not in str(dict(kept))
            assert one_time_token.digest(secret) in kept.values()


def test_who_logs_out_leaves_no_link_to_whoever_comes_next(client, mailed, log_in):
    client.get(mailed())
    log_in(client)
    assert client.get("/forgot/change").status_code == 200
    client.get("/logout")
    for answer in (client.get("/forgot/change"), change(client)):
        assert (answer.status_code, EMAIL in answer.text) == (400, False)


def test_the_pages_of_a_link_send_nothing_anywhere(client, mailed):
    client.get(mailed())
    for page in (client.get("/forgot/change"), change(client), client.get("/forgot/change?sptoken=x")):
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert all(tag["href"].startswith("/") for tag in soup(page).select("[href]"))


def test_a_new_password_is_given_and_the_person_is_logged_in(client, mailed, mails, log_in, app):
    client.get(mailed())
    page = client.get("/forgot/change")
    assert soup(page).find(autocomplete="username")["value"] == EMAIL
    answer = change(client)
    assert answer.status_code == 200
    assert soup(answer).h1.text == "Password Change Complete!"
    assert "You will be redirected back to the site in 5 seconds" in answer.text
    assert answer.headers["Refresh"] == "5; url=/"
    assert soup(answer).find("a", class_="sp-btn")["href"] == "/"
    assert client.get("/secret").text == "Hello Han"
    assert [kind for kind, _mail in mails()[-1:]] == ["reset_success"]
    other = app.test_client()
    assert log_in(other, password=PASSWORD).status_code == 200
    assert log_in(other, password=NEW).location == "/"


@pytest.mark.settings(STORMPATH_REDIRECT_URL="/dashboard")
def test_the_last_page_leads_where_a_login_leads(client, mailed):
    client.get(mailed())
    assert change(client).headers["Refresh"] == "5; url=/dashboard"


def test_every_login_before_ends(app, client, mailed, log_in):
    other = app.test_client()
    log_in(other)
    link = mailed()
    client.get(link)
    change(client)
    assert other.get("/secret").status_code == 302
    assert client.get("/secret").status_code == 200


@pytest.mark.settings(STORMPATH_RESET_AUTOLOGIN=False)
def test_where_it_is_switched_off_nobody_is_logged_in_by_a_link(client, mailed):
    client.get(mailed())
    assert "logged into" not in client.get("/forgot/change").text
    answer = change(client)
    assert soup(answer).h1.text == "Password Change Complete!"
    assert "Refresh" not in answer.headers
    assert soup(answer).find("a", class_="sp-btn")["href"] == "/login"
    assert client.get("/secret").status_code == 302


def test_who_is_not_verified_is_not_logged_in_by_a_link(app, client, mailed, account):
    with app.app_context():
        found = Application.current().find_account(EMAIL)
        found.status = "UNVERIFIED"
        found.save()
    client.get(mailed())
    assert "Refresh" not in change(client).headers
    assert client.get("/secret").status_code == 302
    with app.app_context():
        assert Application.current().find_account(EMAIL).status == "UNVERIFIED"
        assert session.scalar(sa.select(sa.func.count()).select_from(AccountSession)) == 0


def test_a_form_may_be_sent_to_the_link_itself(client, mailed):
    assert change(client, page=mailed()).headers["Refresh"]


def test_a_password_that_is_refused_can_be_mended(client, mailed):
    client.get(mailed())
    answer = change(client, "hilol!")
    assert answer.status_code == 200
    assert "Account password minimum length not satisfied." in answer.text
    assert "hilol!" not in answer.text
    assert "Passwords don&#39;t match." in change(client, NEW, "Another12.One").text
    assert "You must supply a password." in change(client, "", "").text
    assert "Please verify the password." in change(client, NEW, "").text
    assert change(client).headers["Refresh"]


def test_a_form_without_its_token_is_refused_and_the_link_stays_good(client, mailed):
    client.get(mailed())
    answer = client.post("/forgot/change", data={"password": NEW, "password_again": NEW})
    assert answer.status_code == 400
    assert "open for too long" in answer.text
    assert change(client).headers["Refresh"]


def is_dead(answer):
    page = soup(answer)
    onward = page.find("a", string="Ask for a new link")
    return (answer.status_code, page.h1.text, page.find("p").text, onward and onward["href"]) == (
        *(400, "Link not accepted", DEAD),
        "/forgot",
    )


@together(
    "query",
    [
        *("", "?sptoken=", "?sptoken=null", "?sptoken=5", "?sptoken[]=x", "?sptoken=%00", "?sptoken=%FF%FE"),
        *("?sptoken=" + "x" * 43, "?sptoken=" + "x" * 20_000, "?sptoken=../../etc/passwd", "?sptoken=%7B%7B7*7%7D%7D"),
    ],
)
def test_what_is_no_link_is_refused_with_one_text(client, account, query):
    assert is_dead(client.get(f"/forgot/change{query}"))
    assert is_dead(change(client, page=f"/forgot/change{query}"))


def test_a_link_that_comes_twice_is_none(client, mailed):
    link = mailed()
    assert is_dead(client.get(f"{link}&{link.partition('?')[2]}"))
    assert is_dead(client.get(f"{link}&sptoken=x"))


def test_a_link_is_used_once(client, app, mailed):
    link = mailed()
    change(client, page=link)
    assert is_dead(change(app.test_client(), "Other12.Password", page=link))
    assert is_dead(app.test_client().get(link))
    assert is_dead(client.get("/forgot/change"))


def test_an_older_link_is_dead(client, mailed):
    old = mailed()
    new = mailed()
    assert is_dead(client.get(old))
    assert client.get(new).location == "/forgot/change"


@pytest.mark.parametrize("what", ["password", "email", "status", "deleted"])
def test_a_link_dies_with_what_it_was_for(app, client, mailed, what):
    link = mailed()
    client.get(link)
    with app.app_context():
        found = Application.current().find_account(EMAIL)
        if what == "deleted":
            found.delete()
        else:
            setattr(found, what, {"password": "Other12.Password", "email": "x@x.example", "status": "DISABLED"}[what])
            found.save()
    assert is_dead(client.get("/forgot/change"))
    assert is_dead(client.get(link))
    assert is_dead(change(client, page=link))


def test_a_link_is_dead_after_its_time(client, mailed, held_clock):
    link = mailed()
    held_clock.forward(hours=23, minutes=59)
    assert client.get(link).status_code == 302
    held_clock.forward(minutes=1)
    assert is_dead(client.get(link))


def test_a_link_that_is_for_something_else_is_refused(app, client, account):
    with app.app_context():
        han = Application.current().find_account(EMAIL)
        han.request_email_change("new@x.example")
        (message,) = session.scalars(sa.select(OutboxMessage)).all()
        raw = one_time_token.raw(message.nonce)
    assert is_dead(client.get(f"/forgot/change?sptoken={raw}"))


def test_the_link_of_another_application_is_refused(app, client, account):
    with app.app_context():
        other = Application.create(name="Other")
        other.add_account_store(Application.current().default_account_store())
        raw = other.send_password_reset_email(EMAIL).token
    assert is_dead(client.get(f"/forgot/change?sptoken={raw}"))


def test_nothing_that_is_added_makes_a_link_anothers(app, client, mailed):
    with app.app_context():
        lando = Account.create("lando@cloud.example", PASSWORD, "Lando", "Calrissian").id
    link = mailed()
    added = {"email": "lando@cloud.example", "account": lando, "id": lando, "account_id": lando}
    query = "&".join(f"{name}={value}" for name, value in added.items())
    change(client, page=f"{link}&{query}", **added)
    with app.app_context():
        here = Application.current()
        assert here.authenticate_account("lando@cloud.example", PASSWORD)
        assert here.authenticate_account(EMAIL, NEW)


def test_of_fifty_who_use_a_link_at_once_one_succeeds(app, client, mailed):
    link = mailed()
    browsers = [app.test_client() for _number in range(50)]
    csrf = [token(browser) for browser in browsers]

    def use(number):
        fields = dict.fromkeys(("password", "password_again"), f"{NEW}{number}")
        return browsers[number].post(link, data={"csrf_token": csrf[number], **fields})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(use, range(50)))
    won = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    assert len(won) == 1
    assert all(is_dead(answer) for number, answer in enumerate(answers) if number not in won)
    with app.app_context():
        assert Application.current().authenticate_account(EMAIL, f"{NEW}{won[0]}")


def test_a_program_gets_json(client, account):
    answer = client.get("/forgot/change?sptoken=x", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json) == (400, {"status": 400, "code": 400, "message": DEAD})
    fields = {"csrf_token": token(client, "/forgot"), "email": "nowhere"}
    answer = client.post("/forgot", data=fields, headers={"Accept": "application/json"})
    assert answer.json["message"] == "Invalid email address."


# --- A host's templates ---

OURS = {
    "FORGOT_PASSWORD_TEMPLATE": "forgot",
    "FORGOT_PASSWORD_EMAIL_SENT_TEMPLATE": "forgot_email_sent",
    "FORGOT_PASSWORD_CHANGE_TEMPLATE": "forgot_change",
    "FORGOT_PASSWORD_COMPLETE_TEMPLATE": "forgot_complete",
}


@pytest.mark.parametrize("by_name", [True, False])
def test_each_page_may_be_the_hosts(app, client, mailed, tmp_path, by_name):
    folder = tmp_path / "templates" / "flask_stormpath" if by_name else tmp_path / "templates"
    folder.mkdir(parents=True)
    app.template_folder = str(tmp_path / "templates")
    for setting, name in OURS.items():
        fields = "{{ form.hidden_tag() if form }}{% for field in form or [] %}{{ field() }}{% endfor %}"
        (folder / f"{name}.html").write_text(f"<p>their {name}</p><form>{fields}</form>")
        if not by_name:
            app.config[f"STORMPATH_{setting}"] = f"{name}.html"
    link = mailed()
    assert "their forgot<" in client.get("/forgot").text
    assert "their forgot_email_sent" in ask(client).text
    client.get(link)
    assert 'name="password_again"' in client.get("/forgot/change").text
    answer = change(client)
    assert "their forgot_complete" in answer.text
    assert answer.headers["Refresh"] == "5; url=/"


def test_a_directory_that_mails_no_link_answers_alike(app, client, account, mails):
    with app.app_context():
        policy = Directory.named("My Application Directory").password_policy
        policy.reset_email_status = "DISABLED"
        policy.save()
    assert "Look for a mail from us" in ask(client).text
    assert mails() == []


# --- A link of somebody else ---


def test_a_link_that_another_site_opened_meanwhile_gets_no_password(app, client, mailed, mails):
    client.get(mailed())
    fields = {
        field["name"]: field.get("value", "") for field in soup(client.get("/forgot/change")).select("input[name]")
    }
    with app.app_context():
        Account.create("boba@fett.example", PASSWORD)
        theirs = Application.current().send_password_reset_email("boba@fett.example").token
    client.get(f"/forgot/change?sptoken={theirs}")  # an image of another site does it
    answer = client.post("/forgot/change", data={**fields, "password": NEW, "password_again": NEW})
    assert answer.status_code == 400
    assert "This link does not work any more." in answer.text
    with app.app_context():
        for email in (EMAIL, "boba@fett.example"):
            assert Application.current().authenticate_account(email, PASSWORD)
