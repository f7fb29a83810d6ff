"""The console at /admin: Flask-Admin's views over the resources and their verbs."""

from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_admin import Admin
from flask_admin.theme import Theme
from sqlalchemy.orm.exc import ObjectDeletedError
from werkzeug.exceptions import HTTPException

from ..authentication import is_secure
from ..database import OUTAGES
from ..errors import ChangedMeanwhile, DatabaseUnavailable, StormpathError, TokenRefused
from ..models import Account, ApiKey, Application, Directory, Group
from ..models.administration import VIEWER
from ..pages import (
    LONGEST_BODY as LONGEST_OF_STRANGERS,
    add_headers,
    answer_json,
    answer_not_ready,
    answer_outage,
    local_path,
    prefers_json,
)
from ..settings import settings
from ..translation import gettext as _, mark
from .accounts import AccountsView
from .administrators import AdministratorsView
from .api_keys import ApiKeysView
from .applications import ApplicationsView
from .arrival import ArrivalView
from .base import ConsoleView
from .directories import DirectoriesView
from .entry import EntryView
from .gate import guard, needed, needs, public
from .groups import GroupsView
from .home import HomeView
from .log import LogView
from .messages import MessagesView
from .myself import MyselfView
from .pages import THEME_COOKIE, THEMES, known
from .passwords import PasswordsView
from .search import SearchView
from .session import finish_response, forget
from .site_settings import SettingsView

NAME = "stormpath_admin"
#: Longest body of a form, in bytes: a mail's texts, or custom data that somebody edits. Strangers send less.
LONGEST_BODY = 1024 * 1024


def _views() -> list[ConsoleView]:
    """Return the screens, in the order of the menu."""
    return [
        AccountsView(Account, mark("Accounts"), "accounts"),
        DirectoriesView(Directory, mark("Directories"), "directories"),
        ApplicationsView(Application, mark("Applications"), "applications"),
        GroupsView(Group, mark("Groups"), "groups"),
        LogView(mark("Log"), "log"),
        MessagesView(mark("Messages"), "messages"),
        ApiKeysView(ApiKey, mark("API keys"), "api_keys"),
        AdministratorsView(mark("Administrators"), "administrators"),
        SettingsView(mark("Settings"), "settings"),
        MyselfView(mark("My account"), "myself"),
        SearchView(mark("Search"), "search"),
        EntryView(mark("Log In"), "entry"),
        PasswordsView(mark("Forgot Password?"), "passwords"),
        ArrivalView(mark("Welcome"), "arrival"),
    ]


def create_console(url: str) -> tuple[Admin, Blueprint]:
    """Return the console: Flask-Admin's object, of ours alone, and the one blueprint that all its pages are in.

    A host's own Flask-Admin knows nothing of it, and may have the same names.
    """
    theme = Theme(folder="", base_template="stormpath_admin/base.html")
    admin = Admin(name="", url="", endpoint=NAME, index_view=HomeView(mark("Home"), "home"), theme=theme)
    admin.add_views(*_views())
    blueprint = Blueprint(NAME, __name__, url_prefix=url.rstrip("/"))
    for view in admin._views:
        blueprint.register_blueprint(view.create_blueprint(admin))
    blueprint.add_url_rule("/theme", "theme", choose_theme, methods=["POST"])
    blueprint.add_url_rule("/colour.css", "colour", colour)
    blueprint.url_value_preprocessor(_limit_body)  # runs before anything of a host's can read the form
    blueprint.before_request(guard)
    blueprint.after_request(finish_response)
    blueprint.after_request(add_headers)
    blueprint.context_processor(known)
    blueprint.register_error_handler(StormpathError, _answer_refused)
    blueprint.register_error_handler(HTTPException, _answer_error)
    blueprint.register_error_handler(ObjectDeletedError, _answer_gone)
    blueprint.register_error_handler(DatabaseUnavailable, answer_not_ready)  # the console's page asks who is there
    for outage in OUTAGES:
        blueprint.register_error_handler(outage, answer_outage)
    return admin, blueprint


def exempt_from_csrf(app: Flask, csrf: Any) -> None:
    """Let a host's CSRFProtect leave our forms to the gate, which checks their tokens."""
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith(f"{NAME}."):
            csrf.exempt(view)


def _limit_body(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    is_public = needed(current_app.view_functions[endpoint or ""]).role is None
    longest = LONGEST_OF_STRANGERS if is_public else LONGEST_BODY
    request.max_content_length = request.max_form_memory_size = longest


# --- What goes wrong ---

_HEADINGS = {
    400: mark("Not accepted"),
    401: mark("Logged out"),
    403: mark("Not allowed"),
    404: mark("Not found"),
    405: mark("Not accepted"),
    409: mark("Changed meanwhile"),
    413: mark("Too much"),
}
_SENTENCES = {
    403: mark("Your role may not do this."),
    404: mark("There is nothing here: it was deleted, or it is not among what you may see."),
    405: mark("This page takes no such request."),
    413: mark("What was sent is too long for this page. Go back and shorten it."),
}


def _answer_error(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error  # a redirect, or a whole answer
    said = _SENTENCES.get(error.code)
    own = error.description if error.description != type(error).description else None
    return _answer(error.code, own or (_(said) if said else _("Open the page again, then send it once more.")))


def _answer_refused(error: StormpathError) -> ResponseReturnValue:
    return _answer(error.status, error.message, _("Link not accepted") if isinstance(error, TokenRefused) else None)


def _answer_gone(_error: ObjectDeletedError) -> ResponseReturnValue:
    """Tell that somebody deleted what this request is about, or whoever sends it, while it was under way."""
    forget()
    return _answer_refused(ChangedMeanwhile())


def _answer(status: int, sentence: str, heading: str | None = None) -> ResponseReturnValue:
    if prefers_json():
        return answer_json(status, sentence)
    heading = heading or _(_HEADINGS.get(status, _HEADINGS[400]))
    return render_template("stormpath_admin/error.html", heading=heading, sentence=sentence), status


# --- How it looks ---


@needs(VIEWER)
def choose_theme() -> ResponseReturnValue:
    """Keep the theme that was chosen, in a cookie of this browser."""
    theme = request.form.get("theme", "")
    if theme and theme not in THEMES:
        abort(400)
    answer = redirect(local_path(request.form.get("back", "")) or request.script_root + settings.ADMIN_URL, 303)
    path = request.script_root + settings.ADMIN_URL
    answer.set_cookie(
        THEME_COOKIE, theme, max_age=None if theme else 0, path=path, secure=is_secure(), httponly=True, samesite="Lax"
    )
    return answer


@public
def colour() -> Response:
    """Return the host's colour, as a stylesheet: the policy of the pages allows none inside them."""
    chosen = settings.ADMIN_COLOR
    if chosen is None:
        abort(404)
    answer = Response(f":root {{ --sp-brand: {chosen}; }}\n", mimetype="text/css")
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer
