"""Applications: their list, and the page of one, with the account stores that it asks, in order."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired

from ..errors import StormpathError
from ..models import DISABLED, ENABLED, AccountStoreMapping, Application, Collection, Directory, Group
from ..models.administration import OWNER
from ..settings import settings
from ..translation import gettext as _, mark
from . import scope
from .base import ConsoleForm, Quick, ResourceView
from .gate import needs
from .pages import MOST_COUNTED, count

#: So many stores are shown to choose from; there is a search for the others.
_MOST_CHOICES = 200


class ApplicationForm(ConsoleForm):
    """What an application is called and is for."""

    name = StringField(mark("Name"), [InputRequired(mark("Give it a name."))])
    description = TextAreaField(mark("Description"))
    status = SelectField(
        mark("Status"), choices=[(ENABLED, mark("Enabled")), (DISABLED, mark("Disabled"))], default=ENABLED
    )

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        super().__init__(known)
        self.status.choices = [(value, _(text)) for value, text in self.status.choices]


class NewApplicationForm(ApplicationForm):
    """And whether it gets a directory of its own."""

    create_directory = BooleanField(mark("Make a directory for its accounts"), default=True)


class ApplicationsView(ResourceView):
    """All applications but the console."""

    path, icon, section = "/applications", "apps", 1
    new_text, search_text = mark("New application"), mark("Name or description")
    creates = changes = OWNER
    column_list = ("name", "stores", "accounts", "status", "created_at")
    column_labels: ClassVar[dict[str, str]] = {
        "name": mark("Application"),
        "stores": mark("Account stores"),
        "accounts": mark("Accounts"),
        "status": mark("Status"),
        "created_at": mark("Created"),
    }
    column_sortable_list: ClassVar = [("name", "name"), ("created_at", "created_at")]
    wide_columns = frozenset({"created_at"})
    natural_sort = "name"
    quick = (
        Quick("enabled", mark("Enabled"), lambda found: found.query(status=ENABLED)),
        Quick("disabled", mark("Disabled"), lambda found: found.query(status=DISABLED)),
    )
    exported = ("name", "description", "status")
    list_template = "stormpath_admin/applications.html"
    create_template = "stormpath_admin/application_new.html"
    edit_template = "stormpath_admin/application.html"

    def collection(self) -> Collection[Application]:
        """Return the applications in scope."""
        return scope.applications()

    def beside(self, rows: list[Application]) -> dict[str, Any]:
        """Return how many accounts each lets in, and which is the site's own."""
        return {
            "accounts_of": {row.id: count(row.accounts.count(MOST_COUNTED)) for row in rows},
            "site": settings.APPLICATION,
        }

    # --- New, change ---

    def create_form(self, obj: Any = None) -> NewApplicationForm:
        """Return the form of a new application."""
        return NewApplicationForm()

    def create_model(self, form: NewApplicationForm) -> Application:
        """Create it, with a directory of its own if that was asked for."""
        return Application.create(
            name=form.name.data,
            description=form.description.data or None,
            status=form.status.data,
            create_directory=form.create_directory.data,
        )

    def edit_form(self, obj: Application) -> ApplicationForm:
        """Return the form of an application."""
        known = {"name": obj.name, "description": obj.description, "status": obj.status, "version": obj.version}
        return ApplicationForm(known)

    def update_model(self, form: ApplicationForm, model: Application) -> None:
        """Save its name, description and status."""
        model.name, model.description, model.status = (
            form.name.data,
            form.description.data or None,
            form.status.data,
        )
        model.save()

    def page(self, resource: Application) -> dict[str, Any]:
        """Return the account stores in order, those that can be added, and what a login name that is tried meets."""
        mappings = list(resource.account_store_mappings)
        tried = request.args.get("login", "").strip()
        wanted = request.args.get("store", "").strip()
        return {
            "mappings": mappings,
            "candidates": self._candidates(resource, wanted),
            "wanted": wanted,
            "tried": tried,
            "steps": list(_walk(mappings, tried)) if tried else [],
            "is_site": resource.name_key == (Application.named(settings.APPLICATION) or resource).name_key,
            "accounts_count": count(resource.accounts.count(MOST_COUNTED)),
        }

    def _candidates(self, application: Application, wanted: str) -> list[Directory | Group]:
        mapped = {mapping.store_id for mapping in application.account_store_mappings}
        directories, groups = scope.directories(), scope.groups()
        if wanted:
            directories, groups = directories.search(wanted), groups.search(wanted)
        some: list[Any] = [*directories.order("name")[:_MOST_CHOICES], *groups.order("name")[:_MOST_CHOICES]]
        return [store for store in some if store.id not in mapped]

    def goes_with(self, resource: Application) -> list[str]:
        """Say what stays."""
        return [
            _("Nobody can log in to it any more, and those who are logged in are logged out."),
            _("Its directories stay, with all their accounts and groups."),
        ]

    # --- Account stores ---

    @expose("/<id>/stores", methods=("POST",))
    @needs(OWNER)
    def stores(self, id: str) -> ResponseReturnValue:  # noqa: A002 - Flask-Admin's name
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
        return next((each for each in application.account_store_mappings if each.id == wanted), None) or abort(404)


def _store(store_id: str) -> Directory | Group:
    found = Directory.find(store_id) if store_id.isalnum() else None
    if found is not None and found in scope.directories():
        return found
    return scope.one_of(scope.groups(), Group, store_id)


def _walk(mappings: list[AccountStoreMapping], login: str) -> Any:
    """Yield each account store in turn, with the account that it has for a login name, until one has it."""
    is_found = False
    for mapping in mappings:
        store = mapping.account_store
        account = None if is_found or not store.is_open else store.home.find_account(login)
        if account is not None and isinstance(store, Group) and not store.has_account(account):
            account = None
        yield {"mapping": mapping, "account": account, "is_open": store.is_open, "is_reached": not is_found}
        is_found = is_found or account is not None
