"""Fixtures for the tests of a host app, which pytest finds by itself (`docs/testing.md`).

pytest loads this in every project beside which we are installed: it imports nothing of ours, or Flask's, before a test
asks for a fixture.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any, overload
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

    from .mail.transport import OutgoingMail
    from .models import Account, Group

#: What `make_account` gives those who need no password of their own.
PASSWORD = "Kessel12.Parsecs"  # noqa: S105 - of tests alone


@pytest.fixture
def make_account(_stormpath_app: "Flask") -> "Callable[..., Account]":
    """Return a function that creates an account: `make_account(groups=["admins"], given_name="Han")`.

    It takes the attributes of `application.accounts.create`. Without `email` the address is one of its own; without
    `password` it is `stormpath_app.testing.PASSWORD`. Groups that are not there are made.

    `provider="google"`: one that came by this provider, with an address that it verified, and has no password. Nobody
    is asked.

    The account belongs to no database session: within `app.app_context()` it can be changed and saved; whoever
    looks what became of it takes it anew, `Account.get(account.href)`.
    """

    def make_account(
        email: str | None = None,
        password: str | None = None,
        groups: "Iterable[str | Group]" = (),
        *,
        provider: str | None = None,
        **attributes: Any,
    ) -> "Account":
        known = {**attributes, "email": email or f"person-{uuid4().hex[:12]}@example.com"}
        if password is not None or provider is None:
            known["password"] = PASSWORD if password is None else password
        return Context().run(_create, _stormpath_app, known, groups, provider)

    return make_account


@pytest.fixture
def login_as(_stormpath_app: "Flask", monkeypatch: pytest.MonkeyPatch) -> "Callable[..., FlaskClient]":
    """Return a function that returns a browser: `login_as(account)`, by itself, its e-mail address or username.

    The login is a session record, as after giving the password on the login page; with `fresh=False`, as one that came
    back. The requests of such a browser, and of each that `app.test_client()` makes in this test, share nothing, even
    where the test holds an app context open.
    """
    browser = _browser_class(_stormpath_app)
    monkeypatch.setattr(_stormpath_app, "test_client_class", browser)

    def login_as(account: "Account | str", *, fresh: bool = True) -> "FlaskClient":
        from sqlalchemy import inspect

        if isinstance(account, str):
            login = {"login": account}
        else:  # the id, which it can tell even where a host's session ended and took all attributes along
            login = {"account_id": (inspect(account).identity or (account.id,))[0]}
        client: FlaskClient = _stormpath_app.test_client()
        for cookie in Context().run(_log_in, _stormpath_app, fresh, **login):
            client.set_cookie(**cookie)
        return client

    return login_as


@pytest.fixture
def outbox(_stormpath_app: "Flask") -> "Iterator[Outbox]":
    """Return the mails that left in this test, the first one first: whoever looks has them sent, with no server asked.

    Each is a `flask_mail.Message`; what a test wants of it: `to`, `subject`, `text`, `html`, and the `links` in it. A
    mail that cannot be rendered fails the test that looks.
    """
    from flask_mail import email_dispatched

    outbox = Outbox(_stormpath_app)
    with email_dispatched.connected_to(outbox._note, _stormpath_app):
        yield outbox


class Outbox(Sequence["OutgoingMail"]):
    """The mails that left; those that wait leave when it is looked at."""

    def __init__(self, app: "Flask") -> None:
        self._app = app
        self._mails: list[OutgoingMail] = []

    def __len__(self) -> int:
        return len(self._sent())

    @overload
    def __getitem__(self, which: int) -> "OutgoingMail": ...
    @overload
    def __getitem__(self, which: slice) -> "list[OutgoingMail]": ...
    def __getitem__(self, which: int | slice) -> "OutgoingMail | list[OutgoingMail]":
        return self._sent()[which]

    def __repr__(self) -> str:
        return f"<Outbox {[(mail.to, mail.subject) for mail in self._mails]}>"

    def _note(self, _app: "Flask", message: Any) -> None:
        if hasattr(message, "links"):  # not a mail that the host sends by itself
            self._mails.append(message)

    def _sent(self) -> "list[OutgoingMail]":
        for outcome in Context().run(_deliver, self._app):
            if outcome.status == "QUEUED":
                pytest.fail(f"The {outcome.kind} mail to {outcome.address} did not leave: {outcome.error}")
        return self._mails


def _deliver(app: "Flask") -> list[Any]:
    from .mail import deliver_due

    with app.app_context():
        return list(deliver_due())


@pytest.fixture
def _stormpath_app(app: "Flask", monkeypatch: pytest.MonkeyPatch) -> "Flask":
    """Return the host's app, set up, with quick hashes."""
    if "stormpath" not in app.extensions:
        pytest.fail("The app of the `app` fixture has no StormpathManager.", pytrace=False)
    if not app.testing:
        pytest.fail(
            "app.config['TESTING'] is not on: these fixtures are for apps under test. Set it in the `app` fixture, with"
            " LOGIN_DISABLED=False, as TESTING alone lets everybody into the views of login_required.",
            pytrace=False,
        )
    from . import database, installation

    if app.config["STORMPATH_BCRYPT_COST"] > 9:  # not one that is for tests already
        monkeypatch.setitem(app.config, "STORMPATH_BCRYPT_COST", 4)
    if database.sqlite_file(app) and not installation.is_set_up(app):
        installation.set_up(app)
    app.extensions["stormpath"].prepare()
    with app.app_context():
        app.extensions["stormpath"].require_ready()
    return app


