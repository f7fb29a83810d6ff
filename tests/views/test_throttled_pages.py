"""Too many attempts, as a browser or a program meets them; and the device that its owner is known by."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup

from stormpath_app import Account, Application, login_user, tokens
from stormpath_app.errors import LoginFailed

from ..conftest import PASSWORD, SECRET_KEY, make_app, token

HAN, LEIA = "han@falcon.example", "leia@alderaan.example"
WRONG = "Wrong1.Password"
DEVICE = "__Host-stormpath_device"
JSON = {"Accept": "application/json"}
HOME, OFFICE = {"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": "198.51.100.1"}

pytestmark = pytest.mark.usefixtures("held_clock", "account")


@pytest.fixture
def guess(app):
    """Return a function that tries passwords in a browser that nobody knows, one after the other; the last answer."""

    def guess(times=5, login=HAN, password=WRONG, browser=None, environ_base=OFFICE, headers=None):
        browser = browser or app.test_client()
        data = {"csrf_token": token(browser), "login": login, "password": password}
        return [browser.post("/login", data=data, environ_base=environ_base, headers=headers) for _ in range(times)][-1]

    return guess


@pytest.fixture
def laptop(client, log_in):
    """Return a browser that Han logged in on once, and out again."""
    assert log_in(client, environ_base=HOME).status_code == 302
    client.get("/logout")
    return client


def shown(answer):
    """Return the first sentences of an answer's alert: what happened."""
    return BeautifulSoup(answer.text, "html.parser").select_one("[role=alert] p").text


def meanwhile(answer):
    """Return what else the alert says: what can be done until the wait is over."""
    return [found.text for found in BeautifulSoup(answer.text, "html.parser").select("[role=alert] p")[1:]]


# --- The login page ---


def test_the_form_comes_again_with_429_and_tells_when_to_send_it_again(guess):
    refused = guess(5)
    assert (refused.status_code, meanwhile(refused)) == (200, [])
    answer = guess(1)
    page = BeautifulSoup(answer.text, "html.parser")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert shown(answer) == "Too many attempts. Try again in one second."
    assert meanwhile(answer) == ["On another device that you logged in on before, you need not wait."]
    assert page.title.text.startswith("Error: ")
    assert page.select_one("[name=login]")["value"] == HAN
    assert WRONG not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_right_password_is_not_looked_at_until_the_wait_is_over(guess, held_clock):
    guess(5)
    assert guess(1, password=PASSWORD).status_code == 429
    held_clock.forward(seconds=1)
    assert guess(1, password=PASSWORD).status_code == 302


@pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True)
def test_a_refusal_tells_nobody_whether_there_is_an_account(guess, held_clock):
    def seen(login):
        found = []
        for seconds in (0, 0, 0, 0, 0, 0, 1, 0, 2, 3):
            held_clock.forward(seconds=seconds)
            answer = guess(1, login)
            text = BeautifulSoup(answer.text, "html.parser").get_text()
            headers = {name: value for name, value in answer.headers if name not in {"Set-Cookie", "Content-Length"}}
            found.append((answer.status_code, headers, text))
        return found

    for unknown in ("nobody@falcon.example", "nobody"):
        assert seen(unknown) == seen(HAN)
        held_clock.forward(days=40)


def test_a_program_is_told_in_json_with_the_status_of_the_error(guess, held_clock):
    wrong = guess(5, headers=JSON)
    assert (wrong.status_code, wrong.json) == (
        *(400, {"status": 400, "code": 400, "message": "Invalid username or password."}),
    )
    assert guess(1, "nobody", headers=JSON).json == wrong.json
    refused = guess(1, headers=JSON)
    told = {"status": 429, "code": 429, "message": "Too many attempts. Try again in one second."}
    assert (refused.status_code, refused.headers["Retry-After"], refused.json) == (429, "1", told)
    assert "Retry-After" not in wrong.headers


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"csrf_token": "stale"}, "This page was open for too long. Send it once more."),
        ({"login": ""}, "Login identifier required."),
        ({"login": "", "password": ""}, "Login identifier required. Password required."),
    ],
)
def test_a_program_that_sends_half_a_form_is_told_in_json_too_and_nothing_is_flashed(client, fields, message):
    data = {"csrf_token": token(client), "login": HAN, "password": PASSWORD, **fields}
    answer = client.post("/login", data=data, headers=JSON)
    assert (answer.status_code, answer.json) == (400, {"status": 400, "code": 400, "message": message})
    assert message not in client.get("/login").text


