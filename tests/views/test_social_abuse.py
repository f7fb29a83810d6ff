"""Logging in with another site, by who means no good: copies, floods, and what is locked or odd on the way."""

import logging
import random
from typing import Any
from urllib.parse import quote

import pytest

from stormpath_app import Application, Directory

from ..authorization_server import CLIENT_ID, CLIENT_SECRET
from ..conftest import PASSWORD, token
from ..devices import is_in

pytestmark = pytest.mark.settings(
    STORMPATH_ENABLE_GOOGLE=True, STORMPATH_SOCIAL={"GOOGLE": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}}
)


def leave(client: Any, page: str) -> Any:
    """Send the form of a provider's button; return the answer."""
    return client.post(page, data={"csrf_token": token(client, "/login?next=/")})


def come(client: Any, google: Any, page: str = "/google") -> Any:
    """Go to Google and come back; return the answer."""
    left = leave(client, page)
    return client.get("/google", query_string=google.visit(left.location))


def session(client: Any) -> str:
    """Return what the browser's session holds."""
    cookie = client.get_cookie("session")
    assert cookie
    return str(cookie.value)


@pytest.mark.parametrize("is_confirmed", [True, False])
def test_whom_the_page_that_links_let_in_is_let_in_once(app, client, google, account, is_confirmed):
    if is_confirmed:
        with app.app_context():
            Application.current().find_account(account["email"]).verify()
    assert come(client, google).location == "/login/link"
    copy = session(client)
    form = {"password": PASSWORD} if is_confirmed else {"do": "take-over"}
    client.post("/login/link", data={"csrf_token": token(client, "/login/link"), **form})
    assert is_in(client)
    client.get("/logout")
    thief = app.test_client()
    thief.set_cookie("session", copy)
    for method in ("HEAD", "GET", "POST"):
        assert thief.open("/login/link", method=method).location in {"/login", None}
        assert not is_in(thief)


@pytest.mark.parametrize(("first", "last"), ["az", "àž", "一龥", "🌀🗿"])
@pytest.mark.parametrize("length", [80, 300, 999])
def test_the_cookies_of_open_starts_stay_below_what_servers_take(client, google, first, last, length):
    letters = [chr(number) for number in range(ord(first), ord(last) + 1)]
    for _start in range(6):
        target = "/" + "".join(random.choices(letters, k=length))
        leave(client, f"/google?next={quote(target)}")
    found = [len(f"{cookie.key}={cookie.value}; ") for cookie in client._cookies.values()]
    assert max(found) < 4096
    assert sum(found) < 6500


@pytest.mark.settings(STORMPATH_ENABLE_GOOGLE=False, STORMPATH_SOCIAL={})
def test_a_secret_that_no_key_opens_is_told_in_the_log_and_to_people_that_it_does_not_work(
    app, client, openid_provider, caplog
):
    with app.app_context():
        provider = {"provider_id": "keycloak", "provider_type": "oidc", **openid_provider.config()}
        Application.current().add_account_store(Directory.create(name="Keycloak", provider=provider))
    assert leave(client, "/social/keycloak").status_code == 303
    app.config["SECRET_KEY"] = "another one than it was written with, and as long as it must be"
    later = app.test_client()
    for ask in (lambda: leave(later, "/social/keycloak"), lambda: later.get("/social/keycloak?code=a&state=b")):
        answer = ask()
        assert (answer.status_code, answer.location) == (303, "/login")
        assert "This is not possible at the moment." in later.get("/login").text
    assert [record.levelno for record in caplog.records if "opens the secret" in record.message] == [logging.ERROR] * 2
