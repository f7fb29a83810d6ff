"""AccountStore: what a directory and a group are to applications."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..database import session
from ..errors import ChangedMeanwhile
from . import session as sessions
from .account_store_mapping import AccountStoreMapping, close_gaps, in_turn
from .collection import Collection
from .named import Named
from .session import AccountSession
from .tenant import Tenant

if TYPE_CHECKING:
    from .application import Application
    from .directory import Directory


class AccountStore(Named):
    """What an application can let accounts in from: a directory, or a group of one."""

    __abstract__ = True

    if TYPE_CHECKING:

        @property
        def home(self) -> "Directory":
            """The directory whose accounts they are: itself, or that of the group."""

        def account_ids(self) -> sa.Select[Any]:
            """Return a statement for the ids of its accounts."""

    # --- Its applications ---

    @property
    def applications(self) -> "Collection[Application]":
        """The applications whose account store it is."""
        return applications(AccountStoreMapping.store_id == self.id)

    @property
    def account_store_mappings(self) -> Collection[AccountStoreMapping]:
        """Its places in the lists of applications."""
        return Collection(AccountStoreMapping, AccountStoreMapping.store_id == self.id)

    application_mappings = account_store_mappings  # both are Stormpath's words

    def _going_with_it(self) -> sa.ColumnElement[bool]:
        """Return the condition for the mappings that end with it."""
        return AccountStoreMapping.store_id == self.id

    def end_logins(self, applications: "Iterable[str] | sa.Select[Any]", accounts: Any) -> None:
        """End the logins that began at an application which lets its account in no more, through no store it has.

        :param applications, accounts: the ids of those it may have happened to, the accounts of its directory.
        """
        admitted = sa.exists().where(
            AccountStoreMapping.application_id == AccountSession.application_id,
            AccountStoreMapping.directory_id == self.home.id,
            AccountStoreMapping.admits(AccountSession.account_id),
        )
        sessions.end_found(
            AccountSession.application_id.in_(applications),
            AccountSession.account_id.in_(accounts),
            ~admitted.correlate(AccountSession),
        )

    # --- Saving ---

    def delete(self) -> None:
        """Delete it with all that belongs to it and its place in applications, and commit.

        :raises ChangedMeanwhile: an application was given it just now.
        """
        in_turn(self._losing, self._take_away)

    def _losing(self) -> list[str]:
        """Return the ids of the applications that lose an account store with it."""
        losing = sa.select(AccountStoreMapping.application_id).where(self._going_with_it())
        return sorted(set(session.scalars(losing)))

    def _take_away(self, locked: list[str]) -> None:
        cls, home = type(self), self.home
        session.execute(sa.select(cls.id).where(cls.id == self.id).with_for_update())  # it can be given to none now
        if self._losing() != locked:
            raise ChangedMeanwhile
        losing = list(applications(self._going_with_it()))
        super().delete()
        for application in losing:
            close_gaps(application)
        if locked and home is not self:
            home.end_logins(locked, home.account_ids())


def applications(condition: sa.ColumnElement[bool]) -> "Collection[Application]":
    """Return the applications whose mappings meet a condition."""
    ids = sa.select(AccountStoreMapping.application_id).where(condition)
    found: Collection[Application] = Tenant.client().applications.among(ids)
    return found
