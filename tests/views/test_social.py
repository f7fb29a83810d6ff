"""Logging in with other sites: out to a provider, back, and what is asked on the way.

The provider here is of a host's own kind, which tells what a test says and asks nobody. Real ones are in
`tests/stories/test_social.py`, and how they are talked to in `tests/providers`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from bs4 import BeautifulSoup

from stormpath_app import Account, Application
from stormpath_app.errors import ProviderRefused, ProviderUnavailable
from stormpath_app.models import DISABLED
from stormpath_app.providers import KINDS, Identity, Provider

from ..authorization_server import CLIENT_ID, OTHER_CLIENT_ID
from ..conftest import PASSWORD, reads, statements, token
from ..devices import browser as browser_with, cookies, is_in
from ..models.test_event import events
from ..openid_provider import rsa_key
from ..together import together
from .test_redirects import HONOURED, SOME, leaving, origin, raw, wire

PAGE, LINK, OTHER = "/social/pretend", "/login/link", "/social/other"
SOCIAL = {name: {"kind": "pretend", "client_id": "a-site", "client_secret": "hush"} for name in ("PRETEND", "OTHER")}
pytestmark = pytest.mark.settings(STORMPATH_SOCIAL=SOCIAL, STORMPATH_ENABLE_SETTINGS=True)

__all__ = ["wire"]

ANN = Identity("ann", "ann@example.org", True, "Ann", None, "Arbor")
#: Somebody who has an account here, as the provider knows them.
HAN = Identity("han", "han@falcon.example", True, "Han", None, "Solo")
TOO_LATE = "This login was begun in another browser, or too long ago. Try it again."


@dataclass
class Pretended:
    """What the provider was asked, and what it answers: by code, a person or an error."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    codes: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, Identity | Exception] = field(default_factory=lambda: {"ann": ANN, "han": HAN})
    is_down: bool = False


