"""People at the console, and what there is to be seen."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from stormpath_app.admin.session import finish_response, log_in
from stormpath_app.models import Account, Application, Directory
from stormpath_app.models.administrator import Administrator

from ..conftest import PASSWORD, HeldClock


@pytest.fixture
def admin_url() -> str:
    """Return where the console is."""
    return "/admin"


class Console:
    """A browser that somebody is signed in to the console on."""

    def __init__(self, browser: FlaskClient) -> None:
        self.browser = browser
        self._token: str | None = None

    def get(self, path: str, **how: Any) -> TestResponse:
        """Open a page; `path` is below the console's address."""
        return self.browser.get(f"/admin{path}", **how)

    def post(self, path: str, /, *, follow: bool = False, **fields: Any) -> TestResponse:
        """Send a form, with the token of this login."""
        fields = {"csrf_token": self.token, **fields}
        return self.browser.post(f"/admin{path}", data=fields, follow_redirects=follow)

    @property
    def token(self) -> str:
        """What a form of this login has."""
        if self._token is None:
            self._token = token_of(self.get("/search/"))
        return self._token


def token_of(page: TestResponse) -> str:
    """Return the token that the forms of a page have."""
    found = re.search('name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


SignIn = Callable[..., Console]


@pytest.fixture
def sign_in(app: Flask) -> SignIn:
    """Return a function that signs an administrator of a role in, just now, on a browser of their own."""

    def sign_in(role: str = "owner", *, directories: list[str] | None = None, email: str | None = None) -> Console:
        """`directories`: the names of those that they are limited to."""
        address = email or f"{role}@console.example"
        browser = app.test_client()
        with app.test_request_context("/admin/"):
            limits = (
                None if directories is None else [found for name in directories if (found := Directory.named(name))]
            )
            known = Administrator.create(address, PASSWORD, role, directories=limits)
            log_in(known.account)
            answer = finish_response(Response())
        for cookie in answer.headers.getlist("Set-Cookie"):
            name, _equals, rest = cookie.partition("=")
            browser.set_cookie(name, rest.partition(";")[0], path="/admin", secure=True)
        return Console(browser)

    return sign_in


@pytest.fixture
def owner(sign_in: SignIn) -> Console:
    """Return the browser of an owner."""
    return sign_in("owner")


@pytest.fixture
def ada(app: Flask) -> str:
    """Return the id of an account of the site."""
    with app.app_context():
        return Account.create("ada@example.com", PASSWORD, "Ada", "Lovelace").id


@pytest.fixture
def home_directory(app: Flask) -> str:
    """Return the id of the directory of the site's accounts."""
    with app.app_context():
        return Application.current().default_account_store().home.id


@pytest.fixture
def stale(held_clock: HeldClock, owner: Console) -> Console:
    """Return the browser of an owner who gave the password too long ago for what is dangerous."""
    assert owner.token
    for _pause in range(2):
        held_clock.forward(minutes=9)
        assert owner.get("/search/", buffered=True).status_code == 200
    return owner
