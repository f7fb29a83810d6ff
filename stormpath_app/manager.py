"""StormpathManager: all wiring, in one place. It holds no app."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flask import (
    Blueprint,
    Flask,
    current_app,
    g,
    has_app_context,
    has_request_context,
    request,
)
from flask_login import AnonymousUserMixin
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import generate_csrf
from sqlalchemy.orm import Session
from werkzeug.local import LocalProxy

from . import admin, installation, origin, settings, signals
from .admin import session as admin_session
from .authentication import device, finish_response, session_id, signed_in_id, signed_in_name, user
from .cli import stormpath_commands
from .database import database, session
from .errors import DatabaseUnavailable, NotReady
from .login_manager import SessionManager, Stranger
from .mail import configuration, rendering
from .mail.courier import Courier
from .models import Account, Application, Client, EmailTemplate, event
from .pages import answer_not_ready, next_url
from .settings import Problem
from .transactions import atomic, tell
from .translation import template_gettext
from .views import ADDRESSES, PROBES, SWITCHES, VIEWS, create_blueprint, doors, needs_ready
from .views.health import Health
from .views.social_buttons import buttons

# The database stands below what sets it up.
database.set_up_memory = installation.set_up
database.make_missing = installation.make_missing
# So do the templates of mails, below what knows our own texts.
EmailTemplate.default_of = staticmethod(rendering.default_of)

#: How long a request waits for the one that looks whether the site is ready, in seconds: a new process on a busy
#: machine takes a second for it, and a database that is away is not waited for longer.
_TURN = 2.5


@dataclass
class State:
    """What one app has of us: `app.extensions["stormpath"]`."""

    app: Flask
    manager: "StormpathManager"
    blueprint: Blueprint
    at_registration: dict[str, Any]
    courier: Courier
    health: Health
    #: Flask-Admin's object of the console, which no other of the host's knows of; None: there is no console.
    console: Any = None
    #: Where a developer's server listens; None: no request came yet, or the app is not in debug.
    served_at: str | None = None
    #: Whether the server listens at this machine's own address alone: mails that no server takes are then kept and
    #: shown, without debug too, and the console's first owner can be made by a link.
    is_local: bool = False
    is_ready: bool = False
    is_prepared: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> list[Problem]:
        """Return everything that is wrong: settings first, then, where they are right, what they lead to."""
        self.load_secret()
        found = [*settings.check(self.app.config, self.at_registration), *self._check_wiring()]
        if not _errors(found):
            found += installation.check(self.app)
        return found if _errors(found) else [*found, *configuration.check()]

    def _check_wiring(self) -> Iterator[Problem]:
        """Yield what of the host's stands in our way: the first of two always wins, and in silence."""
        theirs = self.app.login_manager  # type: ignore[attr-defined]
        if theirs is not self.manager.login_manager and (theirs._user_callback or theirs._request_callback):
            yield Problem(
                "This app already loads users itself, with the `user_loader` or `request_loader` of a LoginManager of"
                " its own: take that function away. `current_user`, `login_required` and Flask-Login's signals go on"
                " working."
            )
        if self.blueprint.name not in self.app.blueprints:
            yield Problem(
                "Our pages are not registered under their name: app.register_blueprint(stormpath_manager.blueprint),"
                " without `name` and in no other blueprint."
            )
        rules = list(self.app.url_map.iter_rules())
        for ours in rules:
            if (mend := _how_to_move(ours.endpoint)) is None:
                continue
            for other in rules:
                if other.rule == ours.rule and not _is_same(other.endpoint, ours.endpoint):
                    yield Problem(
                        f"This app has a page of its own at {other.rule} (endpoint {other.endpoint!r}), where ours is:"
                        f" {mend}."
                    )

    def require_ready(self) -> None:
        """Check once, before the first request that needs us.

        :raises NotReady: something is wrong; it is looked at again with the next request.
        :raises DatabaseUnavailable: nothing else is wrong than that the database does not answer.
        """
        if not self.is_ready:
            with self._turn():
                if not self.is_ready:
                    self._look()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one request look, as it may wait for a database; others do not wait one after the other."""
        if not self.lock.acquire(timeout=_TURN):
            raise DatabaseUnavailable(["Another request is looking whether the site is ready."])
        try:
            yield
        finally:
            self.lock.release()

    def _look(self) -> None:
        found = self.check()
        if errors := _errors(found):
            for sentence in errors:
                self.app.logger.error("stormpath_app is not ready: %s", sentence)
            is_outage = {problem.level for problem in found} & {"error", "outage"} == {"outage"}
            raise DatabaseUnavailable(errors) if is_outage else NotReady(errors)
        for problem in found:
            if problem.level == "warning":
                self.app.logger.warning("stormpath_app: %s", problem.sentence)
        self.is_ready = True

    def prepare(self) -> None:
        """Do, once, what must be done before the first request is looked at; in debug, make what is missing."""
        with self.lock:
            if csrf := self.app.extensions.get("csrf"):
                for view in VIEWS.values():  # not the blueprint: a host may put a view of its own at a name of ours
                    csrf.exempt(view)  # our forms check their tokens themselves, and come again
                admin.exempt_from_csrf(self.app, csrf)
            self.join_login_manager()
            if not self.is_prepared and self.app.debug:
                installation.set_up_in_debug(self.app)
            self.load_secret()
            self.is_prepared = True

    def join_login_manager(self) -> None:
        """Let a host's own LoginManager, which has no loader, find people by our sessions; the rest of it stays."""
        theirs, ours = self.app.login_manager, self.manager.login_manager  # type: ignore[attr-defined]
        if theirs is ours:
            return
        theirs._load_user = partial(SessionManager._load_user, theirs)
        theirs.login_view = theirs.login_view or ours.login_view
        theirs.unauthorized_callback = theirs.unauthorized_callback or ours.unauthorized_callback
        theirs.needs_refresh_callback = theirs.needs_refresh_callback or ours.needs_refresh_callback
        if theirs.anonymous_user is AnonymousUserMixin:
            theirs.anonymous_user = ours.anonymous_user

    def load_secret(self) -> None:
        """Use the secret that was generated for this instance, where the host has set none."""
        if not self.app.secret_key:
            self.app.secret_key = installation.read_secret(self.app)


