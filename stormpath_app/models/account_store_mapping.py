"""AccountStoreMapping: an application's use of an account store, and its place in the order of asking."""

from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..database import session
from ..errors import AccountStoreAlreadyMapped
from . import event, session as sessions
from .account import Account
from .base import Id, Resource
from .directory import Directory
from .query import Order
from .searchable import Number
from .unsaved import changed

if TYPE_CHECKING:
    from .application import Application

_TOLD = frozenset({"list_index", "is_default_account_store", "is_default_group_store"})


class AccountStoreMapping(Resource):
    """An account store of an application. Lower `list_index` is asked first."""

    __tablename__ = "stormpath_account_store_mappings"
    __table_args__ = (sa.UniqueConstraint("application_id", "directory_id"),)
    thing, collection = "Account Store Mapping", "accountStoreMappings"
    readable = ("list_index", "is_default_account_store", "is_default_group_store")
    links = frozenset({"application", "account_store"})
    searchable: ClassVar[dict[str, Any]] = {**Resource.searchable, "list_index": Number()}
    natural_order = (Order("list_index"),)

    application_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_applications.id", ondelete="CASCADE"))
    directory_id: Mapped[str] = mapped_column(
        Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"), index=True
    )
    list_index: Mapped[int]
    is_default_account_store: Mapped[bool] = mapped_column(default=False)
    is_default_group_store: Mapped[bool] = mapped_column(default=False)

    application: Mapped["Application"] = relationship(back_populates="account_store_mappings")
    account_store: Mapped[Directory] = relationship(lazy="joined", innerjoin=True)

    def delete(self) -> None:
        """Take the account store from the application, and commit; who is logged in through it is logged out."""
        application = self.application
        super().delete()
        session.expire(application, ["account_store_mappings"])

    def taken(self) -> AccountStoreAlreadyMapped | None:
        """Return an error where the application has the account store already; None where it has not."""
        cls = AccountStoreMapping
        same = (cls.application_id == self.application_id, cls.directory_id == self.directory_id, cls.id != self.id)
        return AccountStoreAlreadyMapped() if session.scalar(sa.select(cls.id).where(*same)) else None

    def _before_save(self) -> None:
        what = changed(self)
        self._record("account_store.mapped" if self.is_new else "account_store.updated", what)

    def _before_delete(self) -> None:
        self._record("account_store.unmapped", {})

    def _after_delete(self) -> None:
        members = sa.select(Account.id).where(Account.directory_id == self.directory_id)
        sessions.end(
            sessions.AccountSession.application_id == self.application_id,
            sessions.AccountSession.account_id.in_(members),
        )

    def _record(self, kind: str, what: dict[str, Any]) -> None:
        places = {"application_id": self.application_id, "directory_id": self.directory_id}
        event.record(kind, **places, changed={name: what[name] for name in sorted(what.keys() & _TOLD)})
