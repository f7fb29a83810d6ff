"""How a page of the console is answered: what all its templates know, its headers and its errors."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import current_app, request, url_for
from flask_wtf.csrf import generate_csrf

from .. import clock
from ..database import session
from ..models import Account, Application, Directory, Resource, event_log
from ..pages import here
from ..settings import settings
from ..translation import day, gettext as _, mark, ngettext, spoken, template_gettext
from .session import administrator

#: In a cookie: light, dark, or as the system has it.
THEME_COOKIE, THEMES = "stormpath_admin_theme", ("light", "dark")
#: In `count`: no list is counted further.
MOST_COUNTED = 10_000

_ROLES = {"viewer": mark("viewer"), "support": mark("support"), "manager": mark("manager"), "owner": mark("owner")}


def known() -> dict[str, Any]:
    """Return what every template of the console knows."""
    return {
        "_": template_gettext,
        "sp_language": spoken(),
        "console_name": settings.ADMIN_NAME or settings.APPLICATION,
        "site_name": settings.ADMIN_NAME or settings.APPLICATION,
        "administrator": administrator,
        "navigation": navigation,
        "ngettext": ngettext,
        "csrf_token_of_console": csrf_token,
        "here": here(),
        "theme_chosen": chosen_theme(),
        "ago": ago,
        "exact": exact,
        "history": history,
        "initials": initials,
        "role_name": role_name,
    }


def csrf_token() -> str:
    """Return what a form must send back: bound to this login; before one, to this browser."""
    token: str = administrator.csrf_token() if administrator else generate_csrf()
    return token


def navigation() -> list[list[dict[str, Any]]]:
    """Return the places of the menu that this administrator may go to, in their groups."""
    views = [item._view for item in current_app.extensions["stormpath"].console.menu()]
    here_is = (request.endpoint or "").split(".")
    groups: dict[int, list[dict[str, Any]]] = {}
    for view in views:
        if view.is_visible():
            endpoint = f"stormpath_admin.{view.endpoint}"
            place = {
                "name": _(view.name),
                "icon": view.icon,
                "url": url_for(f"{endpoint}.{view._default_view}"),
                "is_current": view.endpoint in here_is[1:2],
            }
            groups.setdefault(view.section, []).append(place)
    return [groups[number] for number in sorted(groups)]


def chosen_theme() -> str | None:
    """Return the theme that the administrator chose; None: as the system has it."""
    chosen = request.cookies.get(THEME_COOKIE)
    return chosen if chosen in THEMES else None


def history(resource: Resource) -> str:
    """Return the address of the log of who changed a resource."""
    asked: dict[str, Any] = {"target": resource.id}
    if isinstance(resource, Directory):
        asked = {"directory": resource.id, "kind": ",".join(event_log.OF_A_DIRECTORY)}
    elif isinstance(resource, Application):
        asked = {"application": resource.id, "kind": ",".join(event_log.OF_AN_APPLICATION)}
    return url_for("stormpath_admin.log.index", **asked)


def role_name(role: str | None) -> str:
    """Return a role in the reader's language."""
    return _(_ROLES[role]) if role in _ROLES else ""


def initials(account: Account) -> str:
    """Return the two letters that stand for somebody without a picture."""
    names = [name for name in (account.given_name, account.surname) if name]
    return ("".join(name[0] for name in names) or account.email[0]).upper()


def count(number: int, *, at_least: bool = False) -> str:
    """Return a count as it is shown: "12,480", and "10,000+" where it was counted no further."""
    return f"{number:,}+" if at_least or number >= MOST_COUNTED else f"{number:,}"


def number(wanted: sa.Select[Any], most: int = MOST_COUNTED) -> int:
    """Return how many rows a statement finds, counted no further than `most`."""
    return session.scalar(sa.select(sa.func.count()).select_from(wanted.limit(most).subquery())) or 0


def exact(at: datetime) -> str:
    """Return a moment to the minute: "3 August 2026, 14:05 UTC"."""
    return f"{day(at)}, {at:%H:%M} UTC"


def ago(at: datetime) -> str:
    """Return a moment as people say it, as long as it is near; then the day."""
    now = clock.now()
    minutes = int((now - at) / timedelta(minutes=1))
    if minutes < 0:
        return exact(at)
    if minutes < 1:
        return _("just now")
    if minutes < 60:
        return ngettext("%(count)s minute ago", "%(count)s minutes ago", minutes)
    if at.date() == now.date():
        return _("today at %(time)s", time=f"{at:%H:%M}")
    if at.date() == (now - timedelta(days=1)).date():
        return _("yesterday at %(time)s", time=f"{at:%H:%M}")
    return day(at)