# --- What an attacker can make up ---


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP"])
@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 8})
def test_a_header_that_anybody_can_send_changes_nothing(guess, name):
    values = ["1.2.3.4", "for=1.2.3.4", "", "not an address", "127.0.0.1, 1.2.3.4", "::1", "x" * 5000, "\x7f"]
    for number, value in enumerate(values):
        assert guess(1, f"somebody{number}", headers={name: value}).status_code == 200
    for value in values:
        assert guess(1, "another", headers={name: value}).status_code == 429
    assert guess(1, "another", environ_base=HOME).status_code == 200


def test_fields_that_nobody_asks_for_change_nothing(app, client):
    found = []
    for number in range(8):
        made_up = [("email", f"{number}@x.example"), ("username", str(number)), ("account_id", str(number))]
        again = [("login", f"other{number}"), ("password", PASSWORD)]
        fields = [("csrf_token", token(client)), ("login", HAN), ("password", WRONG), *made_up, *again]
        body = {"data": urlencode(fields), "content_type": "application/x-www-form-urlencoded"}
        found.append(client.post(f"/login?login={number}&next=/{number}", **body).status_code)
    assert found == [200] * 5 + [429] * 3


@pytest.mark.parametrize("agent", ["Falcon/1.0", "", "x" * 5000])
def test_the_cookies_and_the_name_of_a_browser_change_nothing(app, guess, agent):
    guess(5)
    browser = app.test_client()
    for name in (DEVICE, "__Host-stormpath_session", "__Host-stormpath_token"):
        browser.set_cookie(name, "made up")
    assert guess(1, browser=browser, headers={"User-Agent": agent}).status_code == 429


def test_two_apps_on_one_database_share_the_lock(app, guess, instance):
    guess(5)
    other = make_app(instance, STORMPATH_LOGIN_URL="/elsewhere").test_client()
    data = {"csrf_token": token(other, "/elsewhere"), "login": HAN, "password": PASSWORD}
    assert other.post("/elsewhere", data=data).status_code == 429


# --- Those who are not slowed ---


def test_who_is_logged_in_stays_so(client, log_in, guess):
    log_in(client)
    guess(6)
    assert client.get("/secret").status_code == 200


def test_one_who_fails_slows_nobody_else_of_the_network(app, guess):
    with app.app_context():
        Account.create(LEIA, PASSWORD)
    guess(30)
    assert guess(1, LEIA, PASSWORD).status_code == 302


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 5})
def test_the_owner_gets_in_on_a_known_device_while_strangers_guess_even_next_to_it(laptop, guess):
    guess(5)
    assert guess(1, password=PASSWORD).status_code == 429
    assert guess(1, LEIA, PASSWORD).status_code == 429
    assert guess(1, password=PASSWORD, browser=laptop).status_code == 302


def test_a_stolen_device_cookie_buys_no_more_than_its_own_five(app, laptop, guess):
    thief = app.test_client()
    thief.set_cookie(DEVICE, laptop.get_cookie(DEVICE).value)
    assert guess(5, browser=thief).status_code == 200
    assert guess(1, browser=thief).status_code == 429
    assert guess(1, browser=laptop).status_code == 429
    assert guess(1, password=PASSWORD).status_code == 302


# --- The cookie of a device ---


