"""The registration page: its fields, the account that comes of it, and how it refuses."""

import io
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from stormpath_app import Account, Application
from stormpath_app.database import session
from stormpath_app.signals import user_created

from ..conftest import PASSWORD, token
from ..together import together
from .test_login import FORM, ODD

NAMES = ["given_name", "surname", "middle_name"]


def soup(answer):
    return BeautifulSoup(answer.text, "html.parser")


def fields(answer):
    """Return the fields a person sees, and those that must be filled."""
    shown = [field for field in soup(answer).select("form input") if field["type"] != "hidden"]
    return [field["name"] for field in shown], [field["name"] for field in shown if field.has_attr("required")]


def alert(answer):
    return soup(answer).select_one("[role=alert]").text


def everybody(app):
    with app.app_context():
        return list(session.scalars(sa.select(Account).order_by(Account.id)))


# --- The fields ---


@pytest.mark.parametrize(
    ("shown", "required"),
    [
        pytest.param([*NAMES, "email", "password"], ["given_name", "surname", "email", "password"], id="as it comes"),
        pytest.param(
            [*NAMES, "email", "password"],
            [*NAMES, "email", "password"],
            marks=pytest.mark.settings(STORMPATH_REQUIRE_MIDDLE_NAME=True),
            id="middle name required",
        ),
        pytest.param(
            ["email", "password"],
            ["email", "password"],
            marks=pytest.mark.settings(
                STORMPATH_ENABLE_GIVEN_NAME=False, STORMPATH_ENABLE_MIDDLE_NAME=False, STORMPATH_ENABLE_SURNAME=False
            ),
            id="no names",
        ),
        pytest.param(
            [*NAMES, "email", "password"],
            ["email", "password"],
            marks=pytest.mark.settings(STORMPATH_REQUIRE_GIVEN_NAME=False, STORMPATH_REQUIRE_SURNAME=False),
            id="no name required",
        ),
        pytest.param(
            ["username", *NAMES, "email", "password"],
            ["given_name", "surname", "email", "password"],
            marks=pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True, STORMPATH_REQUIRE_USERNAME=False),
            id="username optional",
        ),
        pytest.param(
            ["username", *NAMES, "email", "password"],
            ["username", "given_name", "surname", "email", "password"],
            marks=pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True),
            id="username required",
        ),
        pytest.param(
            [*NAMES[1:], "email", "password"],
            ["surname", "email", "password"],
            marks=pytest.mark.settings(STORMPATH_ENABLE_GIVEN_NAME=False, STORMPATH_REQUIRE_USERNAME=True),
            id="required, but not there",
        ),
    ],
)
def test_the_settings_say_which_fields_there_are_and_which_must_be_filled(app, client, shown, required):
    answer = client.get("/register")
    assert fields(answer) == (shown, required)
    assert soup(answer).title.text == "Create an Account - My Application"
    typed = dict.fromkeys(shown, "Organa") | {"email": "leia@alderaan.example", "password": PASSWORD}
    for name in required:
        data = {**typed, name: "", "csrf_token": token(client, "/register")}
        refused = client.post("/register", data=data)
        assert (refused.status_code, len(alert(refused).splitlines()) > 0) == (200, True)
        assert soup(refused).select_one(f"#{name}-error")
    assert everybody(app) == []
    least = {name: typed[name] for name in required} | {"csrf_token": token(client, "/register")}
    assert client.post("/register", data=least).status_code == 302


@together(
    ("field", "sentence"),
    [
        ("email", "You must provide an email address."),
        ("password", "You must supply a password."),
        ("given_name", "First name is required."),
        ("middle_name", "Middle name is required."),
        ("surname", "Surname is required."),
        ("username", "Username is required."),
    ],
)
@pytest.mark.settings(STORMPATH_REQUIRE_MIDDLE_NAME=True, STORMPATH_ENABLE_USERNAME=True)
@together("blank", ["", "   "])
def test_what_is_missing_is_named(app, client, register, field, sentence, blank):
    if (field, blank.strip()) == ("password", "") and blank:
        sentence = "Account password minimum length not satisfied."  # blanks are characters of a password
    if (field, blank.strip()) == ("email", "") and blank:
        sentence = "Account email address is required; it cannot be null, empty, or blank."
    given = {"username": "leia", "middle_name": "Amidala", field: blank}
    answer = register(client, **given)
    page = soup(answer)
    assert answer.status_code == 200
    assert page.text.count(sentence) == 1
    assert sentence in page.select_one(f"#{field}-error").text
    assert page.select_one(f"[role=alert] a[href='#{field}']").text == page.select_one(f"[for={field}]").text
    assert everybody(app) == []


