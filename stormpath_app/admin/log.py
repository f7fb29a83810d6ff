"""The log: what happened and who changed what, in one list, and each of it with all that is known."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from flask import abort, current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from .. import event_words, names, user_agents
from ..database import session
from ..errors import ResourceNotFound
from ..models import Account, Application, AuditEvent, Directory, Group, event_log
from ..models.administration import OWNER, VIEWER
from ..models.event import OF_THE_APP
from ..models.event_log import Question
from ..translation import gettext as _, mark
from . import export, scope
from .base import ConsoleView
from .gate import needs
from .pages import count
from .session import administrator

_PAGE, _LINES = 25, 500

RESULTS = {
    "": ((), mark("All")),
    "errors": (event_log.ERRORS, mark("Errors")),
    "security": (event_log.SECURITY, mark("Security")),
    "changes": (event_log.CHANGES, mark("Changes")),
    "app": (event_log.APP, mark("Your app")),
}
INTERFACES = {
    "web": mark("Pages of the site"),
    "admin": mark("Console"),
    "cli": mark("Command line"),
    "python": mark("Code of the app"),
}
#: Where the page of a target is, by its kind.
_PAGES = {
    "account": "accounts.edit_view",
    "group": "groups.edit_view",
    "directory": "directories.edit_view",
    "application": "applications.edit_view",
    "api_key": "api_keys.edit_view",
}
_FIELDS = ("kind", "account", "actor", "directory", "application", "address", "interface", "target", "since", "until")


class Line(NamedTuple):
    """An event as a page shows it. `about`: the account it is of; `by`: who acted; `where`: from where."""

    event: AuditEvent
    told: event_words.Told
    about: str | None
    about_url: str | None
    by: str | None
    where: str
    url: str


class LogView(ConsoleView):
    """What happened, as far as the administrator may know."""

    path, icon, section = "/log", "log", 2

    @expose("/")
    @needs(VIEWER)
    def index(self) -> ResponseReturnValue:
        """Show a page of it."""
        asked = _asked()
        question, refused = _question(asked)
        before = request.args.get("before", "")
        place = before if before.isalnum() and before.isascii() else None
        found = event_log.find(question, before=place) if question else event_log.Found([])
        number, more = event_log.count(question) if question else (0, False)
        return self.render(
            "stormpath_admin/log.html",
            lines=lines(found.events),
            found=found,
            total=count(number, at_least=more),
            asked=asked,
            refused=refused,
            is_narrowed=any(each["name"] in asked for each in _filters()),
            filters=_filters(),
            chips=[
                {
                    "label": _(label),
                    "url": url_for(".index", **{**asked, "show": key or None}),
                    "is_current": asked.get("show", "") == key,
                }
                for key, (_patterns, label) in RESULTS.items()
            ],
            narrowed=[_narrowed(name, asked) for name in ("directory", "application", "target") if name in asked],
            older=found.older and url_for(".index", before=found.older, **asked),
            newest=url_for(".index", **asked) if before else None,
            export_url=url_for(".export", **asked),
            kinds=_known_kinds(),
        )

    @expose("/export.csv")
    @needs(VIEWER)
    def export(self) -> ResponseReturnValue:
        """Send all that the address asks for, as it is read."""
        asked = _asked()
        question, _refused = _question(asked)
        return export.send("csv", "log", _csv(question), asked)

    @expose("/<id>/")
    @needs(VIEWER)
    def event(self, id: str) -> ResponseReturnValue:
        """Show one event: all that is known of it."""
        found = session.get(AuditEvent, id) if id.isalnum() and len(id) < 30 else None
        if found is None or not _may_see(found):
            abort(404)
        (line,) = lines([found])
        known = event_log.names_for([found])
        details = {name: value for name, value in found.data.items() if name not in {"changed", "reason"}}
        return self.render(
            "stormpath_admin/event.html",
            line=line,
            event=found,
            target_url=_target_url(found),
            directory=_place("directory", found.directory_id, known),
            application=_place("application", found.application_id, known),
            device=user_agents.device(found.user_agent) if found.user_agent else None,
            interface=_(INTERFACES[found.interface]) if found.interface in INTERFACES else found.interface,
            details=json.dumps(details, indent=2, ensure_ascii=False) if details else None,
            as_json=json.dumps(_as_json(found), indent=2, ensure_ascii=False),
        )


# --- In scope ---


def in_scope(question: Question) -> Question:
    """Return a question about what the administrator may know alone.

    The administrators' own logins and roles are for owners.
    """
    if administrator.directory_ids is not None:
        return replace(question, directory_ids=scope.ids())
    return question if administrator.may(OWNER) else replace(question, without=scope.apart())


def _may_see(found: AuditEvent) -> bool:
    question = in_scope(Question())
    if question.directory_ids is not None:
        return found.directory_id in question.directory_ids
    return found.directory_id not in question.without


# --- Asked for ---


def _asked() -> dict[str, Any]:
    """Return the filters that the address has."""
    every = ((name, request.args.get(name, "").strip()) for name in (*_FIELDS, "show"))
    return {name: value for name, value in every if value}


def _question(asked: dict[str, str]) -> tuple[Question | None, str | None]:
    """Return what the address asks for, and what is wrong with it; None where it can be nothing."""
    question = Question(
        kinds=tuple(part for part in asked.get("kind", "").replace(",", " ").split() if names.can_be_stored(part))[:20],
        result=RESULTS.get(asked.get("show", ""), RESULTS[""])[0],
        address=_text(asked.get("address")),
        interface=asked.get("interface") if asked.get("interface") in INTERFACES else None,
        target_id=_text(asked.get("target")),
        directory_id=_text(asked.get("directory")),
        application_id=_text(asked.get("application")),
    )
    try:
        since, until = _day(asked.get("since")), _day(asked.get("until"))
    except ValueError:
        return None, _("A day is written like 2026-08-31.")
    question = replace(question, since=since, until=until and until + timedelta(days=1))
    for name, column in (("account", "account_id"), ("actor", "actor_id")):
        if text := asked.get(name):
            found = _account_id(text)
            if found is None:
                return None, _("No account that you deal with has the login or the id “%(login)s”.", login=text)
            question = replace(question, **{column: found})  # type: ignore[arg-type]
    return in_scope(question), None


def _text(given: str | None) -> str | None:
    return given[:50] if given and names.can_be_stored(given[:50]) else None


def _day(given: str | None) -> datetime | None:
    found = datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC) if given else None
    if found is not None and not 1970 <= found.year < 2200:
        raise ValueError(given)
    return found


def _account_id(text: str) -> str | None:
    """Return the id of an account by its login or href; an id is taken as it is, as the account may be gone."""
    wanted = Account.id_in(text) or text
    if len(wanted) == 22 and wanted.isascii() and wanted.isalnum():
        return wanted
    for administrators in filter(None, map(Directory.find, scope.apart())):
        if found := administrators.find_account(text):
            return found.id
    try:
        return scope.account_named(text).id
    except ResourceNotFound:
        return None


def _filters() -> list[dict[str, Any]]:
    return [
        {"name": "kind", "label": _("Kind"), "hint": "login.*, *.deleted"},
        {"name": "account", "label": _("Account"), "hint": _("Email, username or id")},
        {"name": "actor", "label": _("Done by"), "hint": _("Email, username or id")},
        {"name": "address", "label": _("Network address"), "hint": "192.0.2.7"},
        {"name": "since", "label": _("From"), "type": "date"},
        {"name": "until", "label": _("Until"), "type": "date"},
        {
            "name": "interface",
            "label": _("Through"),
            "choices": [("", _("All")), *((key, _(label)) for key, label in INTERFACES.items())],
        },
    ]


def _known_kinds() -> list[str]:
    """Return what can be chosen as a kind: those of ours, with the app's own as it calls them."""
    whole = sorted({f"{kind.partition('.')[0]}.*" for kind in event_words.WORDS})
    return [*whole, f"{OF_THE_APP}*", "*.deleted", "*.failed", *sorted(event_words.WORDS)]


