"""Who asks? Session cookies to session records and back, over Flask-Login."""

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from blinker import Signal
from flask import Flask, Request, Response, current_app, g, request, session as browser_session
from flask_login import current_user, user_logged_in, user_logged_out
from werkzeug.local import LocalProxy

from . import cache, clock, current, tokens
from .database import database
from .models import (
    ENABLED,
    Account,
    AccountSession,
    ActiveSession,
    Application,
    Replay,
    active_session,
    event,
    session as sessions,
)
from .origin import Device
from .settings import settings
from .transactions import atomic

#: Ends when the browser closes; and the remembered one, which does not.
SESSION_COOKIE, TOKEN_COOKIE = "stormpath_session", "stormpath_token"
#: Tells that a browser is one that somebody logged in on before. It opens nothing, and stays when they log out.
DEVICE_COOKIE = "stormpath_device"

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

#: The account that is signed in, for the site's code and templates; anonymous where nobody is.
user: Any = current_user


# --- Cookies to account ---


class _Login(NamedTuple):
    """How this request came in. `is_restored`: by a remembered token alone, as the browser was closed since."""

    found: ActiveSession
    shown: str
    is_restored: bool


def load_user(asking: Request) -> Account | None:
    """Return the account behind the request's cookies; None where they stand for none. One statement."""
    kept = current.g()
    kept.stormpath_asked = True
    for login in _logins(asking):
        kept.stormpath_session = login
        kept.stormpath_fresh_since = None if login.is_restored else login.found.authenticated_at
        return login.found.account
    return None


def _logins(asking: Request) -> Iterator[_Login]:
    """Yield the logins that the request's cookies stand for: one, unless somebody mixed them."""
    prefix, cookies, looked_at = _prefix(), asking.cookies, set()
    for cookie in (SESSION_COOKIE, TOKEN_COOKIE):
        shown, is_sealed = sessions.unseal(cookies.get(prefix + cookie, ""))
        if not shown or shown in looked_at:
            continue
        looked_at.add(shown)
        found = active_session.find(shown)
        if isinstance(found, Replay):
            g.setdefault("stormpath_replays", []).append(found)
        elif found:
            yield _Login(found, shown, is_restored=not is_sealed)


def signed_in_id() -> str | None:
    """Return the id of the account that this request is known to come from; it does not look for one."""
    login: _Login | None = g.get("stormpath_session")
    return login.found.account.id if login else None


def signed_in_name() -> str | None:
    """Return the e-mail address of that account, as it was read; None where it would have to be read again."""
    login: _Login | None = g.get("stormpath_session")
    return login.found.account.__dict__.get("email") if login else None


def session_id() -> str | None:
    """Return the id of the login that this request is known to come from; it does not look for one."""
    login: _Login | None = g.get("stormpath_session")
    return login.found.id if login else None


def login_fresh() -> bool:
    """Tell whether the password was given on this device in the last STORMPATH_FRESH_FOR.

    A login that its remembered cookie restored is not fresh, nor is one that began without a password.
    """
    since: datetime | None = g.get("stormpath_fresh_since") if current_user.is_authenticated else None
    return since is not None and clock.now() - since < settings.FRESH_FOR


def is_secure() -> bool:
    """Tell whether login cookies travel over https alone."""
    if (wanted := settings.COOKIE_SECURE) is not None:
        return bool(wanted)
    base = urlsplit(settings.BASE_URL or "")
    return not (current.app().debug or (base.scheme == "http" and base.hostname in LOOPBACK))


def _name(cookie: str) -> str:
    return _prefix() + cookie


def _prefix() -> str:
    # It makes browsers refuse a cookie that another host of the domain, or plain http, tries to plant.
    return "__Host-" if settings.COOKIE_DOMAIN is None and is_secure() else ""


# --- Logging in and out ---


def login_user(account: Account, remember: bool = True, *, fresh: bool = True) -> bool:
    """Log an account in on the browser that is asking, and commit. Return True; False for one that is not ENABLED.

    :param remember: whether the login survives the browser's closing, for STORMPATH_COOKIE_DURATION of inactivity.
    :param fresh: whether the person gave their password just now; False for a link in a mail, say.
    :raises LoginOutdated: the account is not one of this application's, or its password was changed since it was read.
    """
    if isinstance(account, LocalProxy):
        account = account._get_current_object()
    if account.status != ENABLED:
        return False
    application = Application.current()
    with atomic():
        _end_logins()  # the value this browser had before is worth nothing after
        token = active_session.start(account, application, remembered=remember, fresh=fresh)
    g.stormpath_fresh_since = clock.now() if fresh else None
    g.stormpath_cookies = token, _age(settings.SESSION_LIFETIME) if remember else None
    know_device(account)
    _forget_form_tokens()
    current_app.login_manager._update_request_context_with_user(account)  # type: ignore[attr-defined]
    _send_signal(user_logged_in, account)
    return True


def renew_login() -> bool:
    """Log the account that is logged in on this browser in anew, remembered as before; what its cookies held is dead.

    :raises LoginOutdated: as with `login_user`.
    """
    login: _Login | None = g.get("stormpath_session")
    return login_user(current_user, remember=login is None or login.found.remembered)


def logout_user() -> bool:
    """Log the browser that is asking out, and commit: its session is gone from the database. Return True."""
    account = current_user._get_current_object()
    if account.is_authenticated:
        with atomic():
            event.record("logout", target=account, account_id=account.id, directory_id=account.directory_id)
            _end_logins()
    g.stormpath_cookies = None, None
    _forget_form_tokens()
    _forget_opened_links()
    current_app.login_manager._update_request_context_with_user()  # type: ignore[attr-defined]
    _send_signal(user_logged_out, account)
    return True


