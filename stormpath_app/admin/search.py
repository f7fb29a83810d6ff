"""Search everywhere: accounts, groups, directories, applications and pages, by whatever somebody has of them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from ..errors import ResourceNotFound
from ..models import Account, Application, Directory, Group
from ..models.administration import OWNER, VIEWER
from ..models.administrator import directory
from ..translation import gettext as _, ngettext
from . import scope
from .base import ConsoleView
from .gate import needs
from .pages import navigation
from .session import administrator

#: So many of each kind are shown.
_MOST = 6


class Hit(NamedTuple):
    """One thing that was found."""

    name: str
    note: str
    url: str
    icon: str


class SearchView(ConsoleView):
    """One box for all."""

    path = "/search"

    @expose("/")
    @needs(VIEWER)
    def index(self) -> ResponseReturnValue:
        """Show what was found. What can only be meant is opened, but from the palette, which shows it first."""
        text = request.args.get("q", "").strip()
        exact = _exact(text) if text else None
        if exact and "part" not in request.args:
            return redirect(exact.url)
        found = [(_("Exactly this"), [exact])] if exact else []
        for title, hits in _found(text) if text else []:
            if others := [hit for hit in hits if hit != exact]:
                found.append((title, others))
        template = "_found.html" if "part" in request.args else "search.html"
        said = ngettext("%(count)s result", "%(count)s results", sum(len(hits) for _title, hits in found))
        return self.render(f"stormpath_admin/{template}", text=text, found=found, said=said)


def _exact(text: str) -> Hit | None:
    """Return the one thing whose id, href, email address or username this is; None where there is none, or several."""
    for model, collection, hit in _KINDS:
        if one := scope.find(collection(), model, model.id_in(text) or text):
            found: Hit = hit(one)
            return found
    try:
        return _account(scope.account_named(text))
    except ResourceNotFound:
        return None


def _found(text: str) -> list[tuple[str, list[Hit]]]:
    places = [place for group in navigation() for place in group if text.casefold() in place["name"].casefold()]
    return [
        (_("Accounts"), [_account(each) for each in scope.accounts().search(text).limit(_MOST)]),
        (_("Groups"), [_group(each) for each in scope.groups().search(text).limit(_MOST)]),
        (_("Directories"), [_directory(each) for each in scope.directories().search(text).limit(_MOST)]),
        (_("Applications"), [_application(each) for each in scope.applications().search(text).limit(_MOST)]),
        (_("Administrators"), [_administrator(each) for each in _administrators(text)]),
        (_("Pages"), [Hit(place["name"], "", place["url"], place["icon"]) for place in places]),
    ]


def _administrators(text: str) -> Iterable[Account]:
    """Return the administrators' accounts that a text finds, for owners; all others know nothing of them."""
    return directory().accounts.search(text).limit(_MOST) if administrator.may(OWNER) else []


def _administrator(account: Account) -> Hit:
    url = url_for("stormpath_admin.administrators.page", id=account.id)
    return Hit(account.full_name or account.email, account.email, url, "shield")


def _account(account: Account) -> Hit:
    url = url_for("stormpath_admin.accounts.edit_view", id=account.id)
    return Hit(account.full_name or account.email, account.email, url, "user")


def _group(group: Group) -> Hit:
    url = url_for("stormpath_admin.groups.edit_view", id=group.id)
    return Hit(group.name, _("Group of %(directory)s", directory=group.directory.name), url, "layers")


def _directory(directory: Directory) -> Hit:
    url = url_for("stormpath_admin.directories.edit_view", id=directory.id)
    return Hit(directory.name, directory.description or "", url, "folder")


def _application(application: Application) -> Hit:
    url = url_for("stormpath_admin.applications.edit_view", id=application.id)
    return Hit(application.name, application.description or "", url, "apps")


_KINDS: tuple[tuple[Any, Any, Any], ...] = (
    (Account, scope.accounts, _account),
    (Group, scope.groups, _group),
    (Directory, scope.directories, _directory),
    (Application, scope.applications, _application),
)