def test_the_cookie_comes_with_a_login_stays_when_it_ends_and_lasts_a_year(client, log_in):
    log_in(client, password=WRONG)
    assert client.get_cookie(DEVICE) is None
    (line,) = [line for line in log_in(client).headers.getlist("Set-Cookie") if DEVICE in line]
    assert {flag.lower() for flag in line.split("; ")[1:] if "expires" not in flag.lower()} == {
        *("secure", "httponly", "path=/", "max-age=31536000", "samesite=lax"),
    }
    before = client.get_cookie(DEVICE).value
    client.get("/logout")
    assert client.get_cookie(DEVICE).value == before


def test_whoever_registers_is_known_on_that_device_too(client, register, guess):
    register(client)
    client.get("/logout")
    guess(5, LEIA)
    assert guess(1, LEIA, PASSWORD, browser=client).status_code == 302


def read(browser):
    """Return what a browser's cookie holds: the device, and who logged in on it."""
    device, *accounts = tokens.read("device", browser.get_cookie(DEVICE).value, timedelta(days=365))
    return device, accounts


def test_a_device_keeps_its_name_and_the_last_five_who_logged_in_on_it(app, client):
    names = [f"{number}@x.example" for number in range(7)]
    with app.app_context():
        ids = [Account.create(name, PASSWORD).id for name in names]
    app.add_url_rule("/as/<id>", "as", lambda id: str(login_user(Account.get(id))))  # noqa: A006 - an account's
    devices = set()
    for account_id in (*ids, ids[3]):
        client.get(f"/as/{account_id}")
        with app.app_context():
            devices.add(read(client)[0])
    with app.app_context():
        assert read(client)[1] == [ids[3], ids[6], ids[5], ids[4], ids[2]]
    assert len(devices) == 1


def sign(value, purpose="device"):
    return lambda _known: tokens.sign(purpose, value)


FORGED = {
    "cut": lambda known: known[:-3],
    "changed": lambda known: ("A" if known[0] != "A" else "B") + known[1:],
    "unsigned": lambda known: known.partition(".")[0],
    "nothing": lambda _known: "",
    "too long": lambda known: known + "A" * 3000,
    "no text": lambda _known: "\xff\xfe",
    "for another purpose": lambda known: tokens.sign("mail", tokens.read("device", known, timedelta(days=1))),
    **{f"of another form: {value!r}": sign(value) for value in (None, 5, "x", [], {}, [5], [None, "a"], {"0": "a"})},
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_cookie_that_is_not_ours_is_no_known_device_and_no_error(app, laptop, guess, forge):
    guess(5)
    with app.app_context():
        value = forge(laptop.get_cookie(DEVICE).value)
    stranger = app.test_client()
    stranger.set_cookie(DEVICE, value)
    assert guess(1, password=PASSWORD, browser=stranger).status_code == 429


def test_a_cookie_is_good_for_its_own_accounts_alone(app, laptop, guess):
    with app.app_context():
        Account.create(LEIA, PASSWORD)
    guess(5, LEIA)
    assert guess(1, LEIA, PASSWORD, browser=laptop).status_code == 429


@pytest.mark.parametrize(("days", "status"), [(365, 302), (366, 429)])
def test_after_a_year_without_a_login_a_device_is_forgotten(laptop, guess, held_clock, days, status):
    value = laptop.get_cookie(DEVICE).value
    held_clock.forward(days=days)
    guess(5)
    laptop.set_cookie(DEVICE, value)  # as a browser with a clock of its own would
    assert guess(1, password=PASSWORD, browser=laptop).status_code == status


@pytest.mark.parametrize(("fallbacks", "status"), [([SECRET_KEY], 302), ([], 429)])
def test_a_device_stays_known_after_a_change_of_the_key_while_the_old_one_is_a_fallback(
    app, laptop, guess, fallbacks, status
):
    app.config.update(SECRET_KEY="another key, and one that is long enough", SECRET_KEY_FALLBACKS=fallbacks)
    guess(5)
    assert guess(1, password=PASSWORD, browser=laptop).status_code == status


@pytest.mark.settings(STORMPATH_THROTTLE=False)
def test_without_a_limit_no_device_is_marked_and_nobody_refused(client, log_in, guess):
    guess(30)
    log_in(client)
    assert client.get_cookie(DEVICE) is None
    assert client.get("/secret").status_code == 200


# --- The registration page ---


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 3})
def test_who_asks_for_too_many_taken_addresses_is_refused_for_a_while(app, register, held_clock):
    browser = app.test_client()
    for _ in range(3):
        assert "already exists" in register(browser, email=HAN).text
    answer = register(browser)
    page = BeautifulSoup(answer.text, "html.parser")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    assert shown(answer) == "Too many attempts. Try again in 15 minutes."
    assert meanwhile(answer) == [
        "This counts for your whole network: from another one, such as a phone's, you need not wait."
    ]
    assert page.select_one("[name=email]")["value"] == LEIA
    assert PASSWORD not in answer.text
    held_clock.forward(minutes=15)
    assert register(browser).status_code == 302


