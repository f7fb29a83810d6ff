"""Directories: their list, and the page of one. What it asks and what it mails is in `policies` and `workflows`."""

from typing import Any, ClassVar

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import SelectField

from .. import providers
from ..models import Application, Directory
from ..models.administration import OWNER
from ..models.provider import name_of
from ..transactions import atomic
from ..translation import gettext as _, mark
from . import scope
from .custom_data import CustomDataPages
from .directory_pages import accounts, mails
from .gate import ask_password, needs
from .named import NamedForm, NamedView
from .pages import MOST_COUNTED, count
from .policies import PolicyPages
from .providers import CLOUD, NewMirrorForm, ProviderPages, set_elsewhere, told_at_fields
from .session import administrator
from .workflows import WorkflowPages


class NewDirectoryForm(NamedForm):
    """What a new directory is, and the application that its accounts log in to."""

    application = SelectField(mark("Application"), validate_choice=False)


class DirectoriesView(PolicyPages, WorkflowPages, ProviderPages, CustomDataPages, NamedView):
    """All directories but that of the administrators."""

    path, icon, section = "/directories", "folder", 1
    new_text = mark("New directory")
    creates = changes = OWNER
    column_list = ("name", "accounts", "rules", "mails", "status", "created_at")
    column_labels: ClassVar[dict[str, str]] = {
        "name": mark("Directory"),
        "accounts": mark("Accounts"),
        "rules": mark("Passwords"),
        "mails": mark("Mails"),
        "status": mark("Status"),
        "created_at": mark("Created"),
    }
    wide_columns = frozenset({"rules", "mails", "created_at"})
    list_template = "stormpath_admin/directories.html"
    create_template = "stormpath_admin/directory_new.html"
    edit_template = "stormpath_admin/directory.html"

    def beside(self, rows: list[Directory]) -> dict[str, Any]:
        """Return how many accounts each has, and which mails it sends, and by which provider they come."""
        return {
            "accounts_of": {row.id: count(row.accounts.count(MOST_COUNTED)) for row in rows},
            "mails_of": {row.id: [mail["name"] for mail in mails(row) if mail["is_on"]] for row in rows},
            "provider_of": {row.id: name_of(row.provider_id) for row in rows if not row.is_cloud},
        }

    # --- New, change ---

    @expose("/new", methods=("GET", "POST"))
    @needs(OWNER)
    def create_view(self) -> ResponseReturnValue:
        """Ask which kind of directory is wanted; show the form of that kind, or create one."""
        kind = request.args.get("kind", "")
        if not kind:
            return self.kinds_page()
        if kind not in {CLOUD, *providers.KINDS}:
            abort(404)
        if kind in providers.configured():
            flash(set_elsewhere(kind), "error")
            return redirect(url_for(".create_view"), 303)
        if kind != CLOUD and not administrator.is_fresh and (asked := ask_password()) is not None:
            return asked
        answer: ResponseReturnValue = super().create_view()
        return answer

    def create_form(self, obj: Any = None) -> NewDirectoryForm | NewMirrorForm:
        """Return the form of a new directory of the kind that the address names."""
        if request.args["kind"] != CLOUD:
            return self.new_mirror_form(request.args["kind"])
        form = NewDirectoryForm()
        form.application.choices = [("", _("None yet")), *scope.choices(scope.applications())]
        return form

    def new_page(self, form: NewDirectoryForm | NewMirrorForm) -> str:
        """Render it."""
        return self.new_mirror_page(form) if isinstance(form, NewMirrorForm) else super().new_page(form)

    def create_model(self, form: NewDirectoryForm | NewMirrorForm) -> Directory:
        """Create it, and let the accounts of an application be in it if one was chosen."""
        chosen = form.application.data
        application = scope.one_of(scope.applications(), Application, chosen) if chosen else None
        with told_at_fields(), atomic():
            created = Directory.create(form.properties)
            if application:
                application.add_account_store(created)
        return created

    def page(self, resource: Directory) -> dict[str, Any]:
        """Return what its first page shows."""
        mine = {application.id for application in scope.applications()}
        head = self.head(resource, "overview")
        del head["resource"]  # the list's view gives it
        mapped = [each for each in resource.applications if each.id in mine]
        groups = count(resource.groups.count(MOST_COUNTED))
        return {**head, "mails": mails(resource), "applications": mapped, "groups_count": groups}

    def goes_with(self, resource: Directory) -> list[str]:
        """Say what becomes of its accounts, its groups, and the applications that ask it."""
        told = [
            _("Accounts: %(count)s, with their groups, logins, keys and custom data.", count=accounts(resource)),
            _("Groups: %(count)s.", count=count(resource.groups.count(MOST_COUNTED))),
            _("Its rules and the texts of its mails."),
        ]
        if names := [application.name for application in resource.applications]:
            told.append(_("Nobody of it can log in to %(names)s any more. These stay.", names=", ".join(names)))
        return told

    # --- Custom data ---

    def custom_data_page(self, resource: Directory, **shown: Any) -> str:
        """Render the tab with the custom data."""
        return self.render("stormpath_admin/directory_custom_data.html", **self.head(resource, "custom-data"), **shown)
