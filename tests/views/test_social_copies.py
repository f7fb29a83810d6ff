"""What a browser kept on its way through a login by another site is worth nothing to who has a copy."""

from typing import Any

import pytest

from stormpath_app import Application

from ..authorization_server import CLIENT_ID, CLIENT_SECRET
from ..conftest import PASSWORD, token
from ..devices import is_in

pytestmark = pytest.mark.settings(
    STORMPATH_ENABLE_GOOGLE=True, STORMPATH_SOCIAL={"GOOGLE": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}}
)


def come(client: Any, google: Any, page: str = "/google") -> Any:
    """Go to Google and come back; return the answer."""
    left = client.post(page, data={"csrf_token": token(client, "/login?next=/")})
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