@pytest.fixture
def taken(app):
    """Let addresses be confirmed, and Chewie have a username."""
    with app.app_context():
        Account.create("chewie@falcon.example", PASSWORD, username="chewie")
        policy = Application.current().default_account_store().account_creation_policy
        policy.verification_email_status = "ENABLED"
        policy.save()


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 3}, STORMPATH_ENABLE_USERNAME=True)
def test_who_asks_for_too_many_taken_usernames_is_refused_where_addresses_are_confirmed_too(app, taken, register):
    browser = app.test_client()
    for email in ("a@x.example", "b@x.example", "chewie@falcon.example"):
        assert "already exists" in register(browser, email=email, username="Chewie").text
    assert register(browser, username="leia").status_code == 429


@pytest.mark.settings(
    STORMPATH_THROTTLE={"network_failures": 3}, STORMPATH_ENABLE_USERNAME=True, STORMPATH_ENABLE_SETTINGS=True
)
def test_who_asks_for_too_many_taken_usernames_on_the_settings_page_is_refused(client, taken, log_in):
    log_in(client)
    names = {"given_name": "Han", "surname": "Solo"}
    for username, status in (("Chewie", 200), ("chewie", 200), ("chewie ", 200), ("captain", 429)):
        data = {"csrf_token": token(client, "/settings"), **names, "username": username}
        assert client.post("/settings/profile", data=data).status_code == status
    assert "captain" not in client.get("/settings").text


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 1})
def test_a_program_is_told_of_a_refused_registration_in_json(client):
    def send(**fields):
        given = {"given_name": "Leia", "surname": "Organa", "email": HAN, "password": PASSWORD, **fields}
        return client.post("/register", data={"csrf_token": token(client, "/register"), **given}, headers=JSON)

    for fields, status, code, word in (
        ({"email": ""}, 400, 400, "email"),
        ({"email": LEIA, "password": "weak"}, 400, 2007, "length"),
        ({"email": "nowhere"}, 400, 2006, "format"),
        ({}, 409, 2001, "already exists"),
        ({"email": LEIA}, 429, 429, "15 minutes"),
    ):
        answer = send(**fields)
        assert (answer.status_code, answer.json["status"], answer.json["code"]) == (status, status, code)
        assert word in answer.json["message"]
    assert answer.headers["Retry-After"] == "900"


# --- A host's own code ---


def test_a_hosts_own_view_gets_the_error_as_any_other_refusal(app, guess):
    @app.get("/terminal")
    def terminal():
        try:
            Application.current().authenticate_account(HAN, PASSWORD)
        except LoginFailed as error:
            return error.message, error.status
        return "in"

    guess(5)
    assert app.test_client().get("/terminal").status_code == 429
