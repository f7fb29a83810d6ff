"""Group: a named set of accounts of a directory, which views can ask for."""

import builtins
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from .. import names, signals
from ..database import session
from ..errors import DirectoriesDiffer, Protected, ResourceNotFound
from ..transactions import announce
from . import administration, custom_data_rows, event
from .account_store import AccountStore
from .account_store_mapping import AccountStoreMapping
from .base import ENABLED, Id, Resource, stays
from .collection import Collection
from .group_membership import GroupMembership, forget_known_groups
from .unsaved import changed

if TYPE_CHECKING:
    from .account import Account
    from .directory import Directory
    from .password_policy import PasswordPolicy
    from .tenant import Tenant


class Group(AccountStore):
    """A set of accounts of one directory, and what they may do. A DISABLED one opens no door.

    As an account store of an application it lets its members in, and no other account of the directory.
    """

    __tablename__ = "stormpath_groups"
    __table_args__ = (sa.UniqueConstraint("directory_id", "name_key"),)
    __allow_unmapped__ = True  # for the attribute below that is no column
    thing, collection = "Group", "groups"
    links = frozenset(
        {
            *("tenant", "directory", "accounts", "account_memberships", "custom_data"),
            *("applications", "account_store_mappings", "application_mappings"),
        }
    )
    custom_data_table = custom_data_rows.table(__tablename__)

    directory_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"))

    directory: Mapped["Directory"] = relationship()

    #: The application that a new group is created through; None: its directory alone.
    came_through: Resource | None = None

    @validates("directory_id", "directory")
    def _check_directory(self, key: str, value: object) -> object:
        return stays(self, key, value)

    @classmethod
    def named(cls, name: str) -> Self | None:
        """Return the one group with this name, whatever its case, of all directories; None: none has it, or several.

        Administrators' roles are not meant.
        """
        if not names.can_be_stored(name):
            return None
        found = session.scalars(sa.select(cls).where(cls.name_key == names.key(name)).limit(3)).all()
        meant = [group for group in found if not group.is_role]
        return meant[0] if len(meant) == 1 else None

    @property
    def is_role(self) -> bool:
        """Whether it is a role of the console's administrators."""
        return self.name_key in administration.ROLES and administration.is_administrators(self.directory)

    @property
    def tenant(self) -> "Tenant":
        """The tenant of its directory."""
        return self.directory.tenant

    # --- Who is in it. An account is given by itself, its href, its e-mail address or username, or a search. ---

    @property
    def accounts(self) -> "Collection[Account]":
        """The accounts in the group."""
        return self.directory.accounts.among(self.account_ids())

    @property
    def account_memberships(self) -> Collection[GroupMembership]:
        """The memberships of the accounts in the group. `create(account=...)` makes one."""
        mine = GroupMembership.group_id == self.id
        return Collection(GroupMembership, mine, create=partial(GroupMembership.create, group=self))

    def add_account(self, account: "Account | str | Mapping[str, Any]") -> GroupMembership:
        """Put an account into the group, and commit. Where it is in already, nothing happens.

        :raises ResourceNotFound: there is no such account in the directory.
        :raises DirectoriesDiffer: it is in another directory.
        """
        return GroupMembership.join(self.directory.get_account(account), self)

    def remove_account(self, account: "Account | str | Mapping[str, Any]") -> None:
        """Take an account out of the group, and commit.

        :raises ResourceNotFound: it is not in the group, or not in the directory.
        """
        GroupMembership.leave(self.directory.get_account(account), self)

    def has_account(self, account: "Account | str | Mapping[str, Any]") -> bool:
        """Tell whether an account is in the group, be the group DISABLED or not."""
        try:
            return GroupMembership.of(self.directory.get_account(account).id, self.id) is not None
        except (ResourceNotFound, DirectoriesDiffer):
            return False

    def has_accounts(
        self,
        accounts: "Iterable[Account | str | Mapping[str, Any]]",
        all: bool = True,  # noqa: A002 - Stormpath's
    ) -> bool:
        """Tell whether all of these accounts are in the group; `all=False`: whether one of them is."""
        found = (self.has_account(account) for account in listed(accounts))
        return builtins.all(found) if all else any(found)

    # --- As an account store ---

    @property
    def home(self) -> "Directory":
        """The directory, whose accounts its members are."""
        return self.directory

    @property
    def password_policy(self) -> "PasswordPolicy":
        """The policy of the directory."""
        return self.directory.password_policy

    @property
    def is_open(self) -> bool:
        """Whether its members are let in through it: it is ENABLED, and so is the directory."""
        return self.status == self.directory.status == ENABLED

    def holds(self, kind: type[Resource]) -> sa.ColumnElement[bool]:
        """Return the condition for what it has of a kind: its members of Account, itself of Group."""
        return kind.id == self.id if kind is Group else kind.id.in_(self.account_ids())

    def account_ids(self) -> sa.Select[Any]:
        """Return a statement for the ids of its members."""
        return sa.select(GroupMembership.account_id).where(GroupMembership.group_id == self.id)

    def create_account(
        self,
        properties: Mapping[str, Any] | None = None,
        *,
        application: Resource | None = None,
        registration_workflow_enabled: bool = True,
        **more: Any,
    ) -> "Account":
        """Create an account in the directory and put it into the group, both or none, and commit.

        :param application: through which it comes, for the log.
        :param registration_workflow_enabled: False: it need confirm no address, and gets no mail.
        :raises AccountAlreadyExists, PasswordRefused, PropertyError: it cannot be; nothing is written.
        """
        account = self.directory.new_account({**(properties or {}), **more}, application)
        account.first_group, account.registration_workflow_enabled = self, registration_workflow_enabled
        account.save()
        return account

    def end_logins_of(self, accounts: sa.Select[Any]) -> None:
        """End the logins that lived through the group alone, of the accounts with the ids that a statement gives."""
        self.end_logins(sa.select(AccountStoreMapping.application_id).where(self._going_with_it()), accounts)

    # --- Saving ---

    def _before_save(self) -> None:
        if self.is_new:
            told = event.changes(self)
            self._record("group.created", application_id=self.came_through and self.came_through.id, changed=told)
        else:
            if administration.is_administrators(self.directory):
                administration.guard(self, changed(self), *administration.ROLES)
            self._tell_update(changed(self))

    def _tell_update(self, what: dict[str, tuple[Any, Any]]) -> None:
        details = self._custom_data_details()
        if what or details:
            columns = {"changed": event.changes(self, what)} if what else {}
            self._record("group.updated", **columns, **details)

    def _after_save(self, what: dict[str, tuple[Any, Any]]) -> None:
        forget_known_groups()
        if "status" in what and self.status != ENABLED:
            self.end_logins_of(self.account_ids())

    def _before_delete(self) -> None:
        if self.is_role:
            raise Protected
        self._record("group.deleted")
        last = dict(self)
        announce(signals.group_deleted, lambda: {"group": last})

    def _after_delete(self) -> None:
        forget_known_groups()

    def _record(self, kind: str, **details: Any) -> None:
        event.record(kind, target=self, directory_id=self.directory_id, **details)

    def _neighbours(self) -> tuple[sa.ColumnElement[bool], ...]:
        return (Group.directory_id == self.directory_id,)


# --- Which group is meant ---


class Reference(NamedTuple):
    """A group as it is asked for: by its `id`, or by the `key` of its name. The other one is None."""

    id: str | None
    key: str | None


def reference(group: "Group | str | Reference") -> Reference:
    """Return what a group is asked for by: a Group and an href by the id, any other text as a name.

    :raises TypeError: it is none of these.
    """
    if isinstance(group, Reference):
        return group
    if isinstance(group, Group):
        return Reference(group.id, None)
    if isinstance(group, str):
        found = Group.id_in(group)
        return Reference(found, None if found else names.key(group))
    raise TypeError(f"A group is a Group, its name or its href; {group!r} is none of these.")


def references(groups: "Iterable[Group | str | Reference]") -> frozenset[Reference]:
    """Return what several groups are asked for by.

    :raises TypeError: it is a single one, or one of them is no group.
    """
    return frozenset(map(reference, listed(groups)))


def listed(several: Iterable[Any]) -> Iterable[Any]:
    """Return what was given.

    :raises TypeError: it is a single one, such as a text, whose letters would be taken for names.
    """
    if isinstance(several, str | Mapping) or not isinstance(several, Iterable):
        raise TypeError(f"This takes a list, such as ['admins']; {several!r} is none.")
    return several