def _end_logins() -> None:
    """End every login that the cookies of this browser stand for."""
    for login in _logins(request):
        sessions.end(AccountSession.id == login.found.id, AccountSession.account_id == login.found.account_id)
    g.pop("stormpath_session", None)


def _forget_form_tokens() -> None:
    """Void the CSRF tokens of the forms that were handed out before."""
    field = current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token")
    browser_session.pop(field, None)
    g.pop(field, None)


def _forget_opened_links() -> None:
    """Forget what our pages keep between two requests, as the mailed link that somebody opened and did not use."""
    for name in [name for name in browser_session if name.startswith("stormpath_")]:
        browser_session.pop(name)


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


def know_device(account: Account) -> None:
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
    if "stormpath" in app.extensions and isinstance(user, Account) and not _is_ours(user_logged_in):
        remember = browser_session.get("_remember") == "set"
        fresh = bool(browser_session.get("_fresh"))
        _forget_flask_login()
        login_user(user, remember=remember, fresh=fresh)


@user_logged_out.connect  # type: ignore[untyped-decorator]
def _notice_logout(app: Flask, **_more: Any) -> None:
    if "stormpath" in app.extensions and not _is_ours(user_logged_out):
        _forget_flask_login()
        logout_user()


def _send_signal(signal: Signal, account: Account) -> None:
    """Send one of Flask-Login's signals for a verb of ours, which needs no notice."""
    before, g.stormpath_sends = g.get("stormpath_sends"), signal
    try:
        signal.send(current.app(), user=account)
    finally:
        g.stormpath_sends = before


def _is_ours(signal: Signal) -> bool:
    return g.get("stormpath_sends") is signal


def _forget_flask_login() -> None:
    for name in ("_user_id", "_fresh", "_id", "_remember", "_remember_seconds"):
        browser_session.pop(name, None)


# --- Account to cookies ---


def finish_response(response: Response) -> Response:
    """Set the cookies that this request changed, keep an active login alive, and end one that was copied."""
    known = current.g()
    login: _Login | None = known.get("stormpath_session")
    for replay in known.pop("stormpath_replays", ()):
        if not login or replay.id != login.found.id:  # an old cookie beside the newest is nobody's copy
            active_session.end(replay)
    if "stormpath_cookies" in known:
        _send_cookies(response, *known.pop("stormpath_cookies"))
    elif login:
        _go_on(response, login)
    if value := known.pop("stormpath_device_cookie", None):
        response.set_cookie(_name(DEVICE_COOKIE), value, max_age=_KNOWN_FOR, **_flags())
    known.pop("stormpath_device", None)
    if known.pop("stormpath_private", False):
        response.headers.setdefault("Cache-Control", "no-store")
    if known.pop("stormpath_asked", False):
        if (found := cache.counted()).are_due():
            response.call_on_close(partial(found.write, database.engine))
        if "Vary" in response.headers:
            response.vary.add("Cookie")
        else:
            response.headers.add("Vary", "Cookie")
    return response


def _go_on(response: Response, login: _Login) -> None:
    """Hand a restored login the token that it goes on with, and keep any alive."""
    found, is_newest = login.found, login.shown == login.found.token
    now = clock.now()
    if login.is_restored and is_newest and found.may_rotate(now):
        if token := sessions.rotate(found.token, now, found.account_id):
            _send_cookies(response, token, _age_of(found, now))
        return  # what could not be written is at the next request, which comes with the same cookie
    if login.is_restored or not is_newest:
        _send_cookies(response, found.token, _age_of(found, now))
    if is_newest:
        _keep_alive(response, found, now)


def _send_cookies(response: Response, token: str | None, age: timedelta | None) -> None:
    """Send both login cookies, or take them back. `age`: of the remembered one; None: there is to be none."""
    _send(response, SESSION_COOKIE, token and sessions.seal(token))
    _send(response, TOKEN_COOKIE, token if age else None, age)


def _send(response: Response, cookie: str, token: str | None, age: timedelta | None = None) -> None:
    if token is None:
        response.delete_cookie(_name(cookie), **_flags())
    else:
        response.set_cookie(_name(cookie), token, max_age=age, **_flags())


def _age(left: timedelta) -> timedelta:
    """Return how long a browser keeps a login that lasts so long at most."""
    cookie_duration: timedelta = settings.COOKIE_DURATION
    return min(cookie_duration, left)


def _age_of(found: ActiveSession, now: datetime) -> timedelta | None:
    return _age(found.expires_at - now) if found.remembered else None


def _flags() -> dict[str, Any]:
    return {
        "domain": settings.COOKIE_DOMAIN,
        "path": "/",
        "secure": is_secure(),
        "httponly": True,
        "samesite": "Lax",
    }


def _keep_alive(response: Response, found: ActiveSession, now: datetime) -> None:
    """Move `last_seen_at` and the remembered cookie on, once a minute at most and after the response is out."""
    if rotated_at := found.unconfirmed_since:
        sessions.confirm(found.id, rotated_at)
        active_session.forgetting(found.id)()
        return
    interval = min(timedelta(seconds=sessions.SEEN_EVERY), settings.COOKIE_DURATION / 15)
    if now - found.last_seen_at < interval:
        return
    if age := _age_of(found, now):
        _send(response, TOKEN_COOKIE, found.token, age)
    engine, forget = database.engine, active_session.forgetting(found.id)

    def was_seen() -> None:
        sessions.seen(engine, found.id, now, now - interval)
        forget()

    response.call_on_close(was_seen)
