"""How the site is set: what a deploy check finds, the settings in force, versions, database and mails. No secret."""

from collections.abc import Iterator
from importlib import metadata
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.typing import ResponseReturnValue
from flask_admin import expose

from .. import current, database, installation, migrations
from ..mail import inbox, rendering
from ..models import OutboxMessage
from ..models.administration import OWNER
from ..models.message import FAILED, QUEUED
from ..settings import PREFIX, SECRET_KINDS, SETTINGS
from ..translation import gettext as _, mark
from .base import ConsoleView
from .gate import needs
from .pages import count, number

_LEVELS = {
    "error": (mark("Error"), "bad"),
    "outage": (mark("Error"), "bad"),
    "warning": (mark("Warning"), "warn"),
    "deploy": (mark("Before the public comes"), "warn"),
    "note": (mark("Note"), ""),
}


class SettingsView(ConsoleView):
    """For owners, as it tells what is still open."""

    path, icon, section = "/settings", "sliders", 3
    reads = OWNER

    @expose("/")
    @needs(OWNER)
    def index(self) -> ResponseReturnValue:
        """Show all of it. Settings are changed in the app's configuration, and nowhere here."""
        app = current.app()
        found, rows = app.extensions["stormpath"].check(), _rows(app)
        return self.render(
            "stormpath_admin/settings.html",
            problems=[(_(_LEVELS[one.level][0]), _LEVELS[one.level][1], one.sentence) for one in found],
            changed=[row for row in rows if not row["is_default"]],
            default=[row for row in rows if row["is_default"]],
            facts=list(_facts(app)),
        )


def _facts(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield what is there: a label and a value."""
    yield _("Version"), _version()
    dialect = database.database.engine.dialect
    yield (
        _("Database"),
        f"{installation.where(app)} ({dialect.name} {'.'.join(map(str, dialect.server_version_info or ()))})",
    )
    yield (
        _("Tables"),
        _("revision %(found)s of %(newest)s", found=installation.schema_revision(), newest=migrations.newest()),
    )
    yield _("Public address"), rendering.site_address() or _("Not set")
    yield _("Mail server"), _mail_server(app)
    for status, label in ((QUEUED, _("Mails that wait")), (FAILED, _("Mails that failed"))):
        yield label, count(number(sa.select(OutboxMessage.id).where(OutboxMessage.status == status)))


def _version() -> str:
    try:
        return metadata.version("stormpath-app")
    except metadata.PackageNotFoundError:  # it runs from where its files are
        return _("unknown")


def _mail_server(app: Flask) -> str:
    if inbox.is_open(app):
        return _("None: mails are kept on this machine")
    server = app.config.get("MAIL_SERVER")
    return f"{server}:{app.config.get('MAIL_PORT') or 25}" if server else _("Not set")


def _rows(app: Flask) -> list[dict[str, Any]]:
    """Return the settings: name, value as it may be shown, what it is, and whether it is as it comes."""
    return [
        {
            "name": PREFIX + row.name,
            "value": _shown(row.kind, app.config[PREFIX + row.name], row.name, app),
            "help": row.help,
            "is_default": app.config[PREFIX + row.name] == row.default,
        }
        for row in SETTINGS
    ]


def _shown(kind: str, value: Any, name: str, app: Flask) -> str:
    """Return a value as it may be seen: a secret never, nor a database's password."""
    if kind in SECRET_KINDS:
        return _("Set, and not shown") if value else _("Not set")
    if name == "DATABASE_URI":
        return installation.where(app)
    return repr(value).replace("datetime.", "")
