"""AccountStoreHolder: what an application is to its account stores."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast, overload

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from .. import names
from ..errors import (
    AccountStoreNotMapped,
    DefaultAccountStoreDisabled,
    DefaultGroupStoreDisabled,
    InvalidReference,
    NoDefaultAccountStore,
    NoDefaultGroupStore,
    PropertyRequired,
    ResourceNotFound,
    StormpathError,
)
from . import kept
from .account import Account
from .account_store_mapping import AccountStoreMapping
from .api_key import ApiKey, ApiKeys
from .base import ENABLED, Resource, merge
from .directory import Directory
from .group import Group
from .named import Named
from .password_policy import PasswordStrength

if TYPE_CHECKING:
    from .account_linking_policy import AccountLinkingPolicy
    from .application import Application

#: An account store: itself, its href or its name.
GivenStore: TypeAlias = Directory | Group | str

A = TypeVar("A", bound="AccountStoreHolder")


class AccountStoreHolder(Named):
    """The part of an application that knows its account stores, and which of them new accounts and groups go to."""

    __abstract__ = True

    if TYPE_CHECKING:
        account_linking_policy: Mapped[AccountLinkingPolicy]
        _mappings: Mapped[list[AccountStoreMapping]]

    @property
    def account_store_mappings(self) -> "AccountStoreMappings":
        """Its account stores, in the order they are asked: a sequence. `create({...})` adds one."""
        return AccountStoreMappings(self)

    @classmethod
    def map(cls, properties: Mapping[str, Any] | None = None, **more: Any) -> AccountStoreMapping:
        """Map an account store to an application, and commit.

        `application`, `account_store`: themselves or their hrefs, the store's name too; `list_index`: 0 is asked first,
        not given last; `is_default_account_store`, `is_default_group_store`.

        :raises InvalidReference: there is no such application or account store.
        :raises AccountStoreAlreadyMapped, GroupAsDefaultGroupStore, PropertyError: it cannot be; nothing is written.
        """
        given = merge(AccountStoreMapping, properties, more)
        for name in sorted(AccountStoreMapping.links):
            if given.get(name) is None:
                raise PropertyRequired(AccountStoreMapping.thing, name)
        application, store = _application(cls, given.pop("application")), _store(given.pop("account_store"))
        mapping = AccountStoreMapping(
            application=cast("Application", application), application_id=application.id, account_store=store, **given
        )
        mapping.save()
        return mapping

    def add_account_store(
        self, store: GivenStore, *, is_default: bool = False, list_index: int | None = None
    ) -> AccountStoreMapping:
        """Map an account store, and commit.

        :param store: a Directory or Group, its href or its name; a directory's name is looked for first.
        :param is_default: whether new accounts go there, and new groups, where it is a directory.
        :param list_index: its place; None: behind those there are.
        :raises AccountStoreAlreadyMapped: it is mapped already.
        :raises InvalidReference: there is none.
        """
        store = _store(store)
        return self.map(
            application=self,
            account_store=store,
            list_index=list_index,
            is_default_account_store=is_default,
            is_default_group_store=is_default and isinstance(store, Directory),
        )

    # --- API keys ---

    @property
    def api_keys(self) -> ApiKeys:
        """The API keys of the accounts that may log in now; DISABLED keys too, which `authenticate` refuses."""
        return ApiKeys(ApiKey, ApiKey.account_id.in_(self.admitted()))

    def admitted(self) -> sa.Select[Any]:
        """Return a statement for the ids of the accounts that may log in now."""
        return (
            sa.select(Account.id)
            .join(Directory, Directory.id == Account.directory_id)
            .join(AccountStoreMapping, AccountStoreMapping.directory_id == Directory.id)
            .where(AccountStoreMapping.application_id == self.id, AccountStoreMapping.admits(Account.id))
            .where(Account.status == ENABLED, Directory.status == ENABLED, sa.literal(self.status) == ENABLED)
        )

    # --- What is in them ---

    def holds(self, kind: type[Resource]) -> sa.ColumnElement[bool]:
        """Return the condition for what its account stores have of a kind, Account or Group.

        Of a directory alone it is `directory_id = ...`: an index then gives a page of a million accounts.
        """
        whole = {mapping.directory_id for mapping in self._mappings if mapping.group_id is None}
        stores = [
            mapping.account_store
            for mapping in self._mappings
            if mapping.group_id is None or mapping.directory_id not in whole
        ]
        return sa.or_(sa.false(), *(store.holds(kind) for store in stores))

    def mapped_store_id(self, store: GivenStore) -> str:
        """Return the id of the account store of its own that is meant: by itself, its href or its name.

        :raises AccountStoreNotMapped: none of its account stores has this name.
        """
        if isinstance(store, Directory | Group):
            return store.id
        if not isinstance(store, str):
            raise TypeError(f"An account store is a Directory or Group, its href or its name; {store!r} is none.")
        if found := Directory.id_in(store) or Group.id_in(store):
            return found
        key = names.key(store)
        for mapping in self._mappings:
            if mapping.account_store.name_key == key:
                return mapping.store_id
        raise AccountStoreNotMapped

    # --- Where new ones go ---

    @property
    def default_account_store_mapping(self) -> AccountStoreMapping | None:
        """The mapping whose account store gets new accounts; None where there is none."""
        return next((mapping for mapping in self._mappings if mapping.is_default_account_store), None)

    def password_strength(self) -> PasswordStrength | None:
        """Return what the passwords of new accounts must be; None where none can be made. It is read once for many."""
        found: PasswordStrength | None = _OF_NEW_ACCOUNTS.find(self.id, application_id=self.id)
        return found

    @property
    def default_group_store_mapping(self) -> AccountStoreMapping | None:
        """The mapping whose account store gets new groups; None where there is none."""
        return next((mapping for mapping in self._mappings if mapping.is_default_group_store), None)

    def default_account_store(self) -> Directory | Group:
        """Return the place for new accounts.

        :raises NoDefaultAccountStore, DefaultAccountStoreDisabled: there is none, or it is closed.
        """
        mapping = _open(self.default_account_store_mapping, NoDefaultAccountStore, DefaultAccountStoreDisabled)
        return mapping.account_store

    def default_group_store(self) -> Directory:
        """Return the place for new groups.

        :raises NoDefaultGroupStore, DefaultGroupStoreDisabled: there is none, or it is closed.
        """
        mapping = _open(self.default_group_store_mapping, NoDefaultGroupStore, DefaultGroupStoreDisabled)
        return mapping.directory


_OF_NEW_ACCOUNTS = kept.Lookup(
    "policies",
    PasswordStrength,
    PasswordStrength.id == AccountStoreMapping.directory_id,
    AccountStoreMapping.application_id == sa.bindparam("application_id"),
    AccountStoreMapping.is_default_account_store,
)


class AccountStoreMappings(Sequence[AccountStoreMapping]):
    """The account stores of an application, in the order they are asked."""

    def __init__(self, application: AccountStoreHolder) -> None:
        self._application = application

    def create(self, properties: Mapping[str, Any] | None = None, **more: Any) -> AccountStoreMapping:
        """Map an account store, and commit; as `application.map`, and `application` need not be given.

        :raises InvalidReference: there is no such account store, or another application is named.
        """
        given = {"application": self._application, **(properties or {}), **more}
        if _application(type(self._application), given["application"]) is not self._application:
            raise InvalidReference(AccountStoreMapping.thing, "application")
        return self._application.map(given)

    def get(self, href: str) -> AccountStoreMapping:
        """Return the one with this href or id.

        :raises ResourceNotFound: none of the application's has it.
        """
        wanted = AccountStoreMapping.id_in(href) or href
        for mapping in self:
            if mapping.id == wanted:
                return mapping
        raise ResourceNotFound(developer_message=f"The Application has no Account Store Mapping {href!r}.")

    @overload
    def __getitem__(self, index: int) -> AccountStoreMapping: ...

    @overload
    def __getitem__(self, index: slice) -> list[AccountStoreMapping]: ...

    def __getitem__(self, index: int | slice) -> AccountStoreMapping | list[AccountStoreMapping]:
        found: AccountStoreMapping | list[AccountStoreMapping] = self._application._mappings[index]
        return found

    def __len__(self) -> int:
        return len(self._application._mappings)

    def __repr__(self) -> str:
        return repr(list(self))


# --- What is meant ---


def _application(kind: type[A], given: object) -> A:
    found = kind.find(given) if isinstance(given, str) else given
    if not isinstance(found, kind):
        raise InvalidReference(AccountStoreMapping.thing, "application")
    return found


def _store(given: object) -> Directory | Group:
    if isinstance(given, Directory | Group):
        return given
    found = _store_of(given) if isinstance(given, str) else None
    if found is None:
        raise InvalidReference(AccountStoreMapping.thing, "account_store")
    return found


def _store_of(text: str) -> Directory | Group | None:
    """Return what has this href or name; None where none has, or several groups."""
    for kind in (Directory, Group):
        if kind.id_in(text):
            return kind.find(text)
    return Directory.named(text) or Group.named(text)


def _open(
    mapping: AccountStoreMapping | None, none: type[StormpathError], closed: type[StormpathError]
) -> AccountStoreMapping:
    """Return the mapping of a default, or raise the error for why its account store takes nothing new."""
    if mapping is None:
        raise none
    if not mapping.account_store.is_open:
        raise closed
    return mapping
