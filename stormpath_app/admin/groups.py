"""Groups: their list, and the page of one, with its members."""

from collections.abc import Mapping
from typing import Any, ClassVar

import sqlalchemy as sa
from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.actions import action
from wtforms import SelectField
from wtforms.validators import InputRequired

from ..database import session
from ..errors import StormpathError
from ..models import DISABLED, ENABLED, Account, Collection, Directory, Group, GroupMembership
from ..models.administration import MANAGER
from ..translation import gettext as _, mark
from . import scope
from .custom_data import CustomDataPages
from .gate import needs
from .named import NamedForm, NamedView
from .pages import MOST_COUNTED, count

#: So many accounts that a search finds can be added at once.
_FOUND = 10


class NewGroupForm(NamedForm):
    """What a new group is, and the directory that it is in, which stays."""

    directory = SelectField(mark("Directory"), [InputRequired(mark("Choose a directory."))])


class GroupsView(CustomDataPages, NamedView):
    """All groups of the directories that the administrator deals with."""

    path, icon, section = "/groups", "layers", 1
    new_text = mark("New group")
    column_list = ("name", "directory", "members", "status", "created_at")
    column_labels: ClassVar[dict[str, str]] = {
        "name": mark("Group"),
        "directory": mark("Directory"),
        "members": mark("Members"),
        "status": mark("Status"),
        "created_at": mark("Created"),
    }
    wide_columns = frozenset({"created_at"})
    filter_names = ("directory",)
    list_template = "stormpath_admin/groups.html"
    create_template = "stormpath_admin/group_new.html"
    edit_template = "stormpath_admin/group.html"

    def collection(self) -> Collection[Group]:
        """Return the groups in scope."""
        return scope.groups()

    def filtered(self, found: Collection[Group], asked: Mapping[str, str]) -> Collection[Group]:
        """Return those of a directory."""
        if directory_id := asked.get("directory"):
            return scope.one_of(scope.directories(), Directory, directory_id).groups
        return found

    def filters(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the directories."""
        choices = [("", _("All directories")), *scope.choices(scope.directories(), asked.get("directory"))]
        return [{"name": "directory", "label": _("Directory"), "choices": choices}]

    def beside(self, rows: list[Group]) -> dict[str, Any]:
        """Return how many members each has, and their directories."""
        return {
            "members_of": {group_id: count(number) for group_id, number in _members(rows).items()},
            "directory_of": scope.directory_names(rows),
        }

    # --- New, change ---

    def create_form(self, obj: Any = None) -> NewGroupForm:
        """Return the form of a new group."""
        form = NewGroupForm({"directory": request.args.get("directory") or scope.usual_directory("group")})
        form.directory.choices = scope.choices(scope.directories(), form.directory.data)
        return form

    def create_model(self, form: NewGroupForm) -> Group:
        """Create it in the directory that was chosen."""
        directory = scope.one_of(scope.directories(), Directory, form.directory.data or "")
        return directory.create_group(form.properties)

    def page(self, resource: Group) -> dict[str, Any]:
        """Return a page of the members, and whom a search found to be added."""
        members = resource.accounts
        if text := request.args.get("q", "").strip():
            members = members.search(text)
        some = members.page(self.page_size, after=request.args.get("after"), before=request.args.get("before"))
        wanted = request.args.get("add", "").strip()
        return {
            "members": some,
            "total": count(resource.accounts.count(MOST_COUNTED)),
            "applications": list(resource.applications),
            "q": text,
            "wanted": wanted,
            "candidates": resource.directory.accounts.search(wanted).limit(_FOUND)[:] if wanted else [],
        }

    def goes_with(self, resource: Group) -> list[str]:
        """Say what becomes of its members."""
        number = count(resource.accounts.count(MOST_COUNTED))
        return [
            _("%(count)s members lose what the group opens to them. Their accounts stay.", count=number),
            _("The applications whose account store it is lose it, and its members can log in there no more.")
            if resource.applications
            else _("No application has it as an account store."),
        ]

    @action("enable", mark("Enable"), mark("Each opens its doors to its members again."))
    @needs(MANAGER)
    def enable(self, group: Group) -> None:
        """Let it open doors."""
        group.status = ENABLED
        group.save()

    @action("disable", mark("Disable"), mark("Each opens no door until somebody enables it. Its members stay."))
    @needs(MANAGER)
    def disable(self, group: Group) -> None:
        """Let it open none."""
        group.status = DISABLED
        group.save()

    # --- Members ---

    @expose("/<id>/members", methods=("POST",))
    @needs(MANAGER)
    def members(self, id: str) -> ResponseReturnValue:
        """Put an account into the group, or take it out."""
        group = self.get_one(id)
        account = scope.one_of(scope.accounts(), Account, request.form.get("account", ""))
        try:
            match request.form.get("do"):
                case "add":
                    group.add_account(account)
                    flash(_("%(name)s is a member now.", name=account.email), "success")
                case "remove":
                    group.remove_account(account)
                    flash(_("%(name)s is no member any more.", name=account.email), "success")
                case _unknown:
                    abort(400)
        except StormpathError as error:
            flash(error.message, "error")
        return redirect(url_for(".edit_view", id=group.id), 303)


def _members(groups: list[Group]) -> dict[str, int]:
    """Return how many members each of these has, all in one statement; each is counted as far as any list."""
    counted = []
    for group in groups:
        some = sa.select(GroupMembership.id).where(GroupMembership.group_id == group.id).limit(MOST_COUNTED).subquery()
        number = sa.select(sa.func.count()).select_from(some).scalar_subquery()
        counted.append(sa.select(sa.literal(group.id), number))
    return {found[0]: found[1] for found in session.execute(sa.union_all(*counted))} if counted else {}
