"""StormpathManager: all wiring, in one place. It holds no app."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    has_request_context,
    redirect,
    request,
    session as browser_session,
)
from flask_login.utils import login_url
from werkzeug.routing import BuildError
from werkzeug.wrappers import Response

from . import installation, origin, settings
from .authentication import SessionManager, Stranger, device, finish_response, signed_in_id, user
from .cli import stormpath_commands
from .database import database
from .errors import NotReady
from .models import Account, Application, Client
from .settings import Problem
from .translation import gettext as _
from .views import ADDRESSES, answer_not_ready, create_blueprint, is_static
from .views.pages import answer_json, prefers_json

# The database stands below what sets it up.
database.set_up_memory = installation.set_up
database.make_missing = installation.make_missing


@dataclass
class State:
    """What one app has of us: `app.extensions["stormpath"]`."""

    app: Flask
    manager: "StormpathManager"
    blueprint: Blueprint
    at_registration: dict[str, Any]
    has_other_loader: bool
    is_ready: bool = False
    is_prepared: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> list[Problem]:
        """Return everything that is wrong: settings first, then, where they are right, what they lead to."""
        self.load_secret()
        found = [*settings.check(self.app.config, self.at_registration), *self._check_wiring()]
        return found if _errors(found) else [*found, *installation.check(self.app)]

    def _check_wiring(self) -> Iterator[Problem]:
        """Yield what of the host's stands in our way: the first of two always wins, and in silence."""
        if self.has_other_loader or self.app.login_manager is not self.manager.login_manager:  # type: ignore[attr-defined]
            yield Problem(
                "This app loads users itself, with a LoginManager of its own: take it away. `current_user`,"
                " `login_required` and Flask-Login's signals go on working."
            )
        rules = list(self.app.url_map.iter_rules())
        for ours in (rule for rule in rules if rule.endpoint in ADDRESSES):
            for other in rules:
                if other.rule == ours.rule and other.endpoint != ours.endpoint:
                    setting = f"STORMPATH_{ADDRESSES[ours.endpoint]}"
                    yield Problem(
                        f"This app has a page of its own at {other.rule} (endpoint {other.endpoint!r}), where ours is:"
                        f" set {setting} to another path, or STORMPATH_ENABLE_{setting[10:-4]} to False."
                    )

    def require_ready(self) -> None:
        """Check once, before the first request that needs us.

        :raises NotReady: something is wrong; it is looked at again with the next request.
        """
        if self.is_ready:
            return
        with self.lock:
            found = self.check()
            if errors := _errors(found):
                for sentence in errors:
                    self.app.logger.error("stormpath_app is not ready: %s", sentence)
                raise NotReady(errors)
            if not self.is_ready:
                for problem in found:
                    if problem.level == "warning":
                        self.app.logger.warning("stormpath_app: %s", problem.sentence)
            self.is_ready = True

    def prepare(self) -> None:
        """Do, once, what must be done before the first request is looked at; in debug, make what is missing."""
        with self.lock:
            if csrf := self.app.extensions.get("csrf"):
                csrf.exempt(self.blueprint)  # our forms check their tokens themselves, and come again
            if not self.is_prepared and self.app.debug:
                installation.set_up_in_debug(self.app)
            self.load_secret()
            self.is_prepared = True

    def load_secret(self) -> None:
        """Use the secret that was generated for this instance, where the host has set none."""
        if not self.app.secret_key:
            self.app.secret_key = installation.read_secret(self.app)


def _errors(problems: Iterable[Problem]) -> list[str]:
    return [problem.sentence for problem in problems if problem.level == "error"]


class StormpathManager:
    """Users for a Flask app: pages, sessions, resources, commands.

    `StormpathManager(app)`, or `StormpathManager()` and `init_app(app)` in a factory. Settings may follow; only the
    pages' addresses, and which there are, must be set before (`docs/settings.md`).
    """

    def __init__(self, app: Flask | None = None) -> None:
        self.login_manager = SessionManager()
        self.login_manager.session_protection = None  # our sessions are records of our own
        self.login_manager.login_view = "stormpath.login"
        self.login_manager.anonymous_user = Stranger
        self.login_manager.unauthorized_handler(self._send_to_login)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Wire everything to an app. The database is not touched."""
        if "stormpath" in app.extensions:
            raise RuntimeError("This app has a StormpathManager already: use that one, or take this one away.")
        settings.set_defaults(app.config)
        at_registration = settings.registered(app.config)
        other = getattr(app, "login_manager", None)
        has_other_loader = bool(other and (other._user_callback or other._request_callback))
        state = State(app, self, create_blueprint(at_registration), at_registration, has_other_loader)
        app.extensions["stormpath"] = state
        database.init_app(app)
        self.login_manager.init_app(app, add_context_processor=False)  # its own asks who it is for every template
        state.blueprint.before_request(lambda: None if is_static() else state.require_ready())
        app.register_blueprint(state.blueprint)
        app.register_error_handler(NotReady, answer_not_ready)
        app.context_processor(lambda: {"user": user, "current_user": user})
        app.after_request(finish_response)
        app.cli.add_command(stormpath_commands)
        app.wsgi_app = _FirstRequest(app.wsgi_app, state)  # type: ignore[method-assign]
        origin.add_source(_origin_of_request)

    # --- What the app's code asks for ---

    @property
    def client(self) -> Client:
        """Everything in the database, from the top."""
        return Client()

    @property
    def application(self) -> Application:
        """The application that STORMPATH_APPLICATION names.

        :raises NotReady: there is none.
        """
        return Application.current()

    @property
    def blueprint(self) -> Blueprint:
        """The blueprint of the current app."""
        return _state().blueprint

    @property
    def login_view(self) -> str | None:
        """The endpoint that people who must log in are sent to. It can be set."""
        view: str | None = self.login_manager.login_view
        return view

    @login_view.setter
    def login_view(self, endpoint: str | None) -> None:
        self.login_manager.login_view = endpoint

    @staticmethod
    def load_user(account_href: str) -> Account | None:
        """Return the account with this href; None where there is none."""
        return Account.find(account_href)

    def check(self) -> list[Problem]:
        """Return every mistake in the current app's settings, schema and application."""
        return _state().check()

    # --- Who must log in ---

    def _send_to_login(self) -> Response:
        """Send a person to the login page, which leads back, unless a form was sent: no link repeats that."""
        here = _here() if request.method in {"GET", "HEAD"} else None
        try:
            where = login_url(self.login_view or "", next_url=here)
        except BuildError:
            abort(401)
        if prefers_json():
            return answer_json(401, _("Log in first."))
        sentence = _("Log in to open this page.")
        if sentence not in [text for _category, text in browser_session.get("_flashes", [])]:  # once is enough
            flash(sentence)
        return redirect(where)


class _FirstRequest:
    """Set up before the first request: Flask opens a request's session, with the secret key, before any hook runs."""

    def __init__(self, wsgi_app: Callable[..., Any], state: State) -> None:
        self.wsgi_app = wsgi_app
        self.state = state

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if not self.state.is_prepared:
            self.state.prepare()
        return self.wsgi_app(environ, start_response)


def _state() -> State:
    state: State = current_app.extensions["stormpath"]
    return state


def _here() -> str:
    """Return the address that was asked for, without scheme and host, as it travels: percent-encoded."""
    query = request.query_string.decode("latin-1")
    path = quote(f"{request.script_root}{request.path}", safe=_IN_PATHS)
    return f"{path}?{quote(query, safe=_IN_QUERIES)}" if query else path


_IN_PATHS = "/:;=@!$&'()*+,~"
_IN_QUERIES = f"{_IN_PATHS}?%"


def _origin_of_request() -> origin.Origin | None:
    if not has_request_context():
        return None
    return origin.Origin(
        actor=signed_in_id(),
        address=request.remote_addr,
        user_agent=request.user_agent.string,
        device=device(),
        interface="web",
    )