@pytest.fixture(autouse=True)
def pretended(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    """Return the provider that the settings of these tests name."""
    pretended = Pretended()

    class Pretend(Provider):
        kind = "pretend"

        def authorization_url(self, **asked: Any) -> str:
            if pretended.is_down:
                raise self.unavailable("refused the connection")
            pretended.sent.append(asked)
            return f"https://provider.example/authorize?{urlencode({'state': asked['state']})}"

        def from_code(self, code: str, **asked: Any) -> Identity:
            pretended.codes.append({"code": code, **asked})
            answer = pretended.answers[code]
            if isinstance(answer, Exception):
                raise answer
            return answer

    monkeypatch.setitem(KINDS, "pretend", Pretend)
    return pretended


def leave(client, page=PAGE, *, form="/login?next=/", **fields):
    """Send a button's form; return the answer."""
    return client.post(page, data={"csrf_token": token(client, form), **fields})


def state(left):
    """Return the state that a start travels with."""
    return parse_qs(urlsplit(left.location).query)["state"][0]


def come_back(client, left, code="ann", page=PAGE, **how):
    """Open the address that a provider leads back to."""
    return client.get(page, query_string={"code": code, "state": state(left)}, **how)


def enter(client, code="ann", page=PAGE):
    """Log in with the provider."""
    return come_back(client, leave(client, page), code, page.partition("?")[0])


def told(client, answer):
    """Return what the page says that an answer leads to."""
    page = soup(client.get(answer.location) if answer.location else answer)
    return " ".join(part.get_text(" ", strip=True) for part in page.select("[role=alert], [role=status]"))


def soup(answer):
    return BeautifulSoup(answer.text, "html.parser")


def starts(client):
    """Return the cookies of open starts."""
    return {cookie.key: cookie.value for cookie in client._cookies.values() if "stormpath_social_" in cookie.key}


def people(app):
    """Return the addresses of all accounts, with the directory of each."""
    with app.app_context():
        return {(account.email, account.directory.name) for account in Application.current().accounts}


# --- Out ---


def test_a_button_leads_to_the_provider_with_secrets_of_its_own_and_the_registered_address(client, pretended):
    lefts = [leave(client), leave(client)]
    assert {left.status_code for left in lefts} == {303}
    assert all(left.location.startswith("https://provider.example/authorize?") for left in lefts)
    assert [asked["state"] for asked in pretended.sent] == [state(left) for left in lefts]
    for name in ("state", "nonce", "verifier"):
        one, other = (asked[name] for asked in pretended.sent)
        assert one != other
        assert len(one) >= 43  # 256 bits in base 64
    assert {asked["redirect_uri"] for asked in pretended.sent} == {"http://localhost/social/pretend"}


@pytest.mark.settings(STORMPATH_BASE_URL="https://shop.example/a")
def test_the_address_to_come_back_to_is_the_settings_and_not_what_a_request_says(client, pretended):
    for headers in ({"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}):
        answer = client.post(PAGE, data={"csrf_token": token(client)}, headers=headers)
        assert "evil.example" not in (answer.location or "")
    assert {asked["redirect_uri"] for asked in pretended.sent} <= {"https://shop.example/a/social/pretend"}


@pytest.mark.settings(WTF_CSRF_ENABLED=False)
@pytest.mark.parametrize("here", ["http://localhost:5000", "http://127.0.0.1:5000", "http://[::1]:5000"])
def test_on_a_developers_own_machine_it_is_the_name_in_the_address_bar_and_no_other_name(client, pretended, here):
    for host in (here, "http://evil.example", "http://localhost.evil.example"):
        client.post(PAGE, base_url=host)
    assert [asked["redirect_uri"] for asked in pretended.sent] == [
        *(f"{here}{PAGE}", f"http://localhost{PAGE}", f"http://localhost{PAGE}")
    ]


@pytest.mark.settings(STORMPATH_BASE_URL="https://shop.example/club", WTF_CSRF_ENABLED=False)
def test_an_app_below_a_path_is_come_back_to_there(client, pretended):
    client.post(PAGE, base_url="https://shop.example/club")
    assert pretended.sent[-1]["redirect_uri"] == "https://shop.example/club/social/pretend"


@pytest.mark.parametrize("fields", [{}, {"csrf_token": "forged"}, {"do": "link"}])
def test_without_its_forms_token_nobody_is_sent_anywhere(client, pretended, fields):
    answer = client.post(PAGE, data=fields)
    assert (answer.status_code, answer.location) == (400, None)
    assert (pretended.sent, starts(client)) == ([], {})


def test_a_token_of_before_the_login_sends_nobody_after_it(client, account, log_in):
    old = token(client)
    log_in(client)
    answer = client.post(PAGE, data={"csrf_token": old, "do": "link"})
    assert answer.status_code == 400


def test_json_starts_nothing(client, pretended):
    assert client.post(PAGE, json={"csrf_token": token(client)}).status_code == 415
    assert pretended.sent == []


@pytest.mark.parametrize("asked", ["", "?x=1", "?code=&next=/secret"])
def test_who_only_looks_is_led_to_the_login_page(client, asked):
    answer = client.get(f"{PAGE}{asked}")
    assert urlsplit(answer.location).path == "/login"
    assert not starts(client)


def test_the_page_that_was_asked_for_is_kept_on_that_way(client):
    assert client.get(f"{PAGE}?next=/secret").location == "/login?next=/secret"


@together("provider", ["nobody", "google", "facebook", "stormpath", "PRETEND", "a" * 300, "%00", "..%2f"])
@together("method", ["GET", "POST"])
@pytest.mark.sqlite
def test_a_provider_that_the_site_has_not_has_no_page(client, provider, method):
    data = {"csrf_token": token(client)} if method == "POST" else None
    answer = client.open(f"/social/{provider}", method=method, data=data)
    assert answer.status_code == 404
    answer = client.get(f"/social/{provider}?code=a&state={'s' * 43}", headers={"Accept": "application/json"})
    assert answer.status_code == 404


def test_a_browser_keeps_four_open_starts_and_no_more(client):
    lefts = [leave(client) for _ in range(7)]
    assert len(starts(client)) <= 4
    assert come_back(client, lefts[-1]).location == "/"


# --- Back: the login ---


def test_who_comes_for_the_first_time_gets_an_account_and_is_logged_in(app, client, pretended):
    answer = enter(client)
    assert (answer.status_code, answer.location, is_in(client)) == (303, "/", True)
    assert people(app) == {("ann@example.org", "My Application-pretend")}
    [asked], [sent] = pretended.codes, pretended.sent
    assert asked == {"code": "ann", **{name: sent[name] for name in ("redirect_uri", "verifier", "nonce")}}
    assert not starts(client)


def test_who_comes_again_has_the_same_account_whatever_their_name_and_address_are_now(app, client, pretended):
    enter(client)
    with app.app_context():
        [first] = Application.current().accounts
    client.get("/logout")
    pretended.answers["ann"] = replace(ANN, email="ann@elsewhere.example", given_name="Anna")
    enter(client)
    with app.app_context():
        [second] = Application.current().accounts
        assert second.id == first.id
        assert (second.given_name, second.email) == ("Anna", "ann@elsewhere.example")


def test_the_same_person_of_two_providers_is_two(app, client):
    enter(client)
    client.get("/logout")
    enter(client, page=OTHER)
    assert {directory for _email, directory in people(app)} == {"My Application-pretend", "My Application-other"}


@pytest.mark.settings(STORMPATH_REDIRECT_URL="/members", STORMPATH_REGISTRATION_REDIRECT_URL="/welcome")
def test_a_first_login_leads_where_a_registration_does_and_the_second_where_a_login_does(client):
    assert enter(client).location == "/welcome"
    client.get("/logout")
    assert enter(client).location == "/members"


def test_a_login_has_a_new_session_id_and_what_was_known_before_is_worthless(app, client, account, log_in):
    log_in(client)
    before = cookies(client)
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    enter(client)
    after = cookies(client)
    assert is_in(client)
    assert after.agree
    assert before.session != after.session
    assert before.token != after.token
    assert not is_in(browser_with(app, *before))


def test_a_login_is_fresh_where_there_is_no_password_to_ask_for(client):
    enter(client)
    assert "Log In" not in soup(client.get("/settings")).h1.text


def test_a_login_and_who_was_refused_stand_in_the_log(app, client, pretended):
    enter(client)
    with app.app_context():
        [found] = events("login.succeeded")
        assert found.data["provider"] == "pretend"


# --- Back: what is no answer ---


@together(
    "asked",
    [
        {},
        {"state": ""},
        {"state": "x" * 43},
        {"state": "x" * 5000},
        {"state": "é" * 43},
        {"state": "\0" * 43},
        {"state": "../../" * 8},
    ],
)
def test_an_answer_without_the_state_of_a_start_is_none(client, pretended, asked):
    leave(client)
    answer = client.get(PAGE, query_string={"code": "ann", **asked})
    assert (answer.status_code, answer.location) == (303, "/login")
    assert TOO_LATE in told(client, answer)
    assert (pretended.codes, is_in(client)) == ([], False)


def test_a_state_that_comes_twice_in_an_address_is_none(client, pretended):
    left = leave(client)
    answer = client.get(f"{PAGE}?code=ann&state={state(left)}&state={state(left)}")
    assert TOO_LATE in told(client, answer)
    assert pretended.codes == []


@pytest.mark.parametrize(
    "query", ["code=ann&code=han", "code=", "code=ann&error=access_denied", "error=", "error=x&error=y"]
)
def test_no_code_or_two_or_an_error_beside_it_log_nobody_in(client, pretended, query):
    left = leave(client)
    client.get(f"{PAGE}?{query}&state={state(left)}")
    pretended.answers[""] = ProviderRefused("Pretend", "Pretend: no code")
    assert not is_in(client)
    assert not starts(client)


def test_an_answer_to_a_start_of_another_provider_is_none(client, pretended):
    answer = come_back(client, leave(client), page=OTHER)
    assert TOO_LATE in told(client, answer)
    assert pretended.codes == []


def test_an_answer_that_another_browser_began_logs_nobody_in(app, client, pretended):
    theirs = leave(app.test_client())
    answer = come_back(client, theirs)
    assert TOO_LATE in told(client, answer)
    assert (pretended.codes, is_in(client)) == ([], False)


def test_a_start_is_good_for_ten_minutes(app, client, held_clock, pretended):
    early, late = leave(client), leave(client)
    held_clock.forward(minutes=9, seconds=59)
    assert come_back(client, early).location == "/"
    client.get("/logout")
    held_clock.forward(seconds=2)
    assert TOO_LATE in told(client, come_back(client, late))
    assert len(pretended.codes) == 1


def test_an_address_is_used_once_even_with_the_cookies_that_were_there(app, client, pretended):
    left = leave(client)
    kept = starts(client)
    assert come_back(client, left).location == "/"
    client.get("/logout")
    assert TOO_LATE in told(client, come_back(client, left))
    for thief in (client, app.test_client()):
        for name, value in kept.items():
            thief.set_cookie(name, value)
        answer = come_back(thief, left)
        assert "This login was used already. Try it again." in told(thief, answer)
        assert not is_in(thief)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first one first", "last one first"])
def test_two_tabs_come_back_in_either_order(client, order):
    lefts = [leave(client, f"{PAGE}?next=/first"), leave(client, f"{PAGE}?next=/second")]
    found = {number: come_back(client, lefts[number]).location for number in order}
    assert found == {0: "/first", 1: "/second"}


def test_a_cookie_that_was_changed_is_none(client, pretended):
    left = leave(client)
    [(name, value)] = starts(client).items()
    another = f"{value[:-9]}{'A' if value[-9] != 'A' else 'B'}{value[-8:]}"
    for changed in (value[:-1], another, "", "x", f".{value}", value.swapcase()):
        client.set_cookie(name, changed)
        assert TOO_LATE in told(client, come_back(client, left))
    assert pretended.codes == []


def test_who_says_no_is_told_so_and_can_log_in_otherwise(client, account, log_in):
    left = leave(client)
    answer = client.get(f"{PAGE}?error=access_denied&state={state(left)}")
    assert "You were not logged in: you said no at Pretend." in told(client, answer)
    assert not starts(client)
    log_in(client)
    assert is_in(client)


@pytest.mark.parametrize(
    "payload", ["<script>alert(1)</script>", "a\r\nSet-Cookie: x=1", "\x1b[2J", "server_error", "x" * 9999]
)
def test_a_providers_words_are_shown_to_nobody_and_forge_no_line_of_the_log(client, caplog, payload):
    left = leave(client)
    words = {"error": payload, "error_description": payload, "state": state(left)}
    answer = client.get(PAGE, query_string=words)
    page = client.get(answer.location).text
    assert "Pretend refused. Try it again, or log in another way." in page
    assert payload not in page
    assert not [record for record in caplog.records if re.search(r"[\r\n\x1b]", record.getMessage())]


def test_a_code_that_the_provider_refuses_is_told_and_logged_in_one_line(client, pretended, caplog):
    pretended.answers["bad"] = ProviderRefused("Pretend", "Pretend error message: 400 Bad Request (...)")
    answer = enter(client, "bad")
    assert answer.location == "/login"
    assert "Pretend" in told(client, answer)
    assert "400 Bad Request" not in client.get("/login").text
    assert "Pretend error message: 400 Bad Request (...)" in caplog.text
    assert not is_in(client)


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 3})
def test_codes_that_are_refused_count_and_are_not_sent_on_for_ever(client, pretended):
    pretended.answers["bad"] = ProviderRefused("Pretend", "no")
    for _ in range(3):
        enter(client, "bad")
    answer = enter(client, "ann")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert [asked["code"] for asked in pretended.codes] == ["bad"] * 3


@pytest.mark.parametrize("when", ["at the start", "at the end"])
def test_a_provider_that_is_down_gets_a_page_that_says_so_and_all_else_goes_on(
    client, account, log_in, pretended, when
):
    left = None if when == "at the start" else leave(client)
    pretended.is_down = True
    pretended.answers["ann"] = ProviderUnavailable("Pretend", "Pretend: took longer than 5 s")
    answer = leave(client) if left is None else come_back(client, left)
    assert answer.status_code == 503
    page = soup(answer)
    assert page.h1.text == "Pretend does not answer"
    assert page.find("a", string="Back to Log In")["href"].startswith("/login")
    json = {"headers": {"Accept": "application/json"}}
    found = client.post(PAGE, data={"csrf_token": token(client)}, **json)
    assert (found.status_code, found.json["status"]) == (503, 503)
    log_in(client)
    assert is_in(client)


# --- Who is let in ---


def test_who_has_a_disabled_account_is_not_let_in(app, client):
    enter(client)
    client.get("/logout")
    with app.app_context():
        [account] = Application.current().accounts
        account.status = DISABLED
        account.save()
    answer = enter(client)
    assert answer.location == "/login"
    assert told(client, answer)
    assert not is_in(client)


@pytest.mark.settings(STORMPATH_ENABLE_REGISTRATION=False)
def test_a_closed_site_stays_closed_to_who_is_new_and_open_to_who_is_known(app, client):
    answer = enter(client)
    assert told(client, answer)
    assert (is_in(client), people(app)) == (False, set())
    app.config["STORMPATH_ENABLE_REGISTRATION"] = True
    enter(client)
    client.get("/logout")
    app.config["STORMPATH_ENABLE_REGISTRATION"] = False
    enter(client)
    assert is_in(client)


@pytest.mark.settings(
    STORMPATH_ENABLE_REGISTRATION=False, STORMPATH_SOCIAL={"PRETEND": {**SOCIAL["PRETEND"], "register": True}}
)
def test_a_closed_site_may_be_open_by_a_provider(client):
    enter(client)
    assert is_in(client)


@pytest.mark.settings(STORMPATH_SOCIAL={"PRETEND": {**SOCIAL["PRETEND"], "register": False}})
def test_an_open_site_may_be_closed_by_a_provider(app, client):
    enter(client)
    assert (is_in(client), people(app)) == (False, set())


def test_who_tells_no_address_is_told_what_is_missing(app, client, pretended):
    pretended.answers["ann"] = replace(ANN, email=None, is_email_verified=False)
    answer = enter(client)
    assert "email" in told(client, answer).lower()
    assert (is_in(client), people(app)) == (False, set())


@pytest.mark.settings(STORMPATH_ENABLE_LOGIN=False)
def test_a_site_with_a_login_page_of_its_own_is_led_back_to(client, pretended):
    left = client.post(PAGE, data={"csrf_token": token(client, "/register")})
    assert come_back(client, left).location == "/"
    assert is_in(client)
    assert client.get(f"{PAGE}?code=ann&state=none").location == "/"


@pytest.mark.settings(STORMPATH_VERIFY_EMAIL=True)
def test_an_address_that_the_provider_does_not_confirm_lets_nobody_in_where_addresses_are_confirmed(
    app, client, pretended
):
    pretended.answers["ann"] = replace(ANN, is_email_verified=False)
    answer = enter(client)
    assert not is_in(client)
    assert "confirm" in told(client, answer).lower()
    with app.app_context():
        [account] = Application.current().accounts
        assert (account.status, account.email_verification_status) == ("UNVERIFIED", "UNVERIFIED")


def test_an_address_that_the_provider_does_not_confirm_is_never_a_confirmed_one(app, client, pretended):
    enter(client)
    client.get("/logout")
    pretended.answers["ann"] = replace(ANN, email="other@example.org", is_email_verified=False)
    enter(client)
    with app.app_context():
        [account] = Application.current().accounts
        confirmed = {"ann@example.org": "VERIFIED", "other@example.org": "UNVERIFIED"}
        assert account.email_verification_status == confirmed[account.email]


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True)
@pytest.mark.parametrize("password", ["", " ", "None", "null", PASSWORD])
def test_who_came_by_a_provider_has_no_password_to_guess_or_to_reset(app, client, log_in, outbox, password):
    enter(client)
    client.get("/logout")
    log_in(client, "ann@example.org", password)
    assert not is_in(client)
    answer = client.post("/forgot", data={"csrf_token": token(client, "/forgot"), "email": "ann@example.org"})
    unknown = client.post("/forgot", data={"csrf_token": token(client, "/forgot"), "email": "nobody@example.org"})
    assert (answer.status_code, answer.location) == (unknown.status_code, unknown.location)
    assert [link for mail in outbox for link in mail.links] == []


