"""The list of accounts."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import sqlalchemy as sa
from flask_admin.actions import action
from wtforms import SelectField
from wtforms.validators import InputRequired

from .. import clock, throttle
from ..database import session
from ..models import DISABLED, ENABLED, UNVERIFIED, Account, Collection, Directory, Group, GroupMembership, statistics
from ..models.administration import MANAGER, SUPPORT
from ..translation import gettext as _, mark
from . import charts, scope
from .account_actions import AccountActions
from .base import ConsoleForm, Quick
from .custom_data import CustomDataPages
from .gate import needs
from .identities import IdentityPages


def _with_status(status: str) -> Any:
    return lambda found: found.query(status=status)


def _new(found: Collection[Account]) -> Collection[Account]:
    since = clock.now() - timedelta(days=7)
    return found.query(created_at=f"[{since:%Y-%m-%dT%H:%M:%SZ},]")


def _locked(found: Collection[Account]) -> Collection[Account]:
    return found.among(throttle.locked_accounts())


class GroupForm(ConsoleForm):
    """The group that accounts are put into, or taken out of."""

    group = SelectField(mark("Group"), [InputRequired(mark("Choose a group."))])


class AccountsView(AccountActions, IdentityPages, CustomDataPages):
    """All accounts of the directories that the administrator deals with."""

    path, icon, section = "/accounts", "users", 1
    new_text, search_text = mark("New account"), mark("Email, name or username")
    column_list = ("name", "directory", "groups", "status", "last_login", "activity")
    column_labels: ClassVar[dict[str, str]] = {
        "name": mark("Account"),
        "directory": mark("Directory"),
        "groups": mark("Groups"),
        "status": mark("Status"),
        "last_login": mark("Last login"),
        "activity": mark("30 days"),
    }
    column_sortable_list: ClassVar = [("name", "email"), ("created_at", "created_at")]
    wide_columns = frozenset({"directory", "groups", "activity"})
    quick = (
        Quick("enabled", mark("Enabled"), _with_status(ENABLED)),
        Quick("unverified", mark("Unverified"), _with_status(UNVERIFIED)),
        Quick("disabled", mark("Disabled"), _with_status(DISABLED)),
        Quick("locked", mark("Locked"), _locked),
        Quick("new", mark("New this week"), _new),
    )
    filter_names = ("directory", "group")
    exported = (
        *("email", "username", "given_name", "middle_name", "surname", "full_name", "status"),
        *("email_verification_status", "must_change_password", "password_modified_at"),
    )
    row_actions: ClassVar[dict[str, tuple[str, str]]] = {
        "reset": ("send", "at-once"),
        "sign_out": ("out", "at-once"),
        "disable": ("cross", "ask-first"),
    }
    list_template = "stormpath_admin/accounts.html"

    def collection(self) -> Collection[Account]:
        """Return the accounts in scope."""
        return scope.accounts()

    def label(self, resource: Account) -> str:
        """Return the email address."""
        return resource.email

    def filtered(self, found: Collection[Account], asked: Mapping[str, str]) -> Collection[Account]:
        """Return those of a directory, or of a group."""
        if directory_id := asked.get("directory"):
            directory = scope.one_of(scope.directories(), Directory, directory_id)
            found = directory.accounts
        if group_id := asked.get("group"):
            group = scope.one_of(scope.groups(), Group, group_id)
            found = found.among(sa.select(GroupMembership.account_id).where(GroupMembership.group_id == group.id))
        return found

    def filters(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the directories and the groups."""
        groups = scope.groups()
        if directory_id := asked.get("directory"):
            groups = scope.one_of(scope.directories(), Directory, directory_id).groups
        directories = scope.choices(scope.directories(), directory_id)
        of_groups = scope.choices(groups, asked.get("group"))
        return [
            {"name": "directory", "label": _("Directory"), "choices": [("", _("All directories")), *directories]},
            {"name": "group", "label": _("Group"), "choices": [("", _("All groups")), *of_groups]},
        ]

    def beside(self, rows: list[Account]) -> dict[str, Any]:
        """Return the groups and locks of the accounts of a page, and their directories."""
        ids = [row.id for row in rows]
        groups: dict[str, list[str]] = {}
        named = (
            sa.select(GroupMembership.account_id, Group.name)
            .join(Group, Group.id == GroupMembership.group_id)
            .where(GroupMembership.account_id.in_(ids))
            .order_by(Group.name)
        )
        for account_id, name in session.execute(named):
            groups.setdefault(account_id, []).append(name)
        return {
            "groups_of": groups,
            "directory_of": scope.directory_names(rows),
            "locked_until": throttle.locked_until(ids),
            "logins_of": statistics.logins(ids),
            "spark": charts.spark,
        }

    def custom_data_page(self, resource: Account, **shown: Any) -> str:
        """Render the tab with the custom data."""
        return self.tab(resource, "custom-data", resource=resource, **shown)

    # --- In bulk ---

    @action("reset", mark("Send reset mail"), mark("Each is mailed a link to choose a new password."))
    @needs(SUPPORT)
    def send_reset(self, account: Account) -> None:
        """Mail a link to choose a new password."""
        scope.application_of(account).send_password_reset_email(account.email, account_store=account.directory)

    @action("sign_out", mark("Sign out"), mark("Each is logged out on every device; their passwords stay."))
    @needs(SUPPORT)
    def sign_out(self, account: Account) -> None:
        """End all logins."""
        account.sign_out()

    @action("add_group", mark("Add to group"), mark("Each becomes a member, if they are in the group's directory."))
    @needs(MANAGER)
    def add_group(self, account: Account, form: GroupForm) -> None:
        """Add to the group that was chosen."""
        account.add_group(scope.one_of(scope.groups(), Group, form.group.data))

    @action("remove_group", mark("Remove from group"), mark("Each who is in the group is no member of it any more."))
    @needs(MANAGER)
    def remove_group(self, account: Account, form: GroupForm) -> None:
        """Take out of the group that was chosen."""
        account.remove_group(scope.one_of(scope.groups(), Group, form.group.data))

    @action("enable", mark("Enable"), mark("Each can log in again."))
    @needs(MANAGER)
    def enable(self, account: Account) -> None:
        """Let it log in."""
        account.status = ENABLED
        account.save()

    @action(
        "disable", mark("Disable"), mark("Each is logged out at once, and cannot log in until somebody enables it.")
    )
    @needs(MANAGER)
    def disable(self, account: Account) -> None:
        """Let it in no more, and end its logins."""
        account.status = DISABLED
        account.save()

    def action_form_fields(self, name: str, chosen: list[Account]) -> ConsoleForm | None:
        """Return the choice of a group of their directories, for who is to be put into one or taken out."""
        if name not in {"add_group", "remove_group"}:
            return None
        form = GroupForm()
        directory_ids = {account.directory_id for account in chosen}
        groups = scope.groups().among(sa.select(Group.id).where(Group.directory_id.in_(directory_ids)))
        form.group.choices = scope.choices(groups)
        return form
