"""AccountStoreHolder: what an application is to its account stores."""

from typing import TYPE_CHECKING

from sqlalchemy.orm import Mapped

from ..database import session
from ..errors import (
    DefaultAccountStoreDisabled,
    DefaultGroupStoreDisabled,
    NoDefaultAccountStore,
    NoDefaultGroupStore,
    StormpathError,
)
from ..transactions import atomic
from .account_store_mapping import AccountStoreMapping
from .base import ENABLED
from .directory import Directory
from .named import Named


class AccountStoreHolder(Named):
    """The part of an application that knows its account stores, and which of them new accounts and groups go to."""

    __abstract__ = True

    if TYPE_CHECKING:
        account_store_mappings: Mapped[list[AccountStoreMapping]]

    def add_account_store(self, store: Directory, *, is_default: bool = False) -> AccountStoreMapping:
        """Map an account store behind those there are, and commit.

        :param is_default: whether new accounts and groups go there.
        :raises AccountStoreAlreadyMapped: it is mapped already.
        """
        with atomic():
            others = self.account_store_mappings
            mapping = AccountStoreMapping(
                application_id=self.id,
                directory_id=store.id,
                account_store=store,
                list_index=max((other.list_index for other in others), default=-1) + 1,
                is_default_account_store=is_default,
                is_default_group_store=is_default,
            )
            for other in others if is_default else ():
                other.is_default_account_store = other.is_default_group_store = False
                other.save()
            mapping.save()
            session.expire(self, ["account_store_mappings"])
        return mapping

    @property
    def default_account_store_mapping(self) -> AccountStoreMapping | None:
        """The mapping whose account store gets new accounts; None where there is none."""
        return next((mapping for mapping in self.account_store_mappings if mapping.is_default_account_store), None)

    @property
    def default_group_store_mapping(self) -> AccountStoreMapping | None:
        """The mapping whose account store gets new groups; None where there is none."""
        return next((mapping for mapping in self.account_store_mappings if mapping.is_default_group_store), None)

    def default_account_store(self) -> Directory:
        """Return the place for new accounts.

        :raises NoDefaultAccountStore, DefaultAccountStoreDisabled: there is none, or it is closed.
        """
        return _open(self.default_account_store_mapping, NoDefaultAccountStore, DefaultAccountStoreDisabled)

    def default_group_store(self) -> Directory:
        """Return the place for new groups.

        :raises NoDefaultGroupStore, DefaultGroupStoreDisabled: there is none, or it is closed.
        """
        return _open(self.default_group_store_mapping, NoDefaultGroupStore, DefaultGroupStoreDisabled)


def _open(mapping: AccountStoreMapping | None, none: type[StormpathError], closed: type[StormpathError]) -> Directory:
    """Return the account store of a mapping, or raise the error for why it takes nothing new."""
    if mapping is None:
        raise none
    if mapping.account_store.status != ENABLED:
        raise closed
    return mapping.account_store