def _narrowed(name: str, asked: dict[str, Any]) -> dict[str, str]:
    """Return a filter that no field of the form has, and the address without it."""
    places: dict[str, Any] = {
        "directory": (Directory, scope.directories),
        "application": (Application, scope.applications),
    }
    model, collection = places.get(name, (None, None))
    there = model.find(asked[name]) if model and asked[name].isalnum() else None
    found = there if there is not None and there in collection() else None
    label = {"directory": _("Directory"), "application": _("Application"), "target": _("Changed")}[name]
    without = {key: value for key, value in asked.items() if key != name}
    return {"label": label, "value": found.name if found else asked[name], "url": url_for(".index", **without)}


# --- Shown ---


def lines(events: Iterable[AuditEvent]) -> list[Line]:
    """Return events as a page shows them; their people and places are asked for all at once."""
    events = list(events)
    known = event_log.names_for(events)
    mine = set(scope.ids())
    return [_line(each, known, mine) for each in events]


def _line(found: AuditEvent, known: dict[str, str], mine: set[str]) -> Line:
    about = known.get(found.account_id or "")
    is_there = about is not None and found.directory_id in mine
    if about is None and found.target_kind == "account":
        about = found.target_name
    if about is None and found.kind.startswith("account.group_"):
        about = found.data.get("account")
    return Line(
        found,
        event_words.tell(found),
        about,
        page_of("account", found.account_id) if is_there else None,
        _actor(found, known),
        _where(found),
        url_for("stormpath_admin.log.event", id=found.id),
    )


