"""The gate: one look at each request for the console, before any of its pages. What says nothing is shut."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from flask import current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import validate_csrf
from werkzeug.exceptions import BadRequest, Forbidden, RequestEntityTooLarge, Unauthorized
from wtforms.validators import ValidationError

from ..errors import LoginFailed, TooManyAttempts
from ..models.administration import OWNER, VIEWER
from ..pages import answer_json, here, prefers_json
from ..translation import gettext as _
from .pages import role_name
from .session import administrator, prove

F = TypeVar("F", bound=Callable[..., Any])

#: The field of a form that gives the password once more, for what needs it fresh.
PASSWORD = "password_once_more"  # noqa: S105 - the name of a field
#: The field that tells that a page was only to be opened, and nothing was sent to it.
_OPENED = "opened"
#: The field of a form with a password that somebody tries the rules with.
TRIED = "password_to_try"
#: The field of a form with the secret that this site has at a provider.
SECRET = "client_secret"  # noqa: S105 - the name of a field
_NOT_KEPT = frozenset({PASSWORD, TRIED, SECRET, "password", "csrf_token"})
_LOOKS = frozenset({"GET", "HEAD"})
#: Most fields of a form, as many as Werkzeug takes in parts: a page of ids, or all directories to choose from.
_MOST_FIELDS = 1000


class Needs(NamedTuple):
    """What a page asks of whoever comes. `role`: None lets everybody in. `fresh`: the password was given just now."""

    role: str | None
    fresh: bool = False


def needs(role: str, *, fresh: bool = False) -> Callable[[F], F]:
    """Let a view, or what is done in bulk, be for administrators of this role or a higher one alone."""
    return _with(Needs(role, fresh))


def public(view: F) -> F:
    """Let everybody open a view: its login page, say."""
    return _with(Needs(None))(view)


def _with(wanted: Needs) -> Callable[[F], F]:
    def mark(view: F) -> F:
        view.stormpath_needs = wanted  # type: ignore[attr-defined]
        return view

    return mark


def needed(view: Any, method: str | None = None) -> Needs:
    """Return what a view needs. One that says nothing may be looked at by a viewer, and used by an owner.

    :param method: how it is asked; None: as this request is.
    """
    said: Needs | None = getattr(view, "stormpath_needs", None)
    return said or Needs(VIEWER if (method or request.method) in _LOOKS else OWNER)


def guard() -> ResponseReturnValue | None:
    """Answer whoever may not pass; None lets in."""
    current_app.extensions["stormpath"].require_ready()
    view = current_app.view_functions[request.endpoint or ""]
    wanted = needed(view)
    if wanted.role is not None and not administrator:
        return _ask_who()
    if request.method not in _LOOKS:
        if sum(map(len, request.form.listvalues())) > _MOST_FIELDS:
            raise RequestEntityTooLarge
        _check_token()
    if wanted.role is None:
        return None
    # What opens a screen, for each of its pages.
    reads = getattr(getattr(view, "__self__", None), "reads", VIEWER)
    if not (administrator.may(wanted.role) and administrator.may(reads)):
        raise Forbidden(_("Your role, %(role)s, may not do this.", role=role_name(administrator.role)))
    return ask_password() if wanted.fresh and not administrator.is_fresh else None


def _ask_who() -> ResponseReturnValue:
    if prefers_json():
        return answer_json(401, _("Log in first."))
    if request.method not in _LOOKS:
        raise Unauthorized(_("You are logged out. What you sent was not saved: log in, go back and send it once more."))
    return redirect(url_for("stormpath_admin.entry.login", next=here()))


def ask_password() -> ResponseReturnValue | None:
    """Ask for the password once more, and go on with the very form that was sent. None: it was right.

    Where a page was only opened, it is opened again.
    """
    status, headers, sentence = 200, {}, ""
    if PASSWORD in request.form:
        try:
            prove(request.form[PASSWORD])
        except TooManyAttempts as error:
            status, headers, sentence = error.status, {"Retry-After": str(error.retry_after)}, error.message
        except LoginFailed:
            sentence = _("The password is wrong.")
        else:
            return redirect(here(), 303) if _OPENED in request.form else None
    sent = [(_OPENED, "1")] if request.method in _LOOKS else _sent()
    page = render_template("stormpath_admin/again.html", field=PASSWORD, sent=sent, sentence=sentence)
    return page, status, headers


def _sent() -> list[tuple[str, str]]:
    """Return what the form had, for it to be sent again: no password, and no token."""
    return [(name, value) for name, value in request.form.items(multi=True) if name not in _NOT_KEPT]


def _check_token() -> None:
    """Accept a form that a page of this very login made; before a login, of this browser.

    :raises BadRequest: another site, or an older login, made it.
    """
    sent = request.form.get("csrf_token", "")
    if administrator:
        is_ours = administrator.is_csrf_token(sent)
    else:
        is_ours = not current_app.config.get("WTF_CSRF_ENABLED", True) or _is_of_this_browser(sent)
    if not is_ours:
        raise BadRequest(_("This page was open for too long, or you logged in again meanwhile. Go back and reload it."))


def _is_of_this_browser(sent: str) -> bool:
    try:
        validate_csrf(sent)
    except ValidationError:
        return False
    g.csrf_valid = True
    return True
