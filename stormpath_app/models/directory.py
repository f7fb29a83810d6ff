"""Directory: a bucket of accounts with one password policy, and their groups. It is an account store."""

import difflib
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .. import clock, names, signals
from ..database import exact_text, session
from ..errors import (
    CannotBecomeMirror,
    CreatedByProvider,
    DirectoriesDiffer,
    PropertyRequired,
    Protected,
    ProviderStays,
    ResourceNotFound,
    UnsupportedValue,
)
from ..transactions import announce, atomic
from . import administration, custom_data_rows, event, session as sessions
from .account import Account
from .account_creation_policy import AccountCreationPolicy
from .account_schema import AccountSchema
from .account_store import AccountStore, applications
from .account_store_mapping import AccountStoreMapping
from .base import ENABLED, Id, Resource, merge
from .collection import Collection
from .email_template import EmailTemplate
from .group import Group
from .login_name import LoginName
from .password_policy import PasswordPolicy
from .provider import Provider
from .tenant import Tenant
from .unsaved import changed

R = TypeVar("R", Account, Group)

#: What becomes of the passwords there are when the rules change.
KEEP, CHECK, REPLACE, STOP = "keep", "check", "replace", "stop"
OLD_PASSWORDS = (KEEP, CHECK, REPLACE, STOP)

# Built once, as a login should cost little beside its hash.
_KNOWN_AS = (
    sa.select(Account)
    .join(LoginName, LoginName.account_id == Account.id)
    .where(LoginName.directory_id == sa.bindparam("directory_id"), LoginName.name_key == sa.bindparam("name_key"))
)