def test_the_page_tells_the_rules_of_a_password_before_one_is_chosen(client):
    page = soup(client.get("/register"))
    assert page.select_one("#password-hint").text == (
        "At least 8 characters, with a lowercase letter, an uppercase letter and a number."
    )


# --- The account ---


def test_a_new_person_has_an_account_is_logged_in_and_led_to_the_start_page(app, client, register):
    answer = register(client, middle_name="Amidala")
    assert (answer.status_code, answer.location) == (302, "/")
    assert client.get("/secret").text == "Hello Leia"
    [account] = everybody(app)
    assert (account.email, account.username, account.status) == (
        "leia@alderaan.example",
        "leia@alderaan.example",
        "ENABLED",
    )
    assert account.full_name == "Leia Amidala Organa"


@pytest.mark.settings(
    STORMPATH_ENABLE_GIVEN_NAME=False, STORMPATH_ENABLE_MIDDLE_NAME=False, STORMPATH_ENABLE_SURNAME=False
)
def test_names_that_are_not_asked_for_are_anonymous_even_if_sent(app, client, register):
    register(client, given_name="Leia", middle_name="Amidala", surname="Organa")
    [account] = everybody(app)
    assert (account.given_name, account.middle_name, account.surname) == ("Anonymous", None, "Anonymous")


@pytest.mark.settings(
    STORMPATH_REQUIRE_GIVEN_NAME=False, STORMPATH_REQUIRE_SURNAME=False, STORMPATH_ENABLE_USERNAME=True
)
def test_optional_names_that_are_left_blank_stay_empty(app, client, register):
    app.config["STORMPATH_REQUIRE_USERNAME"] = False  # all settings but addresses are read when they are used
    for number, blank in enumerate(["", "  "]):
        names = dict.fromkeys(("username", "given_name", "middle_name", "surname"), blank)
        assert register(app.test_client(), email=f"{number}@x.example", **names).status_code == 302
    for account in everybody(app):
        assert (account.given_name, account.middle_name, account.surname) == (None, None, None)
        assert account.username == account.email


@pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True)
def test_a_chosen_username_logs_in_whatever_its_case(app, client, register, log_in):
    register(client, username="Leia")
    for login in ("leia", "LEIA", "leia@alderaan.example"):
        assert log_in(app.test_client(), login).status_code == 302


def test_fields_that_the_form_does_not_have_change_nothing(app, client, register):
    forged = {"username": "admin", "status": "UNVERIFIED", "is_admin": "1", "password_hash": "x", "id": "1"}
    forged["email_verification_status"] = "VERIFIED"
    register(client, **forged, href="x", directory="x", directory_id="x", created_at="x", came_through="x")
    [account] = everybody(app)
    assert (account.username, account.status) == ("leia@alderaan.example", "ENABLED")
    assert account.email_verification_status == "UNVERIFIED"


# --- Where it leads, and where it is ---


@pytest.mark.parametrize(
    ("page", "where"),
    [
        pytest.param("/register", "/a", marks=pytest.mark.settings(STORMPATH_REDIRECT_URL="/a")),
        pytest.param("/register", "/b", marks=pytest.mark.settings(STORMPATH_REGISTRATION_REDIRECT_URL="/b")),
        pytest.param("/register?next=/c", "/c", marks=pytest.mark.settings(STORMPATH_REGISTRATION_REDIRECT_URL="/b")),
    ],
)
def test_it_leads_to_the_page_asked_for_else_to_its_own_setting_else_to_that_of_logins(client, register, page, where):
    assert register(client, page).location == where


def test_the_page_somebody_came_for_is_kept_on_the_way_from_login_to_registration(client, register):
    page = soup(client.get("/login?next=/secret%3Fa%3Db")).find("a", string="Create an Account")["href"]
    assert soup(client.get(page)).find("a", string="Back to Log In")["href"] == "/login?next=/secret?a%3Db"
    assert register(client, page).location == "/secret?a=b"