def _actor(found: AuditEvent, known: dict[str, str]) -> str | None:
    """Return who acted; None: nobody known, or the account itself."""
    if found.actor_id is not None and found.actor_id == found.account_id:
        return None
    return found.actor_name or known.get(found.actor_id or "") or found.actor_id


def _where(found: AuditEvent) -> str:
    if found.kind.startswith(OF_THE_APP):
        return _("From your app")
    if found.interface == "cli":
        return _("Command line")
    if found.interface == "python":
        return _("Code of the app")
    return ", ".join(filter(None, (found.address, user_agents.device(found.user_agent) if found.user_agent else None)))


def page_of(kind: str | None, resource_id: str | None) -> str | None:
    """Return the address of the page of a thing; None: it has none."""
    endpoint = f"stormpath_admin.{_PAGES.get(kind or '', '')}"
    return url_for(endpoint, id=resource_id) if resource_id and endpoint in current_app.view_functions else None


def _target_url(found: AuditEvent) -> str | None:
    places: dict[str, Any] = {
        "account": (Account, scope.accounts),
        "group": (Group, scope.groups),
        "directory": (Directory, scope.directories),
        "application": (Application, scope.applications),
    }
    if found.target_kind not in places or not found.target_id:
        return None
    model, collection = places[found.target_kind]
    is_there = scope.find(collection(), model, found.target_id)
    return page_of(found.target_kind, found.target_id) if is_there else None


def _place(kind: str, resource_id: str | None, known: dict[str, str]) -> dict[str, str | None] | None:
    if resource_id is None:
        return None
    if name := known.get(resource_id):
        return {"name": name, "url": page_of(kind, resource_id)}
    return {"name": _("deleted meanwhile, %(id)s", id=resource_id), "url": None}


def _as_json(found: AuditEvent) -> dict[str, Any]:
    columns = [column.key for column in AuditEvent.__table__.columns if column.key != "details"]
    known = {name: getattr(found, name) for name in columns}
    return {**known, "at": found.at.isoformat(), "details": found.data}


def _csv(question: Question | None) -> Iterator[str]:
    """Yield the lines of a file; cells that a spreadsheet would run are made harmless."""
    writer = csv.writer(export.Line())
    head = ["at", "kind", "event", "account", "actor", "target", "address", "interface", "reason", "details", "id"]
    yield writer.writerow(head)
    before: str | None = None
    while question is not None:
        found = event_log.find(question, before=before, limit=_LINES)
        for line in lines(found.events):
            each = line.event
            row = [each.at, each.kind, line.told.sentence, line.about, line.by, each.target_name]
            row += [each.address, each.interface, each.reason, each.details, each.id]
            session.expunge(each)  # a long file is not kept in memory
            yield writer.writerow([export.cell(value) for value in row])
        before = found.older
        if before is None:
            return