class Directory(AccountStore):
    """Accounts that share a password policy; their e-mail addresses and usernames are unique in it."""

    __tablename__ = "stormpath_directories"
    __table_args__ = (sa.UniqueConstraint("name_key", "tenant_id"),)
    thing, collection = "Directory", "directories"
    writable = AccountStore.writable | {"provider"}
    links = frozenset(
        {
            *(
                "tenant",
                "accounts",
                "groups",
                "password_policy",
                "account_creation_policy",
                "account_schema",
                "custom_data",
                "provider",
            ),
            *("applications", "account_store_mappings", "application_mappings"),
        }
    )
    custom_data_table = custom_data_rows.table(__tablename__)

    tenant_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_tenants.id"))
    tenant: Mapped[Tenant] = relationship()
    #: Where its accounts come from: "stormpath" where they are its own, else a provider, such as "google". It stays.
    provider_id: Mapped[str] = mapped_column(
        exact_text(50), default=Provider.STORMPATH, server_default=Provider.STORMPATH
    )

    own_provider: Mapped[Provider | None] = relationship(cascade="all", passive_deletes=True)
    password_policy: Mapped[PasswordPolicy] = relationship(cascade="all", passive_deletes=True)
    account_creation_policy: Mapped[AccountCreationPolicy] = relationship(
        back_populates="directory", cascade="all", passive_deletes=True
    )
    account_schema: Mapped[AccountSchema] = relationship(
        back_populates="directory", cascade="all", passive_deletes=True
    )
    email_templates: Mapped[list[EmailTemplate]] = relationship(
        back_populates="directory", cascade="all", passive_deletes=True
    )

    @classmethod
    def create(cls, properties: Mapping[str, Any] | None = None, **more: Any) -> Self:
        """Create a directory with the standard policies, and commit.

        `provider`: where its accounts come from, a dictionary: `{"provider_id": "google", "client_id": ...}`.

        :raises PropertyError: it cannot be so; nothing is written.
        """
        given = merge(cls, properties, more)
        provider = given.pop("provider", None)
        created = cls(tenant_id=Tenant.current().id, name=given.pop("name", None), **given)
        if provider is not None:
            created.own_provider = Provider.new(created, provider)
        created.password_policy = PasswordPolicy.standard(created.id)
        created.account_creation_policy = AccountCreationPolicy(id=created.id)
        created.account_schema = AccountSchema.standard(created.id)
        created.email_templates = EmailTemplate.standard(created.id)
        created.save()
        return created

    @classmethod
    def named(cls, name: str) -> Self | None:
        """Return the directory with this name, whatever its case; None where there is none."""
        if not names.can_be_stored(name):
            return None
        return session.scalar(sa.select(cls).where(cls.name_key == names.key(name)))

    # --- Where its accounts come from ---

    @property
    def is_cloud(self) -> bool:
        """Whether its accounts are its own; else it is a mirror: they come by a provider, and have no password here."""
        return self.provider_id == Provider.STORMPATH

    @property
    def provider(self) -> Provider:
        """Where its accounts come from. It stays; what this site is to it can be set."""
        return self.own_provider or Provider.of_cloud(self)

    @provider.setter
    def provider(self, value: object) -> None:
        if value is not self.provider:
            raise CannotBecomeMirror if self.is_cloud else ProviderStays

    # --- Accounts ---

    @property
    def accounts(self) -> Collection[Account]:
        """The accounts of the directory."""
        return Collection(Account, Account.directory_id == self.id, create=self.create_account)

    def site_names(self) -> list[str]:
        """Return the names of the applications whose account store this is, or a group of it."""
        return [application.name for application in applications(self._going_with_it())]

    def find_account(self, login: str) -> Account | None:
        """Return the account with this e-mail address or username, whatever its case; None where there is none."""
        if not names.can_be_stored(login):
            return None
        return session.scalar(_KNOWN_AS, {"directory_id": self.id, "name_key": names.key(login)})

    def get_account(self, account: Account | str | Mapping[str, Any]) -> Account:
        """Return the account of this directory that is meant: by itself, its href, its e-mail address or its username.

        A dictionary means the first that `directory.accounts.search` finds by it.

        :raises ResourceNotFound: there is none.
        :raises DirectoriesDiffer: it is in another directory.
        """
        found = _meant(Account, account, self.find_account, self.accounts)
        if found is None:
            raise ResourceNotFound(developer_message=f"The Directory {self.name!r} has no Account {account!r}.")
        return self._own(found)

    def create_account(
        self,
        properties: Mapping[str, Any] | None = None,
        *,
        application: Resource | None = None,
        registration_workflow_enabled: bool = True,
        **more: Any,
    ) -> Account:
        """Create an account, and commit.

        :param application: through which it comes, for the log.
        :param registration_workflow_enabled: False: it need confirm no address, and gets no mail.
        :raises AccountAlreadyExists, PasswordRefused, PropertyError: it cannot be; nothing is written.
        """
        account = self.new_account({**(properties or {}), **more}, application)
        account.registration_workflow_enabled = registration_workflow_enabled
        account.save()
        return account

    def new_account(self, properties: Mapping[str, Any], application: Resource | None = None) -> Account:
        """Return an account that is not saved yet.

        :raises PropertyError: an attribute is missing, or cannot be so.
        :raises CreatedByProvider: its accounts come from a provider.
        """
        if not self.is_cloud:
            raise CreatedByProvider
        given = merge(Account, properties, {})
        for name, label in (("email", "email address"), ("password", None)):
            if given.get(name) is None:
                raise PropertyRequired(Account.thing, name, label=label)
        account = Account(directory_id=self.id, directory=self, **given)
        account.came_through = application
        return account

    # --- Its password policy ---

    def save_password_policy(self, old: str = KEEP) -> int:
        """Write what was set on its password policy, and commit. Return how many logins it ended.

        :param old: what becomes of the passwords there are. KEEP: rules are for new ones, as long as nothing else was
            said before. CHECK: each is looked at when its owner next logs in, and who has one that breaks the rules
            must choose another. REPLACE: everybody must, and all logins end. STOP: neither any more.
        :raises StormpathError: it cannot be so; nothing is written.
        """
        if old not in OLD_PASSWORDS:
            raise UnsupportedValue("Password policy", "old", allowed=", ".join(OLD_PASSWORDS))
        policy, ended = self.password_policy, 0
        strength = policy.strength
        if old == CHECK:
            strength.checks_before = clock.now()
        elif old == REPLACE:
            strength.replaces_before = clock.now()
        elif old == STOP:
            strength.checks_before = strength.replaces_before = None
        with atomic():
            policy.save()
            if old == REPLACE:
                ended = sessions.end(sessions.AccountSession.account_id.in_(self.account_ids()))
                self._record("directory.passwords_expired", sessions=ended)
        return ended

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

    def get_group(self, group: Group | str | Mapping[str, Any]) -> Group:
        """Return the group of this directory that is meant: by itself, its href or its name.

        A dictionary means the first that `directory.groups.search` finds by it.

        :raises ResourceNotFound: there is none; its developer message tells those there are.
        :raises DirectoriesDiffer: it is in another directory.
        """
        found = _meant(Group, group, self.find_group, self.groups)
        if found is None:
            raise ResourceNotFound(developer_message=self._no_group(group))
        return self._own(found)

    def create_group(
        self, properties: Mapping[str, Any] | None = None, *, application: Resource | None = None, **more: Any
    ) -> Group:
        """Create a group, and commit.

        :param application: through which it comes, for the log.
        :raises AlreadyExists, PropertyError: it cannot be; nothing is written.
        """
        given = merge(Group, properties, more)
        group = Group(directory_id=self.id, name=given.pop("name", None), **given)
        group.came_through = application
        group.save()
        return group

    def _own(self, resource: R) -> R:
        if resource.directory_id != self.id:
            other = f"The {resource.thing} {resource.id!r} is not in the Directory {self.name!r}."
            raise DirectoriesDiffer(developer_message=other)
        return resource

    def _no_group(self, asked: object) -> str:
        known = {group.name_key: group.name for group in islice(self.groups, 100)}
        sentence = f"The Directory {self.name!r} has no Group {asked!r}"
        if not known:
            return f"{sentence}, nor any other yet. `flask stormpath create-group` makes one."
        name = asked.get("name", "") if isinstance(asked, Mapping) else asked
        nearest = difflib.get_close_matches(names.key(str(name)), known, 1)
        meant = f" Did you mean {known[nearest[0]]!r}?" if nearest else ""
        return f"{sentence}.{meant} It has: {', '.join(map(repr, islice(known.values(), 20)))}."

    # --- As an account store ---

    @property
    def home(self) -> Self:
        """Itself: the directory whose accounts they are."""
        return self

    @property
    def is_open(self) -> bool:
        """Whether its accounts are let in: it is ENABLED."""
        return self.status == ENABLED

    def holds(self, kind: Any) -> sa.ColumnElement[bool]:
        """Return the condition for what it has of a kind, Account or Group."""
        condition: sa.ColumnElement[bool] = kind.directory_id == self.id
        return condition

    def account_ids(self) -> sa.Select[Any]:
        """Return a statement for the ids of its accounts."""
        return sa.select(Account.id).where(self.holds(Account))

    def _going_with_it(self) -> sa.ColumnElement[bool]:
        return AccountStoreMapping.directory_id == self.id  # those of its groups too

    # --- Saving ---

    def _before_save(self) -> None:
        if self.is_new:
            provider = {} if self.is_cloud else {"provider": self.provider_id}
            self._record("directory.created", changed=event.changes(self), **provider)
        else:
            administration.guard(self, changed(self), administration.DIRECTORY_KEY)
            self._tell_update(changed(self))

    def _tell_update(self, what: dict[str, tuple[Any, Any]]) -> None:
        details = self._custom_data_details()
        if what or details:
            columns = {"changed": event.changes(self, what)} if what else {}
            self._record("directory.updated", **columns, **details)

    def _record(self, kind: str, **details: Any) -> None:
        event.record(kind, target=self, directory_id=self.id, **details)

    def _after_save(self, what: dict[str, tuple[Any, Any]]) -> None:
        if "status" in what and self.status != ENABLED:
            sessions.end(sessions.AccountSession.account_id.in_(self.account_ids()))

    def _before_delete(self) -> None:
        if administration.is_administrators(self):
            raise Protected
        # Of the directory alone, and no signal of its accounts is sent: there may be a million of them.
        self._record("directory.deleted")
        last = dict(self)
        announce(signals.directory_deleted, lambda: {"directory": last})


def _meant(
    model: type[R], given: R | str | Mapping[str, Any], find: Callable[[str], R | None], all_: Collection[R]
) -> R | None:
    """Return what is meant by a resource, its href, its name, or a dictionary to search by; None where nothing is."""
    if isinstance(given, str):
        return model.find(given) if model.id_in(given) else find(given)
    if isinstance(given, Mapping):
        return all_.first(given)
    if not isinstance(given, model):
        raise TypeError(
            f"This takes the {model.thing} itself, its href, its name or a dictionary; {given!r} is none of these."
        )
    return given