def _how_to_move(endpoint: str) -> str | None:
    """Return how a page of ours is put elsewhere; None for what is none of ours."""
    if _is_of_console(endpoint):
        return "set STORMPATH_ADMIN_URL to another path, or to None"
    if endpoint in PROBES:
        return f"set STORMPATH_{PROBES[endpoint][0]} to another path, or to None"
    if endpoint not in ADDRESSES:
        return None
    mend = f"set STORMPATH_{ADDRESSES[endpoint]} to another path"
    return f"{mend}, or STORMPATH_{SWITCHES[endpoint]} to False" if endpoint in SWITCHES else mend


def _is_of_console(endpoint: str) -> bool:
    return endpoint.startswith(f"{admin.NAME}.")


def _is_same(one: str, other: str) -> bool:
    return one == other or (_is_of_console(one) and _is_of_console(other))


def _errors(problems: Iterable[Problem]) -> list[str]:
    return [problem.sentence for problem in problems if problem.level in {"error", "outage"}]


class StormpathManager:
    """Users for a Flask app: pages, sessions, resources, commands.

    `StormpathManager(app)`, or `StormpathManager()` and `init_app(app)` in a factory. Settings may follow; only the
    pages' addresses, and which there are, must be set before (`docs/settings.md`).

    :param db: the app's own Flask-SQLAlchemy: accounts live in its database, and are changed in its session, one
        transaction with the app's own rows (`docs/database.md`). None: a database of our own.
    """

    def __init__(self, app: Flask | None = None, *, db: SQLAlchemy | None = None) -> None:
        self.db = db
        self._blueprint: Blueprint | None = None
        self.login_manager = SessionManager()
        self.login_manager.session_protection = None  # our sessions are records of our own
        self.login_manager.login_view = "stormpath.login"
        self.login_manager.anonymous_user = Stranger
        self.login_manager.unauthorized_handler(doors.send_to_login)
        self.login_manager.needs_refresh_handler(doors.ask_for_the_password)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, *, db: SQLAlchemy | None = None, register_blueprint: bool = True) -> None:
        """Wire everything to an app. The database is not touched.

        :param db: as for the manager itself, for this app.
        :param register_blueprint: False: the app registers `blueprint` itself, under a prefix for instance.
        """
        if "stormpath" in app.extensions:
            raise RuntimeError("This app has a StormpathManager already: use that one, or take this one away.")
        settings.set_defaults(app.config)
        at_registration = settings.registered(app.config)
        self._blueprint = create_blueprint(at_registration)
        state = State(app, self, self._blueprint, at_registration, Courier(app), Health(app))
        app.extensions["stormpath"] = state
        database.init_app(app, db or self.db)
        app.teardown_request(_tell_the_rest)  # before a host's session ends, wherever it was wired
        app.teardown_appcontext(_tell_the_rest)
        if hasattr(app, "login_manager"):
            state.join_login_manager()  # once more before the first request, as another may come later
        else:
            # Its own context processor asks who it is for every template.
            self.login_manager.init_app(app, add_context_processor=False)
        state.blueprint.before_request(lambda: state.require_ready() if needs_ready() else None)
        if register_blueprint:
            app.register_blueprint(state.blueprint)
        if (url := at_registration["ADMIN_URL"]) is not None:
            state.console, console = admin.create_console(url)
            app.register_blueprint(console)
        app.register_error_handler(NotReady, answer_not_ready)
        # The first of them: a host's own `user` stays the host's.
        app.template_context_processors[None].insert(0, _for_templates)
        app.after_request(finish_response)
        app.cli.add_command(stormpath_commands)
        signals.message_queued.connect(state.courier.receive, app)
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
        """The blueprint of the current app; outside of one, of the app that this manager was wired to last."""
        found = _state().blueprint if has_app_context() else self._blueprint
        if found is None:
            raise RuntimeError("There is no blueprint yet: init_app(app, register_blueprint=False) makes it.")
        return found

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

    @staticmethod
    def atomic() -> AbstractContextManager[Session]:
        """Make several changes one: `with stormpath_manager.atomic(): ...`.

        Verbs inside write and do not commit; the end of the block does, and sends their signals. When the block raises,
        nothing has happened. With `db=` the host's own rows are part of it.
        """
        return atomic(lock=False)  # a password may be hashed before the first change

    @staticmethod
    def log_event(account: Account | None, kind: str, data: Mapping[str, Any] | None = None) -> None:
        """Add an event of the app's own to the log, on the account's timeline, and commit; with the rest in `atomic()`.

        :param account: whom it is about, as `user`; None: nobody.
        :param kind: such as "invoice.paid". The log has it as "app.invoice.paid".
        :param data: what JSON knows, 8000 bytes of it at most, and no secret.
        :raises ValueError, TypeError: it is none that can be kept.
        """
        event.log(_unwrapped(account), kind, data)

    def check(self) -> list[Problem]:
        """Return every mistake in the current app's settings, schema and application."""
        return _state().check()