def _create(app: "Flask", known: dict[str, Any], groups: "Iterable[str | Group]", provider: str | None) -> "Account":
    from .models import Application

    with app.app_context():
        account = Application.current().accounts.create(known) if provider is None else _come_by(provider, known)
        for group in groups:
            found = account.directory.find_group(group) if isinstance(group, str) else group
            account.add_group(found or account.directory.create_group(name=group))
        account.refresh()  # a host's session forgets with a commit what it knew, and it ends here
        account.directory.refresh()
        return account


def _come_by(provider: str, known: dict[str, Any]) -> "Account":
    from .models import Application
    from .providers import Identity

    told = {name: known.pop(name, None) for name in ("email", "given_name", "middle_name", "surname")}
    account = Application.current().provider_account(provider, Identity(uuid4().hex, is_email_verified=True, **told))
    for name, value in known.items():
        account[name] = value
    account.save()
    return account


def _log_in(app: "Flask", fresh: bool, *, account_id: str = "", login: str = "") -> list[dict[str, Any]]:
    """Log an account in, in a request of its own; return the cookies that its browser is to keep."""
    from .authentication import finish_response, login_user
    from .errors import LoginFailed
    from .models import Account, Application

    with app.test_request_context() as asking:
        account = Application.current().find_account(login) if login else Account.find(account_id)
        if account is None:
            raise LookupError(f"login_as: there is no account {login or account_id!r}; make_account makes one.")
        try:
            if not login_user(account, fresh=fresh):
                raise ValueError(f"login_as: {account.email} is {account.status}: nobody can be logged in as it.")
        except LoginFailed as error:
            raise ValueError(f"login_as: {account.email}: {error.developer_message}") from error
        sent = finish_response(app.response_class()).headers.getlist("Set-Cookie")
        return list(_cookies(sent, asking.request.host.partition(":")[0]))


def _cookies(sent: list[str], host: str) -> Iterator[dict[str, Any]]:
    from http.cookies import SimpleCookie

    for header in sent:
        for name, cookie in SimpleCookie(header).items():
            domain = cookie["domain"]
            yield {"key": name, "value": cookie.value, "domain": domain or host, "origin_only": not domain}


def _browser_class(app: "Flask") -> type[Any]:
    """Return the app's test client, with a context for each request as on a server.

    Flask lets a request use an app context that is open, such as pytest-flask's or that of an `app` fixture, and with
    it the user, and the database session, of the request before.
    """
    from flask.testing import FlaskClient

    usual: Any = app.test_client_class or FlaskClient

    class Browser(usual):  # type: ignore[misc] # the host's own
        def run_wsgi_app(self, environ: Any, buffered: bool = False) -> Any:
            context = Context()
            whole = buffered or self.preserve_context  # in `with client:` its context goes on in the test's own
            body, status, headers = context.run(super().run_wsgi_app, environ, whole)
            return body if isinstance(body, list) else _Body(context, body), status, headers

    return Browser


class _Body:
    """What a response sends: made, and ended, in the context that its request was answered in."""

    def __init__(self, context: Context, parts: Iterable[bytes]) -> None:
        self._context, self._parts, self._rest = context, parts, iter(parts)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._context.run(next, self._rest)

    def close(self) -> None:
        if hasattr(self._parts, "close"):
            self._context.run(self._parts.close)
