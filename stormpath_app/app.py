"""The runnable site: what `manage.py` and gunicorn serve, and an example of a host app."""

import os
import shlex
from pathlib import Path
from typing import Any

from flask import Flask, has_request_context, url_for
from flask_wtf.csrf import generate_csrf
from werkzeug.middleware.proxy_fix import ProxyFix

from .authentication import is_secure, user
from .authorization import login_required
from .errors import NotReady
from .manager import StormpathManager
from .pages import add_headers, link, render
from .translation import gettext as _


def create_app(config: dict[str, Any] | None = None, *, instance_path: str | None = None, check: bool = True) -> Flask:
    """Create the site. Its settings: `config.py` of the instance folder, then FLASK_* variables, then `config`.

    :param instance_path: where configuration, secret and database live; None: STORMPATH_INSTANCE_PATH, or Flask's own
        choice, which beside a checkout is `instance/`.
    :param check: whether to refuse to start a site that is not set up; commands that mend it say False.
    :raises NotReady: what is missing.
    """
    chosen = instance_path or os.environ.get("STORMPATH_INSTANCE_PATH")
    app = Flask(__package__, instance_path=chosen and str(Path(chosen).resolve()), instance_relative_config=True)
    app.config.from_mapping(SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_SECURE=None)
    app.config.from_mapping(
        STORMPATH_ENABLE_FORGOT_PASSWORD=True,
        STORMPATH_ENABLE_SETTINGS=True,
        STORMPATH_HEALTH_URL="/health",
        STORMPATH_SETTINGS_TEMPLATE="flask_stormpath/site/settings.html",
    )
    app.config.from_pyfile("config.py", silent=True)
    app.config.from_prefixed_env()
    app.config.from_mapping(config or {})
    manager = StormpathManager(app)
    protect_session_cookie(app)
    _add_pages(app)
    app.after_request(add_headers)
    if count := app.config["STORMPATH_PROXY_COUNT"]:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    if check:
        _refuse_if_not_ready(app, manager)
    return app


def protect_session_cookie(app: Flask) -> None:
    """Let the cookie of forms travel as the login cookies do: where they differ, browsers drop one of the two."""
    with app.app_context():
        secure = is_secure() if app.config["SESSION_COOKIE_SECURE"] is None else app.config["SESSION_COOKIE_SECURE"]
    # With the prefix, no other host of the domain can plant it.
    app.config.update(SESSION_COOKIE_SECURE=secure, SESSION_COOKIE_NAME="__Host-session" if secure else "session")


def _refuse_if_not_ready(app: Flask, manager: StormpathManager) -> None:
    app.extensions["stormpath"].prepare()
    with app.app_context():
        errors = [problem.sentence for problem in manager.check() if problem.level == "error"]
    if errors:
        raise NotReady(errors)


def _add_pages(app: Flask) -> None:
    @app.get("/")
    def home() -> str:
        known = {"facts": _facts(), "status": user.status} if user.is_authenticated else {}
        return _page("home", links=_links(), **known)

    @app.get("/secret")
    @login_required
    def secret() -> str:
        return _page("secret")

    app.context_processor(_layout)


def _page(name: str, **known: Any) -> str:
    return render(f"flask_stormpath/site/{name}.html", **known)


def _layout() -> dict[str, Any]:
    """Return what the bar on top of the site's pages, the settings page among them, leads to."""
    if not has_request_context():
        return {}
    known = {f"{name}_url": link(f"stormpath.{name}") for name in ("login", "register", "logout", "settings")}
    return {**known, "csrf_token": generate_csrf}


def _facts() -> list[tuple[str, object]]:
    """Return what the home page tells people about their own account: label and value."""
    found = [
        (_("Name"), user.full_name or _("Not given")),
        (_("Email"), user.email),
        (_("Username"), user.username if user.username != user.email else None),
        (_("Directory"), user.directory.name),
        (_("Groups"), ", ".join(group.name for group in user.groups)),
        (_("Created"), f"{user.created_at:%d %B %Y, %H:%M} UTC"),
        (_("Password set"), user.password_modified_at and f"{user.password_modified_at:%d %B %Y, %H:%M} UTC"),
        (_("Href"), user.href),
    ]
    return [(label, value) for label, value in found if value]


def _command(*words: str) -> str:
    """Return a command that can be pasted into a shell, whatever an address or a name holds."""
    return shlex.join(("python", "manage.py", *words))


def _group_command() -> str | None:
    """Return the command that comes next: a group first, then this person in it; None where that is done."""
    group = next(iter(user.directory.groups), None)
    if group is None:
        return _command("create-group", "admins")
    return None if group.has_account(user) else _command("add-to-group", user.email, group.name)


def _links() -> list[dict[str, str | None]]:
    """Return what a newcomer should try, in that order."""
    friend, deploy = _command("create-account", "friend@example.com"), _command("check", "--deploy")
    rows = [
        (_("A page for members"), _("Strangers are asked to log in, then brought back."), url_for("secret"), None),
        (_("A second account"), _("The command asks for its password."), None, friend),
    ]
    if user.is_authenticated:
        sentence = _("The command asks for it, and logs you out everywhere.")
        rows.append((_("A new password"), sentence, None, _command("set-password", user.email)))
        if command := _group_command():
            rows.append((_("A group"), _("A view can be for its members alone: docs/groups.md."), None, command))
    rows += [
        (_("A site for the public"), _("The command lists what is still open here."), None, deploy),
        (_("Your own app"), _("Eight lines of Flask, and how to change every page: README.md and docs/."), None, None),
    ]
    return [{"title": title, "text": text, "url": url, "command": command} for title, text, url, command in rows]
