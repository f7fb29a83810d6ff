"""Directory: a bucket of accounts with one password policy, and their groups. It is an account store."""

import difflib
from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .. import names
from ..database import session
from ..errors import DirectoriesDiffer, PropertyRequired, ResourceNotFound
from . import custom_data_rows, event, session as sessions
from .account import Account
from .base import ENABLED, Id, Resource, merge
from .collection import Collection
from .group import Group
from .login_name import LoginName
from .named import Named
from .password_policy import PasswordPolicy
from .tenant import Tenant
from .unsaved import changed

if TYPE_CHECKING:
    from .account_store_mapping import AccountStoreMapping

R = TypeVar("R", Account, Group)

# Built once, as a login should cost little beside its hash.
_KNOWN_AS = (
    sa.select(Account)
    .join(LoginName, LoginName.account_id == Account.id)
    .where(LoginName.directory_id == sa.bindparam("directory_id"), LoginName.name_key == sa.bindparam("name_key"))
)


class Directory(Named):
    """Accounts that share a password policy; their e-mail addresses and usernames are unique in it."""

    __tablename__ = "stormpath_directories"
    __table_args__ = (sa.UniqueConstraint("name_key", "tenant_id"),)
    thing, collection = "Directory", "directories"
    links = frozenset({"accounts", "groups", "password_policy", "account_store_mappings", "custom_data"})
    custom_data_table = custom_data_rows.table(__tablename__)

    tenant_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_tenants.id"))

    password_policy: Mapped[PasswordPolicy] = relationship(cascade="all", passive_deletes=True)
    account_store_mappings: Mapped[list["AccountStoreMapping"]] = relationship(viewonly=True)

    @classmethod
    def create(cls, properties: Mapping[str, Any] | None = None, **more: Any) -> Self:
        """Create a directory with the standard password policy, and commit."""
        given = merge(cls.thing, cls.writable, properties, more)
        created = cls(tenant_id=Tenant.current().id, name=given.pop("name", None), **given)
        created.password_policy = PasswordPolicy.standard(created.id)
        created.save()
        return created

    @classmethod
    def named(cls, name: str) -> Self | None:
        """Return the directory with this name, whatever its case; None where there is none."""
        if not names.can_be_stored(name):
            return None
        return session.scalar(sa.select(cls).where(cls.name_key == names.key(name)))

    # --- Accounts ---

    @property
    def accounts(self) -> Collection[Account]:
        """The accounts of the directory."""
        return Collection(Account, Account.directory_id == self.id, create=self.create_account)

    def site_names(self) -> list[str]:
        """Return the names of the applications whose account store this is."""
        return [mapping.application.name for mapping in self.account_store_mappings]

    def find_account(self, login: str) -> Account | None:
        """Return the account with this e-mail address or username, whatever its case; None where there is none."""
        if not names.can_be_stored(login):
            return None
        return session.scalar(_KNOWN_AS, {"directory_id": self.id, "name_key": names.key(login)})

    def get_account(self, account: Account | str) -> Account:
        """Return the account of this directory that is meant: by itself, its href, its e-mail address or its username.

        :raises ResourceNotFound: there is none.
        :raises DirectoriesDiffer: it is in another directory.
        """
        found = _meant(Account, account, self.find_account)
        if found is None:
            raise ResourceNotFound(developer_message=f"The Directory {self.name!r} has no Account {account!r}.")
        return self._own(found)

    def create_account(
        self, properties: Mapping[str, Any] | None = None, *, application: Resource | None = None, **more: Any
    ) -> Account:
        """Create an account, and commit.

        :param application: through which it comes, for the log.
        :raises AccountAlreadyExists, PasswordRefused, PropertyError: it cannot be; nothing is written.
        """
        given = merge(Account.thing, Account.writable, properties, more)
        if not given.get("email"):
            raise PropertyRequired(Account.thing, "email", label="email address")
        if not given.get("password"):
            raise PropertyRequired(Account.thing, "password")
        account = Account(directory_id=self.id, directory=self, **given)
        account.came_through = application
        account.save()
        return account

    # --- Groups ---

    @property
    def groups(self) -> Collection[Group]:
        """The groups of the directory."""
        return Collection(Group, Group.directory_id == self.id, create=self.create_group)

    def find_group(self, name: str) -> Group | None:
        """Return the group with this name, whatever its case; None where there is none."""
        if not names.can_be_stored(name):
            return None
        return session.scalar(sa.select(Group).where(Group.directory_id == self.id, Group.name_key == names.key(name)))

    def get_group(self, group: Group | str) -> Group:
        """Return the group of this directory that is meant: by itself, its href or its name.

        :raises ResourceNotFound: there is none; its developer message tells those there are.
        :raises DirectoriesDiffer: it is in another directory.
        """
        found = _meant(Group, group, self.find_group)
        if found is None:
            raise ResourceNotFound(developer_message=self._no_group(str(group)))
        return self._own(found)

    def create_group(
        self, properties: Mapping[str, Any] | None = None, *, application: Resource | None = None, **more: Any
    ) -> Group:
        """Create a group, and commit.

        :param application: through which it comes, for the log.
        :raises AlreadyExists, PropertyError: it cannot be; nothing is written.
        """
        given = merge(Group.thing, Group.writable, properties, more)
        group = Group(directory_id=self.id, name=given.pop("name", None), **given)
        group.came_through = application
        group.save()
        return group

    def _own(self, resource: R) -> R:
        if resource.directory_id != self.id:
            other = f"The {resource.thing} {resource.id!r} is not in the Directory {self.name!r}."
            raise DirectoriesDiffer(developer_message=other)
        return resource

    def _no_group(self, name: str) -> str:
        known = {group.name_key: group.name for group in islice(self.groups, 100)}
        sentence = f"The Directory {self.name!r} has no Group {name!r}"
        if not known:
            return f"{sentence}, nor any other yet. `flask stormpath create-group` makes one."
        nearest = difflib.get_close_matches(names.key(name), known, 1)
        meant = f" Did you mean {known[nearest[0]]!r}?" if nearest else ""
        return f"{sentence}.{meant} It has: {', '.join(map(repr, islice(known.values(), 20)))}."

    # --- Saving ---

    def _before_save(self) -> None:
        if self.is_new:
            self._record_change("directory.created", changed(self))
        else:
            self._tell_update(changed(self))

    def _tell_update(self, what: dict[str, tuple[Any, Any]]) -> None:
        self._record_change("directory.updated", what, **self._custom_data_details())

    def _record_change(self, kind: str, what: dict[str, tuple[Any, Any]], **details: Any) -> None:
        event.record(kind, directory_id=self.id, changed=sorted(what.keys() & self.writable), **details)

    def _after_save(self, what: dict[str, tuple[Any, Any]]) -> None:
        if "status" in what and self.status != ENABLED:
            members = sa.select(Account.id).where(Account.directory_id == self.id)
            sessions.end(sessions.AccountSession.account_id.in_(members))

    def delete(self) -> None:
        """Delete it with its policy, its accounts and its place in applications, and commit.

        The log tells of the directory alone, and no signal of its accounts is sent: there may be a million of them.
        """
        applications = [mapping.application for mapping in self.account_store_mappings]
        super().delete()
        for application in applications:
            session.expire(application, ["account_store_mappings"])

    def _before_delete(self) -> None:
        event.record("directory.deleted", directory_id=self.id, name=self.name)


def _meant(model: type[R], given: R | str, find: Callable[[str], R | None]) -> R | None:
    """Return what is meant by a resource, its href or its name; None where nothing is."""
    if isinstance(given, str):
        return model.find(given) if model.id_in(given) else find(given)
    if not isinstance(given, model):
        raise TypeError(f"This takes the {model.thing} itself, its name or its href; {given!r} is none of these.")
    return given
