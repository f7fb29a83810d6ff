"""Who is signed in to the console: a login of its own, beside the site's, which it neither touches nor trusts."""

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any

from flask import Response, g, request
from werkzeug.local import LocalProxy

from .. import clock, tokens
from ..authentication import is_secure, know_device
from ..database import database
from ..models import Account, AccountSession, ConsoleSession, console_session, event, session as sessions
from ..models.administration import ROLES
from ..settings import settings
from ..transactions import atomic

#: Sent to the console alone, and gone when the browser closes.
COOKIE = "stormpath_admin"


class SignedIn:
    """Who asks for this page of the console, in its login. Where nobody does it is nobody, and false."""

    def __init__(self, found: ConsoleSession | None) -> None:
        self._found = found

    def __bool__(self) -> bool:
        return self._found is not None

    @property
    def _login(self) -> ConsoleSession:
        if self._found is None:
            raise RuntimeError("Nobody is signed in to the console.")
        return self._found

    @property
    def account(self) -> Account:
        """The administrator's account."""
        return self._login.administrator.account

    @property
    def role(self) -> str:
        """What they may do: "viewer", "support", "manager" or "owner"."""
        return self._login.administrator.role

    @property
    def directory_ids(self) -> frozenset[str] | None:
        """The ids of the directories they are limited to; None: all."""
        return self._login.administrator.directory_ids

    @property
    def session_id(self) -> str:
        """The id of the login."""
        return self._login.id

    @property
    def idle_at(self) -> datetime:
        """When the login ends if nothing more happens."""
        found: datetime = (clock.now() if self.is_seen else self._login.last_seen_at) + settings.ADMIN_IDLE
        return found

    @property
    def is_seen(self) -> bool:
        """Whether this request is written down as activity: once a minute at most."""
        interval = min(timedelta(seconds=sessions.SEEN_EVERY), settings.ADMIN_IDLE / 15)
        return bool(clock.now() - self._login.last_seen_at >= interval)

    @property
    def expires_at(self) -> datetime:
        """When the login ends, whatever happens."""
        return self._login.expires_at

    @property
    def can_stay(self) -> bool:
        """Whether activity makes the login longer."""
        return self.idle_at < self.expires_at

    @property
    def seconds_left(self) -> int:
        """How long the login lasts if nothing more happens."""
        return int((min(self.idle_at, self.expires_at) - clock.now()).total_seconds())

    @property
    def is_fresh(self) -> bool:
        """Whether the password was given in the last STORMPATH_FRESH_FOR."""
        since = self._login.authenticated_at if self._found else None
        return since is not None and clock.now() - since < settings.FRESH_FOR

    def may(self, role: str) -> bool:
        """Tell whether they may do what this role may; a stranger may nothing."""
        if role not in ROLES:
            raise ValueError(f"There is no role {role!r}.")
        return self._found is not None and self._found.administrator.may(role)

    def csrf_token(self) -> str:
        """Return what each form of this login carries: another text in each answer, worth nothing in another login."""
        if "stormpath_admin_csrf" not in g:
            salt = secrets.token_urlsafe(16)
            g.stormpath_admin_csrf = f"{salt}.{_mark(salt, self._login.token, tokens.keys(_FORM)[0])}"
        token: str = g.stormpath_admin_csrf
        return token

    def is_csrf_token(self, text: str | None) -> bool:
        """Tell whether a form carries what this login handed out."""
        if self._found is None or not text or len(text) > 200 or not text.isascii():
            return False
        salt, _dot, mark = text.partition(".")
        marks = (_mark(salt, self._found.token, key) for key in tokens.keys(_FORM))
        return any(hmac.compare_digest(mark, one) for one in marks)


_FORM = "console form"  # what our keys are for


def _mark(salt: str, token: str, key: bytes) -> str:
    return hmac.digest(key, f"{salt} {token}".encode("ascii"), "sha256").hex()


def _find() -> SignedIn:
    found: SignedIn | None = g.get("stormpath_administrator")
    if found is None:
        value = request.cookies.get(_name())
        found = g.stormpath_administrator = SignedIn(console_session.find(value) if value else None)
    return found


#: Who is signed in to the console, for its code and templates.
administrator: Any = LocalProxy(_find)


def known() -> SignedIn | None:
    """Return who this request is known to come from; it does not look for anybody."""
    found: SignedIn | None = g.get("stormpath_administrator")
    return found or None


# --- Signing in and out ---


def log_in(account: Account) -> None:
    """Sign an account in to the console on the browser that is asking, and commit. It gave its password just now.

    :raises NoRole: it is no administrator's.
    :raises LoginOutdated: it was changed or closed since it was read.
    """
    with atomic():
        _end()  # the value this browser had before is worth nothing after
        token = console_session.start(account)
    know_device(account)
    forget()
    g.stormpath_admin_cookie = token
    g.stormpath_administrator = SignedIn(console_session.find(token))


def prove(password: str) -> None:
    """Let the administrator give the password once more, and commit: the login is a new one from now on, and fresh.

    :raises WrongPassword, TooManyAttempts: it is not theirs, or not looked at.
    """
    account = administrator.account
    account.check_password(password)
    log_in(account)


def log_out() -> None:
    """Sign the browser that is asking out, and commit."""
    if administrator:
        with atomic():
            _end()
            account = administrator.account
            event.record("logout", target=account, account_id=account.id, directory_id=account.directory_id)
    forget()
    g.stormpath_administrator = SignedIn(None)
    g.stormpath_admin_cookie = None


def _end() -> None:
    if administrator:
        sessions.end(AccountSession.id == administrator.session_id)


def forget() -> None:
    """Look anew who is signed in, when somebody asks: this request knew it, and may know better now."""
    g.pop("stormpath_administrator", None)
    g.pop("stormpath_admin_csrf", None)


# --- The cookie ---


def finish_response(response: Response) -> Response:
    """Set the cookie that this request changed, and keep an active login alive. After the console's requests alone."""
    signed_in = known()
    if "stormpath_admin_cookie" in g:
        _send(response, g.pop("stormpath_admin_cookie"))
    elif signed_in:
        _keep_alive(response, signed_in)
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.add("Cookie")
    return response


def _send(response: Response, token: str | None) -> None:
    if token is None:
        response.delete_cookie(_name(), **_flags())
    else:
        response.set_cookie(_name(), token, **_flags())


def _name() -> str:
    # "__Host-" would need the path "/": the console's cookie is sent to no page of the site.
    return ("__Secure-" if is_secure() else "") + COOKIE


def _flags() -> dict[str, Any]:
    # Lax: a link to an account, from a mail or a ticket, finds whoever follows it signed in. Nothing is changed by GET,
    # and what is sent by POST needs a token of the login too.
    path = f"{request.root_path.rstrip('/')}{settings.ADMIN_URL.rstrip('/')}" or "/"
    return {"path": path, "secure": is_secure(), "httponly": True, "samesite": "Lax"}


def _keep_alive(response: Response, signed_in: SignedIn) -> None:
    """Move `last_seen_at` on, after the response is out."""
    if signed_in.is_seen:
        engine, session_id, now = database.engine, signed_in.session_id, clock.now()
        response.call_on_close(lambda: sessions.seen(engine, session_id, now, now))
