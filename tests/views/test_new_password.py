"""The page for those who must choose another password before they are let in."""

import pytest
from bs4 import BeautifulSoup

from stormpath_app import Account
from stormpath_app.models import DISABLED

from ..conftest import PASSWORD, token
from ..devices import is_in

PAGE, OTHER = "/login/password", "Kessel12.Parsecs"
HEADING = "Choose a new password"


@pytest.fixture
def change(app, account):
    """Return a function that changes Han's account behind the browsers."""

    def change(**attributes):
        with app.app_context():
            han = next(iter(Account.current_application().accounts))
            for name, value in attributes.items():
                han[name] = value
            han.save()

    change(must_change_password=True)
    return change


@pytest.fixture
def browser(client, change):
    """Return the browser of Han, who must choose another password."""
    return client


def send(client, page=PAGE, **fields):
    data = {"csrf_token": token(client, PAGE), "password": OTHER, "password_again": OTHER, **fields}
    return client.post(page, data=data)


def soup(answer):
    return BeautifulSoup(answer.text, "html.parser")


def test_the_right_password_leads_to_the_page_and_a_new_one_lets_in(browser, log_in):
    assert log_in(browser).location == PAGE
    assert not is_in(browser)
    page = soup(browser.get(PAGE))
    assert (page.h1.text, page.title.text) == (HEADING, f"{HEADING} - My Application")
    fields = {field["name"]: field.get("autocomplete") for field in page.select("input[name]")}
    assert fields == {"csrf_token": None, "password": "new-password", "password_again": "new-password"}
    answer = send(browser)
    assert (answer.status_code, answer.location, is_in(browser)) == (302, "/", True)
    browser.get("/logout")
    assert log_in(browser, password=OTHER).location == "/"


def test_the_page_that_was_asked_for_is_where_it_ends(browser, log_in):
    answer = log_in(browser, page="/login?next=/secret%3Fa%3Db")
    assert answer.location == f"{PAGE}?next=/secret?a%3Db"
    assert send(browser, page=answer.location).location == "/secret?a=b"


def test_a_wrong_password_tells_a_stranger_nothing(browser, log_in):
    answer = log_in(browser, password="wrong")
    assert answer.status_code == 200
    assert "Invalid username or password." in answer.text
    assert browser.get(PAGE).location == "/login"


def test_without_a_login_the_page_leads_to_one_and_keeps_where_it_leads(client, account):
    assert client.get(f"{PAGE}?next=/secret").location == "/login?next=/secret"
    answer = client.post(PAGE, data={"csrf_token": token(client), "password": OTHER, "password_again": OTHER})
    assert (answer.location, is_in(client)) == ("/login", False)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"password": "x", "password_again": "x"}, "Account password minimum length not satisfied."),
        ({"password_again": "another"}, "Passwords don't match."),
        ({"password": "", "password_again": ""}, "You must supply a password."),
        ({"password": PASSWORD, "password_again": PASSWORD}, "The new password is the one in use: choose another."),
        ({"password": "x" * 20_000, "password_again": "x" * 20_000}, "exceeded the maximum length."),
    ],
)
def test_a_password_that_is_refused_may_be_chosen_anew(browser, log_in, fields, told):
    log_in(browser)
    answer = send(browser, **fields)
    assert answer.status_code == 200
    assert told in soup(answer).text
    assert all(not field["value"] for field in soup(answer).select("[type=password]"))
    assert not is_in(browser)
    assert send(browser).status_code == 302


def test_a_form_without_its_token_changes_nothing(browser, log_in):
    log_in(browser)
    assert send(browser, csrf_token="wrong").status_code == 400
    assert log_in(browser, password=OTHER).status_code == 200


@pytest.mark.parametrize("meanwhile", [{"status": DISABLED}, {"password": "Bespin4.Clouds"}], ids=str)
def test_an_account_that_was_changed_meanwhile_leads_back_to_the_login(browser, log_in, change, meanwhile):
    log_in(browser)
    csrf = token(browser, PAGE)
    change(**meanwhile)
    assert (
        browser.post(PAGE, data={"csrf_token": csrf, "password": OTHER, "password_again": OTHER}).location == "/login"
    )
    assert "That took too long. Log in again." in browser.get("/login").text
    assert not is_in(browser)


def test_after_a_quarter_of_an_hour_the_old_password_is_asked_for_again(browser, log_in, held_clock):
    log_in(browser)
    held_clock.forward(minutes=16)
    assert browser.get(PAGE).location == "/login"
    assert "That took too long. Log in again." in browser.get("/login").text


def test_what_one_browser_proved_opens_no_other(app, browser, log_in):
    log_in(browser)
    assert app.test_client().get(PAGE).location == "/login"


def test_a_client_that_prefers_json_is_told_in_a_sentence(browser, log_in):
    answer = log_in(browser, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["message"]) == (400, "Choose a new password before you log in.")


@pytest.mark.settings(STORMPATH_NEW_PASSWORD_URL="/another")
def test_the_page_can_stand_at_another_address(browser, log_in):
    assert log_in(browser).location == "/another"
    assert browser.get("/another").status_code == 200


def test_setting_it_ends_the_logins_there_are(member, change):
    assert not is_in(member)
