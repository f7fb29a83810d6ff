"""Who asks? Session cookies to session records and back, over Flask-Login."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Request, Response, current_app, g, request, session as browser_session
from flask_login import current_user, user_logged_in, user_logged_out
from werkzeug.local import LocalProxy

from . import clock
from .database import atomic, database
from .models import (
    ENABLED,
    Account,
    AccountSession,
    ActiveSession,
    Application,
    active_session,
    event,
    session as sessions,
)
from .settings import settings

#: Ends when the browser closes; and the remembered one, which does not.
SESSION_COOKIE, TOKEN_COOKIE = "stormpath_session", "stormpath_token"

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

#: The account that is signed in, for the site's code and templates; anonymous where nobody is.
user: Any = current_user


# --- Cookies to account ---


def load_user(asking: Request) -> Account | None:
    """Return the account behind the request's cookies; None where they stand for none. One statement."""
    g.stormpath_asked = True
    for token in dict.fromkeys(asking.cookies.get(_name(cookie)) for cookie in (SESSION_COOKIE, TOKEN_COOKIE)):
        if token and (found := active_session.find(token)):
            g.stormpath_session = found, token
            return found.account
    return None


def is_secure() -> bool:
    """Tell whether login cookies travel over https alone."""
    if settings.COOKIE_SECURE is not None:
        return bool(settings.COOKIE_SECURE)
    base = urlsplit(settings.BASE_URL or "")
    return not (current_app.debug or (base.scheme == "http" and base.hostname in _LOOPBACK))


def _name(cookie: str) -> str:
    # The prefix makes browsers refuse a cookie that another host of the domain, or plain http, tries to plant.
    return f"__Host-{cookie}" if is_secure() and settings.COOKIE_DOMAIN is None else cookie


# --- Logging in and out ---


def login_user(account: Account, remember: bool = True, *, force: bool = False) -> bool:
    """Log an account in on the browser that is asking, and commit; return whether that was done.

    :param remember: whether the login survives the browser's closing, for STORMPATH_COOKIE_DURATION of inactivity.
    :param force: also log in an account whose status is not ENABLED; no page will know it, though.
    """
    if isinstance(account, LocalProxy):
        account = account._get_current_object()
    if account.status != ENABLED and not force:
        return False
    application = Application.current()
    with atomic():
        _end_current()  # the value this browser had before is worth nothing after
        _started, token = AccountSession.start(account.id, application.id, remembered=remember)
    g.stormpath_cookies = token, remember
    g.pop("stormpath_session", None)
    _forget_form_tokens()
    current_app.login_manager._update_request_context_with_user(account)  # type: ignore[attr-defined]
    user_logged_in.send(current_app._get_current_object(), user=account)  # type: ignore[attr-defined]
    return True


def logout_user() -> bool:
    """Log the browser that is asking out, and commit: its session is gone from the database. Return True."""
    account = current_user._get_current_object()
    with atomic():
        if ended := _end_current():
            event.record("logout", account_id=ended.account.id, directory_id=ended.account.directory_id)
    g.stormpath_cookies = None, False
    _forget_form_tokens()
    current_app.login_manager._update_request_context_with_user()  # type: ignore[attr-defined]
    user_logged_out.send(current_app._get_current_object(), user=account)  # type: ignore[attr-defined]
    return True


def _end_current() -> ActiveSession | None:
    load_user(request)
    if "stormpath_session" not in g:
        return None
    found: ActiveSession = g.pop("stormpath_session")[0]
    sessions.end(AccountSession.id == found.id)
    return found


def _forget_form_tokens() -> None:
    """Void the CSRF tokens of the forms that were handed out before."""
    field = current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token")
    browser_session.pop(field, None)
    g.pop(field, None)


# --- Account to cookies ---


def finish_response(response: Response) -> Response:
    """Set the cookies that this request changed, and keep an active login alive."""
    if "stormpath_cookies" in g:
        _send_cookies(response, *g.pop("stormpath_cookies"))
    elif "stormpath_session" in g:
        _keep_alive(response, *g.stormpath_session)
    if g.pop("stormpath_private", False):
        response.headers.setdefault("Cache-Control", "no-store")
    if g.pop("stormpath_asked", False):
        response.vary.add("Cookie")
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