# --- Tokens that are not for this login, of a provider with signatures ---


KEYCLOAK = "/social/keycloak"


@pytest.fixture
def keycloak(app, openid_provider):
    app.config["STORMPATH_SOCIAL"] = {"KEYCLOAK": openid_provider.config()}
    return openid_provider


def arrive(client, keycloak):
    back = keycloak.visit(leave(client, KEYCLOAK).location)
    return client.get(KEYCLOAK, query_string=back)


def test_a_token_for_this_login_lets_in(client, keycloak):
    assert arrive(client, keycloak).location == "/"
    assert is_in(client)


@pytest.mark.parametrize(
    "forged",
    [
        {"aud": OTHER_CLIENT_ID},
        {"aud": [CLIENT_ID, OTHER_CLIENT_ID], "azp": OTHER_CLIENT_ID},
        {"iss": "https://evil.example"},
        {"nonce": "of another login"},
        {"nonce": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_this_login_lets_nobody_in(app, client, keycloak, forged):
    keycloak.forged = forged
    answer = arrive(client, keycloak)
    assert answer.location == "/login"
    assert "Keycloak" in told(client, answer)
    assert (is_in(client), people(app)) == (False, set())


@pytest.mark.parametrize("signs", ["none", "a key of nobody's"])
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(app, client, keycloak, signs):
    keycloak.signs = "none" if signs == "none" else rsa_key("another")
    answer = arrive(client, keycloak)
    assert answer.location == "/login"
    assert (is_in(client), people(app)) == (False, set())


def test_a_code_of_another_login_lets_nobody_in(app, client, keycloak):
    theirs = keycloak.visit(leave(app.test_client(), KEYCLOAK).location)
    own = keycloak.visit(leave(client, KEYCLOAK).location)
    client.get(KEYCLOAK, query_string={**own, "code": theirs["code"]})
    assert not is_in(client)


@pytest.mark.settings(STORMPATH_HTTP_TIMEOUT=timedelta(milliseconds=300))
@pytest.mark.parametrize("how", ["hang", "drip", "fail", "html", "huge"])
@pytest.mark.parametrize("where", ["/.well-known/openid-configuration", "/token", "/jwks", "/userinfo"])
@pytest.mark.sqlite
def test_a_provider_that_fails_anywhere_on_the_way_gets_the_page_that_says_so(app, client, keycloak, where, how):
    keycloak.is_thin = True  # so that its userinfo is asked for
    keycloak.answers[where] = getattr(keycloak, how)
    left = leave(client, KEYCLOAK)
    answer = client.get(KEYCLOAK, query_string=keycloak.visit(left.location)) if left.location else left
    assert answer.status_code == 503
    assert soup(answer).h1.text == "Keycloak does not answer"
    assert (is_in(client), people(app)) == (False, set())


# --- You already have an account ---


def confirm(app, login="han@falcon.example"):
    """Let an account's address be one that its owner confirmed."""
    with app.app_context():
        account = Application.current().find_account(login)
        account.email_verification_status = "VERIFIED"
        account.save()


@pytest.fixture
def known(app, client, account):
    """Return the browser of Han, who has an account with a confirmed address and came from the provider."""
    confirm(app)
    answer = enter(client, "han")
    assert (answer.status_code, answer.location) == (303, LINK)
    return client


def link(client, **fields):
    return client.post(LINK, data={"csrf_token": token(client, LINK), **fields})


def linked(app, login="han@falcon.example"):
    """Return the providers that an account is linked with."""
    with app.app_context():
        account = Application.current().find_account(login)
        return [other.provider_data.provider_id for other in account.linked_accounts]


def test_who_has_an_account_is_asked_for_its_password_and_then_both_ways_lead_in(app, known):
    page = soup(known.get(LINK))
    assert page.h1.text == "You already have an account"
    assert "han@falcon.example" in page.text
    assert not is_in(known)
    assert not page.select("[name=do][value=take-over]")
    answer = link(known, password=PASSWORD)
    assert (answer.status_code, answer.location, is_in(known)) == (303, "/", True)
    assert linked(app) == ["pretend"]
    assert "Han" in known.get("/secret").text
    known.get("/logout")
    assert enter(known, "han").location == "/"
    assert linked(app) == ["pretend"]


def test_a_wrong_password_links_nothing_and_may_be_typed_again(app, known):
    answer = link(known, password="wrong")
    assert answer.status_code == 200
    assert "This is not the password of that account." in answer.text
    assert (linked(app), is_in(known)) == ([], False)
    link(known, password=PASSWORD)
    assert is_in(known)


def test_passwords_are_counted_there_as_at_any_login(held_clock, app, known, log_in):
    for _ in range(5):
        link(known, password="wrong")
    answer = link(known, password=PASSWORD)
    assert answer.status_code == 429
    assert "Retry-After" in answer.headers
    assert (linked(app), is_in(known)) == ([], False)
    assert log_in(app.test_client()).status_code == 429


def test_where_too_many_come_at_once_the_question_comes_again(app, known, overloaded):
    with overloaded():
        answer = link(known, password=PASSWORD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert "Too many people are logging in at this moment." in answer.text
    assert "On another device" not in answer.text
    assert linked(app) == []
    link(known, password=PASSWORD)
    assert is_in(known)


def test_to_take_over_is_no_way_around_a_confirmed_address(app, known):
    link(known, do="take-over")
    assert (linked(app), is_in(known)) == ([], False)


def test_nothing_is_linked_without_the_forms_token(app, known):
    assert known.post(LINK, data={"password": PASSWORD}).status_code == 400
    assert (linked(app), is_in(known)) == ([], False)


def test_a_confirmed_owner_takes_over_an_account_whose_address_nobody_confirmed(app, client, account, log_in):
    thief = app.test_client()
    log_in(thief)
    enter(client, "han")
    assert soup(client.get(LINK)).select("[name=do][value=take-over]")
    answer = link(client, do="take-over")
    assert (answer.location, is_in(client), is_in(thief)) == ("/", True, False)
    assert log_in(thief).status_code == 200
    with app.app_context():
        han = Application.current().find_account("han@falcon.example")
        assert (han.email_verification_status, Application.current().ways_in(han).has_password) == ("VERIFIED", False)


def test_the_page_is_for_ten_minutes_and_for_who_came_from_a_provider(app, known, held_clock):
    assert app.test_client().get(LINK).location == "/login"
    held_clock.forward(minutes=11)
    answer = known.get(LINK)
    assert "That took too long. Log in again." in told(known, answer)


def test_what_was_linked_logs_nobody_in_again_by_the_cookies_of_before(app, known):
    kept = [cookie for cookie in known._cookies.values() if "stormpath" not in cookie.key]
    link(known, password=PASSWORD)
    known.get("/logout")
    for cookie in kept:
        known.set_cookie(cookie.key, cookie.value)
    known.get(LINK)
    assert not is_in(known)


def test_an_address_that_the_provider_does_not_confirm_offers_no_link(app, client, account, pretended):
    confirm(app)
    pretended.answers["han"] = replace(HAN, is_email_verified=False)
    answer = enter(client, "han")
    assert answer.location != LINK
    assert told(client, answer)
    assert client.get(LINK).location == "/login"
    assert (linked(app), is_in(client)) == ([], False)


def test_a_disabled_account_is_neither_linked_nor_taken_over_into(app, client, account):
    with app.app_context():
        han = Application.current().find_account("han@falcon.example")
        han.status = DISABLED
        han.save()
    enter(client, "han")
    for fields in ({"password": PASSWORD}, {"do": "take-over"}):
        client.post(LINK, data={"csrf_token": token(client, "/login?next=/"), **fields})
        assert not is_in(client)


def test_names_of_a_provider_are_shown_as_text(app, client, account, pretended):
    markup = "<img src=x onerror=alert(1)>"
    pretended.answers["ann"] = replace(ANN, given_name=markup, surname=markup)
    enter(client)
    assert "Hello" in client.get("/secret").text
    for page in ("/settings", "/login?next=/x"):
        assert "<img src=x" not in client.get(page).text


# --- The settings page ---


def ways(client):
    """Return the section of the settings page that tells the ways to log in."""
    return soup(client.get("/settings")).select_one("#settings-logins")


def unlink(client, provider="pretend", **more):
    data = {"csrf_token": token(client, "/settings"), "provider": provider, **more}
    return client.post("/settings/logins", data=data)


def test_a_member_links_and_unlinks_a_provider(app, member):
    left = leave(member, form="/settings", do="link")
    answer = come_back(member, left, "han")
    assert answer.location.startswith("/settings")
    assert "Pretend is linked" in told(member, answer)
    assert linked(app) == ["pretend"]
    assert "Unlink" in ways(member).text
    assert "not linked any more" in told(member, unlink(member))
    assert linked(app) == []


def test_a_provider_with_another_address_may_be_linked_by_who_is_logged_in(app, member):
    come_back(member, leave(member, form="/settings", do="link"), "ann")
    assert linked(app) == ["pretend"]
    other = app.test_client()
    enter(other, "ann")
    assert "Han" in other.get("/secret").text


def test_a_stranger_links_nothing(client, pretended):
    assert urlsplit(leave(client, do="link").location).path == "/login"
    assert pretended.sent == []


@pytest.mark.settings(STORMPATH_FRESH_FOR=timedelta(minutes=5))
def test_a_login_that_is_not_fresh_links_and_unlinks_nothing(app, held_clock, member, pretended):
    come_back(member, leave(member, form="/settings", do="link"), "ann")
    held_clock.forward(minutes=6)
    page = token(member, "/settings")
    asked = member.post("/settings/logins", data={"csrf_token": page, "provider": "pretend"})
    assert urlsplit(asked.location).path == "/login"
    asked = member.post(OTHER, data={"csrf_token": page, "do": "link"})
    assert urlsplit(asked.location).path == "/login"
    assert (linked(app), len(pretended.sent)) == (["pretend"], 1)


def test_an_answer_for_a_login_that_ended_meanwhile_links_nothing(app, member, log_in):
    left = leave(member, form="/settings", do="link")
    member.get("/logout")
    come_back(member, left)
    assert linked(app) == []
    log_in(member)
    left = leave(member, form="/settings", do="link")
    member.get("/logout")
    log_in(member)  # the same account, another login
    answer = come_back(member, left)
    assert "You were logged out meanwhile." in told(member, answer)
    assert linked(app) == []


def test_a_link_that_was_asked_for_by_another_browser_is_none(app, member):
    """Somebody sends the answer for their own account there, to get into the other's from then on."""
    attacker = app.test_client()
    enter(attacker, "ann")
    left = leave(attacker)
    come_back(member, left, "ann")
    assert linked(app) == []


def test_what_is_linked_elsewhere_is_told_and_stays(app, client, member):
    enter(app.test_client(), "ann")
    come_back(member, leave(member, form="/settings", do="link"), "ann")
    before = linked(app)
    second = app.test_client()
    with app.app_context():
        Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa")
    second.post("/login", data={"csrf_token": token(second), "login": "leia@alderaan.example", "password": PASSWORD})
    answer = come_back(second, leave(second, form="/settings", do="link"), "ann")
    assert told(second, answer)
    assert linked(app) == before
    assert linked(app, "leia@alderaan.example") == []


def test_the_last_way_in_stays(app, client, account):
    enter(client, "han")
    link(client, do="take-over")
    assert "Your only way in" in ways(client).text
    assert "only way" in unlink(client).text
    assert linked(app) == ["pretend"]
    come_back(client, leave(client, OTHER, form="/settings", do="link"), "ann", OTHER)
    unlink(client)
    assert linked(app) == ["other"]
    assert is_in(client)


def test_what_is_not_linked_cannot_be_unlinked(app, member):
    for provider in ("pretend", "other", "nobody", "", "\0", "x" * 300):
        answer = unlink(member, provider)
        assert answer.status_code < 400, provider
    assert linked(app) == []


# --- Asked again ---


@pytest.fixture
def remembered(app, client, account, held_clock):
    """Return the browser of Han, whose account has no password but the provider, and whose login is not fresh."""
    enter(client, "han")
    link(client, do="take-over")
    held_clock.forward(hours=2)
    assert not may_link(client)
    return client


def may_link(client):
    """Tell whether a login is fresh."""
    return "provider.example" in leave(client, OTHER, form="/settings", do="link").location


def again(client, code="han"):
    return come_back(client, leave(client, f"{PAGE}?again=1&next=/settings", form="/settings"), code)


@pytest.mark.settings(STORMPATH_FRESH_FOR=timedelta(hours=1))
def test_who_has_no_password_is_asked_again_at_the_provider(remembered, pretended):
    page = soup(remembered.get("/login?again=1&next=/settings"))
    assert not page.select("[name=password]")
    assert "again=1" in page.select_one(f"form[action^='{PAGE}']")["action"]
    assert again(remembered).location == "/settings"
    assert pretended.sent[-1]["again"]
    assert may_link(remembered)


@pytest.mark.settings(STORMPATH_FRESH_FOR=timedelta(hours=1), STORMPATH_ENABLE_FORGOT_PASSWORD=True)
def test_who_has_no_password_is_not_asked_for_one_and_comes_back_to_the_settings(remembered):
    sent = {form["action"]: form for form in ways(remembered).select("form")}
    for action, form in sent.items():
        fields = {field["name"]: field["value"] for field in form.select("input[name]")}
        answer = remembered.post(action.partition("#")[0], data=fields)
        assert answer.location == "/login?next=%2Fsettings&again=1"
        assert "Log in again, then send it once more." in told(remembered, answer)
    assert len(sent) == 2  # Link, and Set one by mail


@pytest.mark.settings(STORMPATH_FRESH_FOR=timedelta(hours=1))
@pytest.mark.parametrize(("seconds", "is_fresh"), [(-3600, False), (-90, False), (-30, True), (0, True), (1, True)])
def test_who_only_passed_by_the_provider_is_not_fresh(remembered, pretended, held_clock, seconds, is_fresh):
    moment = held_clock.at + timedelta(seconds=seconds)
    pretended.answers["han"] = replace(HAN, authenticated_at=moment)
    again(remembered)
    assert may_link(remembered) == is_fresh


@pytest.mark.settings(STORMPATH_FRESH_FOR=timedelta(hours=1))
def test_who_is_asked_again_and_comes_back_as_another_stays_who_they_are(remembered):
    answer = again(remembered, "ann")
    assert "That is another account." in told(remembered, answer)
    assert "Han" in remembered.get("/secret").text
    assert not may_link(remembered)


# --- Where it leads ---


without_tokens = pytest.mark.settings(WTF_CSRF_ENABLED=False)


def at(page, payload):
    return f"{page}?next={quote(payload, safe='')}"


@without_tokens
def test_the_whole_dance_leads_to_this_site_whatever_next_says(client):
    answers = {}
    for payload in SOME:
        left = client.post(at(PAGE, payload))
        answers[payload] = come_back(client, left)
        client.get("/logout")
    assert leaving(answers, f"http://localhost{PAGE}") == {}
    assert {answer.status_code for answer in answers.values()} == {303}


@without_tokens
def test_a_refusal_and_a_look_lead_to_this_site_whatever_next_says(client):
    answers = {}
    for payload in SOME:
        left = client.post(at(PAGE, payload))
        answers[f"no {payload}"] = client.get(f"{PAGE}?error=access_denied&state={state(left)}")
        answers[f"look {payload}"] = client.get(at(PAGE, payload))
        answers[f"back {payload}"] = client.get(at(PAGE, payload) + "&code=ann&state=none")
    assert leaving(answers, f"http://localhost{PAGE}") == {}


@without_tokens
@pytest.mark.sqlite
def test_a_link_leads_to_this_site_whatever_next_says(app, client, account):
    confirm(app)
    answers = {}
    for payload in SOME:
        come_back(client, client.post(at(PAGE, payload)), "han")
        answers[payload] = client.post(at(LINK, payload), data={"password": PASSWORD})
        assert is_in(client)
        unlink_all(app)
        client.get("/logout")
    assert leaving(answers, f"http://localhost{LINK}") == {}


def unlink_all(app):
    with app.app_context():
        for link in list(Application.current().find_account("han@falcon.example").account_links):
            link.delete()
        for account in list(Application.current().accounts):
            if not account.directory.is_cloud:
                account.delete()


@pytest.mark.sqlite
def test_the_whole_dance_over_the_wire_leads_to_this_site_whatever_next_says(app, wire):
    port, send = wire
    app.config["WTF_CSRF_ENABLED"] = False
    form, page = b"Content-Type: application/x-www-form-urlencoded", f"http://127.0.0.1:{port}{PAGE}"
    answers = {}
    for payload in SOME:
        left = send(b"POST", PAGE.encode() + b"?next=" + raw(payload), form, b"Content-Length: 0")
        cookie = b"Cookie: " + re.search(r"Set-Cookie: (stormpath_social_[^;]+)", left.raw)[1].encode()
        answers[payload] = send(b"GET", f"{PAGE}?code=ann&state={state(left)}".encode(), cookie)
        answers[f"look {payload}"] = send(b"GET", PAGE.encode() + b"?next=" + raw(payload))
    assert leaving(answers, page) == {}
    assert {answer.status_code for answer in answers.values()} == {302, 303}


#: A relative address is read against the page that it was asked on.
_WHERE = {"settings": "/social/settings", "./settings": "/social/settings", "?tab=2": f"{PAGE}?tab=2"}


@without_tokens
@pytest.mark.parametrize("asked", HONOURED)
@pytest.mark.sqlite
def test_an_ordinary_page_of_this_site_is_honoured_through_the_whole_dance(client, asked):
    left = client.post(at(PAGE, asked))
    assert come_back(client, left).location == _WHERE.get(asked, HONOURED[asked])


@pytest.mark.parametrize("page", ["/login", "/register"])
def test_a_button_keeps_the_page_that_was_asked_for(client, page):
    form = soup(client.get(f"{page}?next=/secret")).select_one(f"form[action^='{PAGE}']")
    assert form["method"] == "post"
    sent = {field["name"]: field["value"] for field in form.select("input[name]")}
    left = client.post(form["action"], data=sent)
    assert come_back(client, left).location == "/secret"


@without_tokens
def test_no_button_or_page_on_the_way_leads_to_another_site(client, pretended):
    pages = {}
    for payload in SOME:
        pages[f"login {payload}"] = client.get(at("/login", payload))
        pretended.is_down = True
        pages[f"down {payload}"] = client.post(at(PAGE, payload))
        pretended.is_down = False
    found = {}
    for name, answer in pages.items():
        tags = soup(answer).select("[href], [action], [formaction], [src]")
        urls = [tag[key] for tag in tags for key in ("href", "action", "formaction", "src") if tag.has_attr(key)]
        urls += [target for url in urls for target in parse_qs(urlsplit(url).query).get("next", ())]
        found |= {url: name for url in urls if origin(url, "http://localhost/login") != ("http", "localhost", 80)}
    assert found == {}


def test_no_request_of_a_strangers_is_an_error_of_ours(client, account):
    odd = ["", "x", "\0", "é", "a" * 9000, "[]", "{}", "null", "%", "\r\n", "' OR 1=1 --"]
    for page in (PAGE, LINK, "/social/", "/social", "/settings/logins"):
        for value in odd:
            for query in ({"code": value, "state": value}, {"error": value, "state": value}, {"next": value}):
                assert client.get(page, query_string=query).status_code < 500
            data = {"csrf_token": token(client), "do": value, "provider": value, "password": value}
            assert client.post(page, data=data).status_code < 500


# --- What travels ---


def test_the_cookie_of_a_start_is_for_this_site_alone_and_for_ten_minutes(client):
    [line] = [line for line in leave(client).headers.getlist("Set-Cookie") if "stormpath_social_" in line]
    name, flags = line.split("=")[0], {flag.lower() for flag in line.split("; ")[1:]}
    assert name.startswith("__Host-")
    assert {"secure", "httponly", "samesite=lax", "path=/", "max-age=600"} <= flags
    assert not [flag for flag in flags if flag.startswith("domain")]


@pytest.fixture
def pages(app, client, account, pretended) -> dict[str, Any]:
    """Return one answer of each kind."""
    confirm(app)
    found = {"login": client.get("/login"), "register": client.get("/register"), "left": leave(client)}
    found["no state"] = client.get(f"{PAGE}?code=ann")
    found["known"] = enter(client, "han")
    found["link"] = client.get(LINK)
    found["wrong"] = link(client, password="wrong")
    found["linked"] = link(client, password=PASSWORD)
    found["settings"] = client.get("/settings")
    client.get("/logout")
    pretended.is_down = True
    found["down"] = leave(client)
    found["forged"] = client.post(PAGE)
    assert [answer.status_code for answer in found.values()] == [200, 200, 303, 303, 303, 200, 200, 303, 200, 503, 400]
    return found


def test_every_answer_is_kept_by_no_cache_shown_in_no_frame_and_has_nothing_inline(pages):
    for name, answer in pages.items():
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy.items() >= {"default-src": "'self'", "object-src": "'none'", "base-uri": "'none'"}.items(), name
        assert policy["frame-ancestors"] == "'none'"
        assert answer.headers["Cache-Control"] == "no-store", name
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.vary.find("Cookie") >= 0
        page = soup(answer)
        assert not page.select("script, style, [style], iframe, object, embed, base, meta[http-equiv]"), name


def test_no_page_has_the_code_the_state_or_the_secret(pages, pretended):
    secrets = [asked[name] for asked in pretended.sent for name in ("state", "nonce", "verifier")]
    for name, answer in pages.items():
        shown = answer.text if name != "left" else ""
        assert not [secret for secret in (*secrets, "hush") if secret in shown], name


# --- Clients that read JSON ---


JSON = {"Accept": "application/json"}


def test_a_client_that_reads_json_is_told_in_json_what_is_wrong(client, pretended, app):
    found = client.get(f"{PAGE}?code=ann&state=none", headers=JSON)
    assert (found.status_code, found.json["message"]) == (400, TOO_LATE)
    found = client.post(PAGE, headers=JSON)
    assert found.status_code == 400
    pretended.answers["bad"] = ProviderRefused("Pretend", "Pretend error message: 400 Bad Request")
    found = come_back(client, leave(client), "bad", headers=JSON)
    assert (found.status_code, found.json["code"]) == (400, 7200)
    assert "Bad Request" not in found.text
    app.config["STORMPATH_ENABLE_REGISTRATION"] = False
    found = come_back(client, leave(client), headers=JSON)
    assert found.status_code == 403


# --- What it costs ---


def counted(app: Any, do: Callable[[], Any]) -> int:
    with statements(app) as seen:
        do()
    return len([statement for statement in seen if not statement.startswith(("BEGIN", "PRAGMA", "SAVEPOINT"))])


def test_a_page_with_buttons_and_a_start_ask_the_database_once_at_most_each(app, client):
    enter(client)
    client.get("/logout")
    csrf_token = token(client)
    assert counted(app, lambda: client.get("/login")) <= 2
    assert counted(app, lambda: client.post(PAGE, data={"csrf_token": csrf_token})) <= 2


def test_an_answer_that_is_none_costs_no_more_than_a_start(app, client):
    enter(client)
    client.get("/logout")
    assert counted(app, lambda: client.get(f"{PAGE}?code=x&state={'x' * 43}")) <= 2


def test_who_comes_again_is_logged_in_by_thirteen_statements_or_one_less(app, client):
    enter(client)
    client.get("/logout")
    left = leave(client)
    # The application, where it is not kept; the ways in, again where the provider is asked, and its refused codes; the
    # state is used. The person, a link, the policy, the line in the log, whether there is a password. At last the
    # login: may it be, what of the account's others is over, and the new one.
    assert counted(app, lambda: come_back(client, left)) == 12 + reads(app)
