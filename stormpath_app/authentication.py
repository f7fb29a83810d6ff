"""Who asks? Session cookies to session records and back, over Flask-Login."""

import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app, g, request, session as browser_session
from flask_login import AnonymousUserMixin, LoginManager, current_user, user_logged_in, user_logged_out
from werkzeug.local import LocalProxy

from . import clock, tokens
from .database import atomic, database
from .models import (
    ENABLED,
    Account,
    AccountSession,
    ActiveSession,
    Application,
    Claim,
    active_session,
    event,
    session as sessions,
)
from .origin import Device
from .settings import settings

#: Ends when the browser closes; and the remembered one, which does not.
SESSION_COOKIE, TOKEN_COOKIE = "stormpath_session", "stormpath_token"
#: Tells that a browser is one that somebody logged in on before. It opens nothing, and stays when they log out.
DEVICE_COOKIE = "stormpath_device"

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

#: The account that is signed in, for the site's code and templates; anonymous where nobody is.
user: Any = current_user


# --- Cookies to account ---


def load_user(asking: Request) -> Account | None:
    """Return the account behind the request's cookies; None where they stand for none. One statement."""
    g.stormpath_asked = True
    for found, token in _logins(asking):
        g.stormpath_session = found, token
        return found.account
    return None


def _logins(asking: Request) -> Iterator[tuple[ActiveSession, str]]:
    """Yield the logins that the request's cookies stand for, with their tokens: one, unless somebody mixed them."""
    prefix = _prefix()
    for token in dict.fromkeys(asking.cookies.get(prefix + cookie) for cookie in (SESSION_COOKIE, TOKEN_COOKIE)):
        if token and (found := active_session.find(token)):
            yield found, token


def signed_in_id() -> str | None:
    """Return the id of the account that this request is known to come from; it does not look for one."""
    found: ActiveSession | None = g.get("stormpath_session", (None, None))[0]
    return found.account.id if found else None


def is_secure() -> bool:
    """Tell whether login cookies travel over https alone."""
    if (wanted := settings.COOKIE_SECURE) is not None:
        return bool(wanted)
    base = urlsplit(settings.BASE_URL or "")
    return not (current_app.debug or (base.scheme == "http" and base.hostname in _LOOPBACK))


def _name(cookie: str) -> str:
    return _prefix() + cookie


def _prefix() -> str:
    # It makes browsers refuse a cookie that another host of the domain, or plain http, tries to plant.
    return "__Host-" if settings.COOKIE_DOMAIN is None and is_secure() else ""


# --- Logging in and out ---


def login_user(account: Account, remember: bool = True) -> bool:
    """Log an account in on the browser that is asking, and commit. Return True; False for one that is not ENABLED.

    :param remember: whether the login survives the browser's closing, for STORMPATH_COOKIE_DURATION of inactivity.
    :raises LoginOutdated: the account is not one of this application's, or its password was changed since it was read.
    """
    if isinstance(account, LocalProxy):
        account = account._get_current_object()
    if account.status != ENABLED:
        return False
    application = Application.current()
    with atomic():
        _end_logins()  # the value this browser had before is worth nothing after
        token = active_session.start(account, application, remembered=remember)
    g.stormpath_cookies = token, remember
    _know_device(account)
    _forget_form_tokens()
    current_app.login_manager._update_request_context_with_user(account)  # type: ignore[attr-defined]
    user_logged_in.send(current_app._get_current_object(), user=account)  # type: ignore[attr-defined]
    return True


def logout_user() -> bool:
    """Log the browser that is asking out, and commit: its session is gone from the database. Return True."""
    account = current_user._get_current_object()
    if account.is_authenticated:
        with atomic():
            _end_logins()
            event.record("logout", account_id=account.id, directory_id=account.directory_id)
    g.stormpath_cookies = None, False
    _forget_form_tokens()
    current_app.login_manager._update_request_context_with_user()  # type: ignore[attr-defined]
    user_logged_out.send(current_app._get_current_object(), user=account)  # type: ignore[attr-defined]
    return True


def _end_logins() -> None:
    """End every login that the cookies of this browser stand for."""
    for found, _token in _logins(request):
        sessions.end(AccountSession.id == found.id)
    g.pop("stormpath_session", None)


def _forget_form_tokens() -> None:
    """Void the CSRF tokens of the forms that were handed out before."""
    field = current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token")
    browser_session.pop(field, None)
    g.pop(field, None)


# --- Devices ---

_KNOWN_FOR, _ACCOUNTS = timedelta(days=365), 5


def device() -> Device | None:
    """Return what the request's device cookie tells; None where there is none of ours."""
    if "stormpath_device" not in g:
        g.stormpath_device = _read_device(request.cookies.get(_name(DEVICE_COOKIE), ""))
    found: Device | None = g.stormpath_device
    return found


def _read_device(cookie: str) -> Device | None:
    if 0 < len(cookie) < 1000:  # ours never are longer
        match tokens.read("device", cookie, _KNOWN_FOR):
            case [str(device_id), *accounts]:
                return Device(device_id, tuple(accounts))
    return None


def _know_device(account: Account) -> None:
    """Let the browser that is asking be known as one of this account's from now on, and of the last few others'."""
    if settings.THROTTLE is False:
        return
    known = device() or Device(secrets.token_urlsafe(16), ())
    others = [other for other in known.accounts if other != account.id]
    g.stormpath_device = Device(known.id, (account.id, *others)[:_ACCOUNTS])
    g.stormpath_device_cookie = tokens.sign("device", [g.stormpath_device.id, *g.stormpath_device.accounts])


# --- Flask-Login's own verbs do what ours do ---


@user_logged_in.connect  # type: ignore[untyped-decorator]
def _notice_login(app: Flask, user: Any, **_more: Any) -> None:
    """Give a login that was made with Flask-Login's own `login_user` a session of ours."""
    if "stormpath" in app.extensions and isinstance(user, Account) and "stormpath_cookies" not in g:
        remember = browser_session.pop("_remember", None) == "set"
        _forget_flask_login()
        login_user(user, remember=remember)


@user_logged_out.connect  # type: ignore[untyped-decorator]
def _notice_logout(app: Flask, **_more: Any) -> None:
    if "stormpath" in app.extensions and "stormpath_cookies" not in g:
        _forget_flask_login()
        logout_user()


def _forget_flask_login() -> None:
    for name in ("_user_id", "_fresh", "_id", "_remember", "_remember_seconds"):
        browser_session.pop(name, None)


class Stranger(AnonymousUserMixin):  # type: ignore[misc]
    """Nobody: who `user` is where nobody is logged in. Its claims may be called, as an account's may."""

    is_authenticated = is_active = Claim(False)
    is_anonymous = Claim(True)


class SessionManager(LoginManager):  # type: ignore[misc] # Flask-Login has no types
    """Flask-Login's manager, which finds people by our sessions alone.

    Its own would look at its remember cookie first; one that another app of the same host left would lock people out.
    """

    def _load_user(self) -> None:
        current_app.extensions["stormpath"].require_ready()
        self._update_request_context_with_user(load_user(request))

    def _update_remember_cookie(self, response: Response) -> Response:
        """Leave the browser's session alone: looking at it would make every answer vary by cookie."""
        return response


# --- Account to cookies ---


def finish_response(response: Response) -> Response:
    """Set the cookies that this request changed, and keep an active login alive."""
    if "stormpath_cookies" in g:
        _send_cookies(response, *g.pop("stormpath_cookies"))
    elif "stormpath_session" in g:
        _keep_alive(response, *g.stormpath_session)
    if value := g.pop("stormpath_device_cookie", None):
        response.set_cookie(_name(DEVICE_COOKIE), value, max_age=_KNOWN_FOR, **_flags())
    g.pop("stormpath_device", None)
    if g.pop("stormpath_private", False):
        response.headers.setdefault("Cache-Control", "no-store")
    if g.pop("stormpath_asked", False):
        if "Vary" in response.headers:
            response.vary.add("Cookie")
        else:
            response.headers["Vary"] = "Cookie"
    return response


def _send_cookies(response: Response, token: str | None, remember: bool) -> None:
    for cookie, value in ((SESSION_COOKIE, token), (TOKEN_COOKIE, token if remember else None)):
        if value is None:
            response.delete_cookie(_name(cookie), **_flags())
        else:
            age = settings.COOKIE_DURATION if cookie == TOKEN_COOKIE else None
            response.set_cookie(_name(cookie), value, max_age=age, **_flags())


def _flags() -> dict[str, Any]:
    return {
        "domain": settings.COOKIE_DOMAIN,
        "path": "/",
        "secure": is_secure(),
        "httponly": True,
        "samesite": "Lax",
    }


def _keep_alive(response: Response, found: ActiveSession, token: str) -> None:
    """Move `last_seen_at` and the remembered cookie on, once a minute at most and after the response is out."""
    now = clock.now()
    interval = min(timedelta(seconds=sessions.SEEN_EVERY), settings.COOKIE_DURATION / 15)
    if now - found.last_seen_at < interval:
        return
    if found.remembered:
        response.set_cookie(_name(TOKEN_COOKIE), token, max_age=settings.COOKIE_DURATION, **_flags())
    engine = database.engine
    response.call_on_close(lambda: sessions.seen(engine, found.id, now, now - interval))
