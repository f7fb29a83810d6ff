"""The blueprint `stormpath`: the pages people meet."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, abort, current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, HTTPException, LengthRequired, RequestEntityTooLarge, UnsupportedMediaType

from ..database import OUTAGES
from ..pages import LONGEST_BODY, add_headers, answer_json, answer_outage, prefers_json, render
from ..translation import gettext as _, mark
from . import health, inbox, metrics
from .account_settings import devices, email, logins, password, profile, settings as settings_page
from .login import login, logout
from .new_password import new_password
from .passwords import forgot, forgot_change
from .registration import register
from .social import facebook_login, google_login, link_account, social_login
from .verification import verify, verify_change

_FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
#: Our endpoints, and the setting that says where each page is.
ADDRESSES = {
    "stormpath.register": "REGISTRATION_URL",
    "stormpath.login": "LOGIN_URL",
    "stormpath.logout": "LOGOUT_URL",
    "stormpath.forgot": "FORGOT_PASSWORD_URL",
    "stormpath.forgot_change": "FORGOT_PASSWORD_CHANGE_URL",
    "stormpath.verify": "VERIFY_URL",
    "stormpath.verify_change": "VERIFY_URL",
    "stormpath.new_password": "NEW_PASSWORD_URL",
    "stormpath.google_login": "GOOGLE_LOGIN_URL",
    "stormpath.facebook_login": "FACEBOOK_LOGIN_URL",
    "stormpath.social_login": "SOCIAL_LOGIN_URL",
    "stormpath.link_account": "LINK_ACCOUNT_URL",
    "stormpath.settings": "SETTINGS_URL",
    "stormpath.settings_profile": "SETTINGS_URL",
    "stormpath.settings_email": "SETTINGS_URL",
    "stormpath.settings_password": "SETTINGS_URL",
    "stormpath.settings_devices": "SETTINGS_URL",
    "stormpath.settings_logins": "SETTINGS_URL",
}
#: Those that the setting of another page is for too, and what is added to its path.
BELOW = {
    "stormpath.verify_change": "/change",
    "stormpath.social_login": "/<provider>",
    "stormpath.settings_profile": "/profile",
    "stormpath.settings_email": "/email",
    "stormpath.settings_password": "/password",
    "stormpath.settings_devices": "/devices",
    "stormpath.settings_logins": "/logins",
}
#: The setting that says whether there is a page. Mails lead to the others, which a directory's policy sends.
SWITCHES = {
    "stormpath.register": "ENABLE_REGISTRATION",
    "stormpath.login": "ENABLE_LOGIN",
    "stormpath.logout": "ENABLE_LOGOUT",
    "stormpath.forgot": "ENABLE_FORGOT_PASSWORD",
    "stormpath.forgot_change": "ENABLE_FORGOT_PASSWORD",
    "stormpath.new_password": "ENABLE_LOGIN",
    "stormpath.google_login": "ENABLE_GOOGLE",
    "stormpath.facebook_login": "ENABLE_FACEBOOK",
    "stormpath.settings": "ENABLE_SETTINGS",
    "stormpath.settings_profile": "ENABLE_SETTINGS",
    "stormpath.settings_email": "ENABLE_SETTINGS",
    "stormpath.settings_password": "ENABLE_SETTINGS",
    "stormpath.settings_devices": "ENABLE_SETTINGS",
    "stormpath.settings_logins": "ENABLE_SETTINGS",
}
#: What programs ask, who are nobody and need no site that is ready: the setting, what is added to its path, the view.
PROBES: dict[str, tuple[str, str, Callable[[], ResponseReturnValue]]] = {
    "stormpath.health": ("HEALTH_URL", "", health.health),
    "stormpath.health_live": ("HEALTH_URL", "/live", health.live),
    "stormpath.metrics": ("METRICS_URL", "", metrics.metrics),
}

#: The view of each endpoint that is ours; a host may put one of its own in its place.
VIEWS: dict[str, Callable[..., ResponseReturnValue]] = {
    "stormpath.register": register,
    "stormpath.login": login,
    "stormpath.logout": logout,
    "stormpath.forgot": forgot,
    "stormpath.forgot_change": forgot_change,
    "stormpath.verify": verify,
    "stormpath.verify_change": verify_change,
    "stormpath.new_password": new_password,
    "stormpath.google_login": google_login,
    "stormpath.facebook_login": facebook_login,
    "stormpath.social_login": social_login,
    "stormpath.link_account": link_account,
    "stormpath.settings": settings_page,
    "stormpath.settings_profile": profile,
    "stormpath.settings_email": email,
    "stormpath.settings_password": password,
    "stormpath.settings_devices": devices,
    "stormpath.settings_logins": logins,
}


def create_blueprint(settings: Mapping[str, Any]) -> Blueprint:
    """Return the blueprint with the pages that these settings enable, at the addresses they give."""
    blueprint = Blueprint(
        "stormpath",
        __package__.rpartition(".")[0],
        template_folder="templates",
        static_folder="static",
        static_url_path="/stormpath/static",
    )
    for endpoint, view in VIEWS.items():
        if endpoint not in SWITCHES or settings[SWITCHES[endpoint]]:
            path, below = settings[ADDRESSES[endpoint]], BELOW.get(endpoint, "")
            path = path.rstrip("/") + below if below else path
            blueprint.add_url_rule(path, endpoint.removeprefix("stormpath."), view, methods=["GET", "POST"])
    for name, (path, page) in inbox.PAGES.items():
        blueprint.add_url_rule(path, name, page)
    for endpoint, (setting, below, probe) in PROBES.items():
        if (path := settings[setting]) is not None:
            path = path.rstrip("/") + below if below else path
            blueprint.add_url_rule(path, endpoint.removeprefix("stormpath."), probe)
    blueprint.url_value_preprocessor(_limit_body)  # runs before anything of a host's can read the form
    blueprint.before_request(_accept_forms_alone)
    blueprint.after_request(_add_headers)
    for error, heading, sentence in _REFUSALS:
        blueprint.register_error_handler(error, _refusal(heading, sentence))
    for outage in OUTAGES:
        blueprint.register_error_handler(outage, answer_outage)
    return blueprint


def _limit_body(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    if _is_ours():
        request.max_content_length = LONGEST_BODY


def _accept_forms_alone() -> None:
    if request.method != "POST" or not _is_ours():
        return
    if request.content_length is None and "Transfer-Encoding" in request.headers:
        abort(411)  # no browser sends a form so, and what has no length cannot be limited without reading it
    if request.mimetype not in _FORM_TYPES and (request.mimetype or request.content_length):
        abort(415)


_REFUSALS: tuple[tuple[type[HTTPException], str, str], ...] = (
    (RequestEntityTooLarge, mark("Too much"), mark("What was sent is too long for this page. Go back and shorten it.")),
    (LengthRequired, mark("No length"), mark("This page takes forms that tell their length.")),
    (UnsupportedMediaType, mark("Not a form"), mark("This page takes forms.")),
    (BadRequest, mark("Not accepted"), mark("Open the page again, then send it once more.")),
)


def _refusal(heading: str, sentence: str) -> Any:
    def answer(error: HTTPException) -> ResponseReturnValue:
        if prefers_json():
            return answer_json(error.code or 400, _(sentence))
        page = render("flask_stormpath/error.html", heading=_(heading), sentence=_(sentence))
        return Response(page, error.code)

    return answer


def _is_ours() -> bool:
    """Tell whether the page is our own: a host's view at the endpoint of one of ours is the host's business."""
    endpoint = request.endpoint or ""
    return endpoint not in VIEWS or current_app.view_functions.get(endpoint) is VIEWS[endpoint]


def _add_headers(response: Response) -> Response:
    return add_headers(response) if _is_ours() else response


def needs_ready() -> bool:
    """Tell whether a page is asked for, and not a file, which is the same for everybody, or a probe."""
    endpoint = request.endpoint or ""
    return not (endpoint.endswith(".static") or endpoint in PROBES)
