"""AccountStore: what a directory and a group are to applications."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..database import session
from ..errors import ChangedMeanwhile
from . import session as sessions
from .account_store_mapping import AccountStoreMapping, close_gaps, in_turn, lock
from .collection import Collection
from .named import Named
from .session import AccountSession
from .tenant import Tenant

if TYPE_CHECKING:
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
    def applications(self) -> Any:
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
        """Delete it with all that belongs to it and its place in applications, and commit."""
        home = self.home

        def take() -> None:
            applications = self._lock_applications()
            super(AccountStore, self).delete()
            for application in applications:
                close_gaps(application)
            if home is not self and applications:
                home.end_logins([application.id for application in applications], home.account_ids())

        in_turn(take)

    def _lock_applications(self) -> list[Any]:
        """Return the applications that lose an account store with it. None can be given it from now on.

        :raises ChangedMeanwhile: one was just given it.
        """
        losing = applications(self._going_with_it())
        found = list(losing)  # in the order of their ids, as every other one who deletes
        for application in found:
            lock(application)
        session.execute(sa.select(type(self).id).where(type(self).id == self.id).with_for_update())
        if list(losing) != found:
            raise ChangedMeanwhile
        return found


def applications(condition: sa.ColumnElement[bool]) -> Any:
    """Return the applications whose mappings meet a condition."""
    return Tenant.client().applications.among(sa.select(AccountStoreMapping.application_id).where(condition))
