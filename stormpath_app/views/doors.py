"""Closed doors: where people are sent who may not enter."""

from flask import abort, current_app, flash, redirect, request, session as browser_session
from flask_login import LOGIN_MESSAGE, REFRESH_MESSAGE, current_user
from flask_login.utils import login_url
from werkzeug.routing import BuildError
from werkzeug.wrappers import Response

from ..authentication import login_fresh
from ..models import Account, Application
from ..pages import answer_json, here, next_url, prefers_json
from ..translation import gettext as _
from .social_buttons import AGAIN


def send_to_login() -> Response:
    """Send a person to the login page, which leads back.

    Who is logged in comes here too, with an account that may not enter. The login page then asks for another one;
    after a form it sends them on, so the sentence is flashed, for whichever page they see next.
    """
    if not current_user.is_authenticated:
        lost = _("What you sent was not saved. Log in, then send it once more.")
        said = _said("login_message", _("Log in to open this page.") if _is_look() else lost)
        return _refuse(401, _("Log in first."), *said)
    reason = _("Your account may not do this.")
    lost = _("What you sent was not saved. Log in with another account to send it.")
    return _refuse(403, reason, None if _is_look() else f"{reason} {lost}", "warning")


def ask_for_the_password() -> Response:
    """Send a person whose login is not fresh there, where the password is asked for again, or a provider."""
    if login_fresh():
        raise RuntimeError(
            "Flask-Login's `fresh_login_required` looks for a mark in the browser's session that our logins do not"
            " leave: use stormpath_app's `fresh_login_required` and `login_fresh`."
        )
    if _has_password():
        sentence = _("Enter your password again to open this page.")
        lost = _("What you sent was not saved. Enter your password again, then send it once more.")
    else:
        sentence = _("Log in again to open this page.")
        lost = _("What you sent was not saved. Log in again, then send it once more.")
    return _refuse(401, sentence, *_said("needs_refresh_message", sentence if _is_look() else lost), mark=AGAIN)


def _refuse(
    status: int, for_programs: str, sentence: str | None, category: str = "message", *, mark: str | None = None
) -> Response:
    """Answer with a redirect to the login page, which leads back.

    What was sent with a form is lost, as no link repeats that; its `?next=` may say where to lead.
    """
    if prefers_json():
        return answer_json(status, for_programs)
    try:
        manager = current_app.login_manager  # type: ignore[attr-defined]
        login_view = manager.blueprint_login_views.get(request.blueprint, manager.login_view)
        where = login_url(login_view or "", next_url=here() if _is_look() else next_url())
    except BuildError:
        abort(status)
    if sentence:
        _flash_once(sentence, category)
    return redirect(f"{where}{'&' if '?' in where else '?'}{mark}=1" if mark else where)


def _said(name: str, ours: str) -> tuple[str | None, str]:
    """Return a message of the app's LoginManager and its category; our sentence where the message is Flask-Login's."""
    manager = current_app.login_manager  # type: ignore[attr-defined]
    message = getattr(manager, name)
    if message in {LOGIN_MESSAGE, REFRESH_MESSAGE}:
        message = ours
    elif message and manager.localize_callback:
        message = manager.localize_callback(message)
    return message, getattr(manager, f"{name}_category")


def _has_password() -> bool:
    """Tell whether there is a password to ask for; a user of the host's own is taken to have one."""
    account = current_user._get_current_object()
    return not isinstance(account, Account) or Application.current().ways_in(account).has_password


def _is_look() -> bool:
    return request.method in {"GET", "HEAD"}


def _flash_once(sentence: str, category: str = "message") -> None:
    """Flash a sentence, unless it waits to be shown already."""
    if sentence not in [text for _category, text in browser_session.get("_flashes", [])]:
        flash(sentence, category)