def _for_templates() -> dict[str, Any]:
    """Return what every template of the app knows; a host's page may have the buttons of providers."""
    return {
        "user": user,
        "current_user": user,
        "stormpath_login_buttons": lambda: buttons(next_url()),
        "stormpath_csrf_token": generate_csrf,
        "stormpath_gettext": template_gettext,
    }


def _tell_the_rest(_error: BaseException | None) -> None:
    """Send the signals of what a host committed with `with db.session.begin()`, where nothing could be sent yet."""
    if "stormpath_committed" in g:
        tell()
        session.remove()  # receivers may have used it


class _FirstRequest:
    """Set up before the first request: Flask opens a request's session, with the secret key, before any hook runs."""

    def __init__(self, wsgi_app: Callable[..., Any], state: State) -> None:
        self.wsgi_app = wsgi_app
        self.state = state

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if not self.state.is_prepared:
            self.state.prepare()
        if self.state.app.debug and self.state.served_at is None:  # what the server says, and not the client
            host = environ["SERVER_NAME"]
            self.state.served_at = f"http://{f'[{host}]' if ':' in host else host}:{environ['SERVER_PORT']}"
        self.state.courier.start()  # with each: a process may be a fork of one that was prepared
        return self.wsgi_app(environ, start_response)


def _unwrapped(account: Any) -> Account | None:
    """Return the account itself where `user` was given; None where nobody is signed in."""
    found = account._get_current_object() if isinstance(account, LocalProxy) else account
    return None if getattr(found, "is_anonymous", False) else found


def _state() -> State:
    state: State = current_app.extensions["stormpath"]
    return state


def _origin_of_request() -> origin.Origin | None:
    if not has_request_context():
        return None
    actor, name, session, interface = signed_in_id(), signed_in_name(), session_id(), "web"
    if request.blueprint and request.blueprint.partition(".")[0] == "stormpath_admin":
        signed_in, interface = admin_session.known(), "admin"
        actor = name = session = None
        if signed_in:
            actor, name, session = signed_in.account.id, signed_in.account.email, signed_in.session_id
    return origin.Origin(
        actor=actor,
        actor_name=name,
        address=request.remote_addr,
        user_agent=request.user_agent.string,
        device=device(),
        interface=interface,
        session=session,
    )
