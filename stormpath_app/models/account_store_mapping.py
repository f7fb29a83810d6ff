"""AccountStoreMapping: an application's use of an account store, and its place in the order of asking."""

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..database import session
from . import event, session as sessions
from .account import Account
from .base import Id, Resource
from .directory import Directory

if TYPE_CHECKING:
    from .application import Application


class AccountStoreMapping(Resource):
    """An account store of an application. Lower `list_index` is asked first."""

    __tablename__ = "stormpath_account_store_mappings"
    __table_args__ = (sa.UniqueConstraint("application_id", "directory_id"),)
    thing, collection = "Account Store Mapping", "accountStoreMappings"

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

    def _before_delete(self) -> None:
        members = sa.select(Account.id).where(Account.directory_id == self.directory_id)
        sessions.end(
            sessions.AccountSession.application_id == self.application_id,
            sessions.AccountSession.account_id.in_(members),
        )
        self._record("unmapped")

    def _record(self, what: str, **details: Any) -> None:
        event.record(
            f"account_store.{what}", application_id=self.application_id, directory_id=self.directory_id, **details
        )