@pytest.mark.settings(STORMPATH_REGISTRATION_URL="/welcome")
def test_the_page_can_stand_at_another_address(client, register):
    assert client.get("/register").status_code == 404
    assert 'href="/welcome"' in client.get("/login").text
    assert register(client, "/welcome").location == "/"


@pytest.mark.settings(STORMPATH_ENABLE_REGISTRATION=False)
def test_a_closed_registration_is_not_there_and_nothing_links_to_it(client):
    assert client.get("/register").status_code == 404
    assert client.post("/register").status_code == 404
    page = client.get("/login")
    assert (page.status_code, "Create an Account" in page.text) == (200, False)


# --- Refusals ---


def test_all_that_is_wrong_with_a_password_is_told_at_once_and_it_never_comes_back(app, client, register):
    answer = register(client, password="hilol!")
    told = soup(answer).select_one("#password-error").text
    assert answer.status_code == 200
    assert "Account password minimum length not satisfied." in told
    assert "Password requires at least 1 numeric character." in told
    assert "Password requires at least 1 uppercase character." in told
    assert "hilol!" not in answer.text
    assert soup(answer).select_one("[name=given_name]")["value"] == "Leia"
    assert everybody(app) == []


@pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True)
@pytest.mark.parametrize(
    ("taken", "field"),
    [
        ({"email": "HAN@falcon.example", "username": "leia"}, "email"),
        ({"username": "Solo"}, "username"),
        ({"username": "han@falcon.example"}, "username"),
    ],
)
def test_a_taken_name_is_told_at_its_field_and_everything_else_is_kept(app, client, account, register, taken, field):
    answer = register(client, **taken)
    page = soup(answer)
    assert answer.status_code == 200
    assert "already exists" in page.select_one(f"#{field}-error").text
    assert page.select_one(f"[name={field}]")["value"] == taken[field]
    assert page.select_one("[name=surname]")["value"] == "Organa"
    assert PASSWORD not in answer.text
    assert len(everybody(app)) == 1


@pytest.mark.parametrize("lists", [{"email_domain_blacklist": ["*.example"]}, {"email_domain_whitelist": ["a.org"]}])
@pytest.mark.parametrize("email", ["leia@alderaan.example", "Leia@ALDERAAN\u3002example"])
def test_an_address_of_a_domain_that_is_not_allowed_makes_no_account(app, client, register, lists, email):
    with app.app_context():
        policy = Application.current().default_account_store().account_creation_policy
        for name, patterns in lists.items():
            policy[name] = patterns
        policy.save()
    answer = register(client, middle_name="Amidala", email=email)
    page = soup(answer)
    sentence = "Cannot create the Account because your email's domain is not allowed."
    assert (answer.status_code, page.select_one("#email-error").text.strip()) == (200, sentence)
    typed = {name: page.select_one(f"[name={name}]")["value"] for name in (*NAMES, "email")}
    assert typed == {"given_name": "Leia", "middle_name": "Amidala", "surname": "Organa", "email": email}
    assert PASSWORD not in answer.text
    assert client.get("/secret").status_code == 302
    assert everybody(app) == []


def test_a_client_of_json_learns_that_its_domain_is_not_allowed(app, client):
    with app.app_context():
        policy = Application.current().default_account_store().account_creation_policy
        policy.email_domain_blacklist = ["*"]
        policy.save()
    data = {"given_name": "Leia", "surname": "Organa", "email": "leia@alderaan.example", "password": PASSWORD}
    data["csrf_token"] = token(client, "/register")
    answer = client.post("/register", data=data, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["code"]) == (400, 7205)
    assert "blacklist" not in answer.text


def require_surname(app):
    with app.app_context():
        field = Application.current().default_account_store().account_schema.fields["surname"]
        field.required = True
        field.save()


@pytest.mark.settings(STORMPATH_REQUIRE_SURNAME=False)
def test_a_name_that_the_directory_requires_is_told_at_its_field(app, client, register):
    require_surname(app)
    answer = register(client, surname=" ")
    sentence = "Account surname is required; it cannot be null, empty, or blank."
    assert (answer.status_code, soup(answer).select_one("#surname-error").text.strip()) == (200, sentence)
    assert everybody(app) == []


@pytest.mark.settings(STORMPATH_ENABLE_SURNAME=False)
def test_a_name_that_the_directory_requires_and_the_page_does_not_ask_for_keeps_nobody_out(app, client, register):
    require_surname(app)
    assert register(client).status_code == 302
    assert everybody(app)[0].surname == "Anonymous"


