"""Applications: their list, and the page of one, with the account stores that it asks, in order."""

from collections.abc import Iterator
from typing import Any, ClassVar

import sqlalchemy as sa
from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import BooleanField

from ..database import session
from ..errors import StormpathError
from ..models import AccountStoreMapping, Application, Collection, Directory, Group
from ..models.administration import OWNER
from ..models.provider import name_of
from ..settings import settings
from ..translation import gettext as _, mark
from . import scope
from .custom_data import CustomDataPages
from .gate import needs
from .linking import LinkingPages, linking_effects, linking_form
from .named import NamedForm, NamedView
from .pages import MOST_COUNTED, count


class NewApplicationForm(NamedForm):
    """What a new application is, and whether it gets a directory of its own."""

    create_directory = BooleanField(mark("Make a directory for its accounts"), default=True)


class ApplicationsView(LinkingPages, CustomDataPages, NamedView):
    """All applications but the console."""

    path, icon, section = "/applications", "apps", 1
    new_text = mark("New application")
    creates = changes = OWNER
    column_list = ("name", "stores", "accounts", "status", "created_at")
    column_labels: ClassVar[dict[str, str]] = {
        "name": mark("Application"),
        "stores": mark("Account stores"),
        "accounts": mark("Accounts"),
        "status": mark("Status"),
        "created_at": mark("Created"),
    }
    wide_columns = frozenset({"created_at"})
    list_template = "stormpath_admin/applications.html"
    create_template = "stormpath_admin/application_new.html"
    edit_template = "stormpath_admin/application.html"

    def collection(self) -> Collection[Application]:
        """Return the applications in scope."""
        return scope.applications()

    def beside(self, rows: list[Application]) -> dict[str, Any]:
        """Return the stores of each and how many accounts they let in, and which is the site's own."""
        mapped = (
            sa.select(AccountStoreMapping)
            .where(AccountStoreMapping.application_id.in_([row.id for row in rows]))
            .order_by(AccountStoreMapping.list_index)
        )
        stores: dict[str, list[str]] = {}
        for mapping in session.scalars(mapped):
            if mapping.directory_id in scope.ids():
                stores.setdefault(mapping.application_id, []).append(mapping.account_store.name)
        return {
            "stores_of": stores,
            "accounts_of": {row.id: count(scope.accounts_of(row).count(MOST_COUNTED)) for row in rows},
            "site": settings.APPLICATION,
        }

    # --- New, change ---

    def create_form(self, obj: Any = None) -> NewApplicationForm:
        """Return the form of a new application."""
        return NewApplicationForm()

    def create_model(self, form: NewApplicationForm) -> Application:
        """Create it, with a directory of its own if that was asked for."""
        return Application.create(form.properties, create_directory=form.create_directory.data)

    def page(self, resource: Application) -> dict[str, Any]:
        """Return the account stores in order, those that can be added, and what a login name that is tried meets."""
        mappings = list(resource.account_store_mappings)
        tried = request.args.get("login", "").strip()
        return {
            "may": self.may_change(),
            "mappings": mappings,
            "is_seen": lambda mapping: mapping.directory_id in scope.ids(),
            "provider_of": name_of,
            "linking": linking_form(resource.account_linking_policy),
            "effects": linking_effects(resource),
            "candidates": self._candidates(mappings) if self.may_change() else [],
            "tried": tried,
            "steps": list(_walk(mappings, tried)) if tried else [],
            "is_site": resource.name == settings.APPLICATION,
            "accounts_count": count(scope.accounts_of(resource).count(MOST_COUNTED)),
        }

    def _candidates(self, mappings: list[AccountStoreMapping]) -> list[tuple[str, str]]:
        """Return the directories and groups that can be added: ids and names."""
        mapped = {mapping.store_id for mapping in mappings}
        directories = scope.choices(scope.directories())
        groups = scope.groups().order("name")[: scope.MOST_CHOICES]
        of_groups = [
            (each.id, f"{each.name} ({_('Group of %(directory)s', directory=each.directory.name)})") for each in groups
        ]
        return [(store_id, name) for store_id, name in [*directories, *of_groups] if store_id not in mapped]

    def goes_with(self, resource: Application) -> list[str]:
        """Say what stays."""
        return [
            _("Nobody can log in to it any more, and those who are logged in are logged out."),
            _("Its directories stay, with all their accounts and groups."),
        ]

    # --- Account stores ---

    @expose("/<id>/stores", methods=("POST",))
    @needs(OWNER)
    def stores(self, id: str) -> ResponseReturnValue:
        """Add an account store, move it, make it a default, or take it away."""
        application = self.get_one(id)
        try:
            flash(self._change(application, request.form.get("do", "")), "success")
        except StormpathError as error:
            flash(error.message, "error")
        return redirect(url_for(".edit_view", id=application.id, _anchor="stores"), 303)

    def _change(self, application: Application, what: str) -> str:
        """Change the list of account stores; return what was done."""
        if what == "add":
            store = _store(request.form.get("store", ""))
            application.add_account_store(store)
            return _("%(name)s is asked last now.", name=store.name)
        mapping = self._mapping(application)
        name = mapping.account_store.name
        match what:
            case "up" | "down":
                mapping.list_index = max(0, mapping.list_index + (1 if what == "down" else -1))
                mapping.save()
                return _("%(name)s is asked at place %(place)s now.", name=name, place=mapping.list_index + 1)
            case "default_account_store":
                mapping.is_default_account_store = True
                mapping.save()
                return _("New accounts go to %(name)s now.", name=name)
            case "default_group_store":
                mapping.is_default_group_store = True
                mapping.save()
                return _("New groups go to %(name)s now.", name=name)
            case "remove":
                mapping.delete()
                return _("%(name)s is not asked any more. Its accounts stay.", name=name)
        return abort(400)

    def _mapping(self, application: Application) -> AccountStoreMapping:
        wanted = request.form.get("mapping", "")
        found = (each for each in application.account_store_mappings if each.directory_id in scope.ids())
        return next((each for each in found if each.id == wanted), None) or abort(404)


def _store(store_id: str) -> Directory | Group:
    found = scope.find(scope.directories(), Directory, store_id)
    return found or scope.one_of(scope.groups(), Group, store_id)


def _walk(mappings: list[AccountStoreMapping], login: str) -> Iterator[dict[str, Any]]:
    """Yield each account store in turn, with the account that it has for a login name, until one has it.

    What a store has that is not in scope is not told.
    """
    is_found = False
    for mapping in mappings:
        store = mapping.account_store
        is_asked = not is_found and store.is_open and mapping.directory_id in scope.ids()
        account = store.home.find_account(login) if is_asked else None
        if account is not None and isinstance(store, Group) and not store.has_account(account):
            account = None
        yield {"mapping": mapping, "account": account, "is_open": store.is_open, "is_reached": not is_found}
        is_found = is_found or account is not None