@pytest.mark.parametrize("csrf_token", ["", "wrong"])
def test_a_form_from_elsewhere_is_refused_and_comes_again(app, client, register, csrf_token):
    answer = register(client, csrf_token=csrf_token)
    page = soup(answer)
    assert answer.status_code == 400
    assert "This page was open for too long." in alert(answer)
    assert page.select_one("[name=email]")["value"] == "leia@alderaan.example"
    assert PASSWORD not in answer.text
    assert everybody(app) == []
    assert register(client, csrf_token=page.select_one("[name=csrf_token]")["value"]).status_code == 302


def test_a_token_from_before_the_registration_is_worthless_after(client, register):
    before = token(client, "/register")
    assert register(client, csrf_token=before).status_code == 302
    assert client.post("/logout", data={"csrf_token": before}).status_code == 400
    assert client.get("/secret").status_code == 200


@pytest.mark.parametrize("how", ["disables", "deletes"])
def test_whom_a_receiver_of_the_signal_shuts_out_at_once_is_led_to_the_login_page(app, client, register, how):
    def shut_out(_sender, account, **_more):
        with app.app_context():  # as a worker of the host's would
            newcomer = Account.get(account.id)
            if how == "deletes":
                newcomer.delete()
            else:
                newcomer.status = "DISABLED"
                newcomer.save()

    with user_created.connected_to(shut_out, app):
        assert register(client).location == "/login"
    assert client.get("/secret").status_code == 302


def test_where_new_accounts_have_no_place_a_person_is_told_so_in_few_words(app, client, register):
    with app.app_context():
        store = Application.current().default_account_store_mapping.account_store
        store.status = "DISABLED"
        store.save()
    answer = register(client)
    assert (answer.status_code, alert(answer).strip()) == (200, "New accounts cannot be created at the moment.")


def test_who_joins_a_site_that_is_closed_is_led_to_the_login_page_which_says_so(app, client, register, log_in):
    with app.app_context():
        application = Application.current()
        application.status = "DISABLED"
        application.save()
    answer = register(client, page="/register?next=/secret")
    assert (answer.status_code, answer.location) == (302, "/login?next=/secret")
    assert client.get("/secret").status_code == 302
    assert alert(log_in(client, "leia@alderaan.example")).strip() == "Logging in is closed at the moment."


@pytest.mark.settings(STORMPATH_ENABLE_LOGIN=False)
def test_who_was_closed_out_while_they_joined_is_not_logged_in(app, client, register):
    def close(_app, account, **_more):
        with app.app_context():  # as another request would
            found = Application.current().find_account(account.email)
            found.status = "DISABLED"
            found.save()

    with user_created.connected_to(close, app):
        answer = register(client)
    assert (answer.status_code, answer.location) == (302, "/")
    assert client.get("/secret").status_code == 401


@pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_values_are_refused_or_taken_and_never_an_error_of_ours(client, odd):
    names = ["username", *NAMES, "email", "password", "csrf_token"]
    for field in names:
        data = dict.fromkeys(names, "Organa") | {"email": "leia@alderaan.example", "password": PASSWORD}
        data = {**data, "csrf_token": token(client, "/register?next=/"), field: odd}
        answer = client.post("/register", data=urlencode(data), content_type=FORM)
        assert answer.status_code in {200, 302, 400}
        client.delete_cookie("__Host-stormpath_session")
        client.delete_cookie("__Host-stormpath_token")


@pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True, STORMPATH_REQUIRE_MIDDLE_NAME=True)
@pytest.mark.parametrize("field", ["username", *NAMES, "email", "password", "csrf_token"])
def test_a_file_in_place_of_a_text_is_refused(app, client, register, field):
    given = {"username": "leia", "middle_name": "Amidala", field: (io.BytesIO(b"Leia1Organa"), "file.txt")}
    assert register(client, **given).status_code in {200, 400}
    assert everybody(app) == []


def test_an_address_with_all_values_in_it_creates_nobody(app, client):
    data = {"given_name": "Leia", "surname": "Organa", "email": "leia@alderaan.example", "password": PASSWORD}
    query = urlencode({**data, "csrf_token": token(client, "/register")})
    for method in ("GET", "HEAD"):
        assert client.open(f"/register?{query}", method=method).status_code == 200
    assert client.post(f"/register?{query}").status_code == 400
    assert everybody(app) == []
