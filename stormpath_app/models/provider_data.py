"""ProviderData: what a provider told of the person behind an account when they last logged in by it."""

import json
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.orm.attributes import set_committed_value

from .. import encryption, names
from ..database import exact_text
from ..settings import settings
from .base import Id
from .custom_data_rows import long_text
from .provider import Part

if TYPE_CHECKING:
    from .account import Account
    from .directory import Directory


class ProviderData(Part):
    """Who an account is at its provider: `subject`, which is the same person's for ever, whatever they are called.

    Of an account that came by none it has a `provider_id` alone, "stormpath".
    """

    __tablename__ = "stormpath_provider_data"
    __table_args__ = (sa.UniqueConstraint("directory_id", "subject"),)
    thing, collection, tail = "Provider data", "accounts", "providerData"
    readable = ("provider_id", "user_info", "access_token", "refresh_token")
    links = frozenset({"account"})

    id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"), primary_key=True)
    directory_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"))
    #: The provider's own id of the person.
    subject: Mapped[str] = mapped_column(exact_text(names.LONGEST))
    #: JSON.
    stored_user_info: Mapped[str] = mapped_column(long_text(), default="{}")
    sealed_access_token: Mapped[str | None] = mapped_column(long_text())
    sealed_refresh_token: Mapped[str | None] = mapped_column(long_text())

    account: Mapped["Account"] = relationship(viewonly=True)
    directory: Mapped["Directory"] = relationship(viewonly=True)

    @classmethod
    def of_cloud(cls, account: "Account") -> Self:
        """Return what stands for the data of an account that came by no provider; no row does."""
        found = cls(id=account.id, created_at=account.created_at, modified_at=account.created_at)
        set_committed_value(found, "account", account)
        set_committed_value(found, "directory", account.directory)
        return found

    @property
    def provider_id(self) -> str:
        """By which provider the account came, such as "google"; "stormpath": by none."""
        return self.directory.provider_id

    @property
    def user_info(self) -> dict[str, Any] | None:
        """The profile as the provider sent it; None of an account that came by none."""
        found: dict[str, Any] | None = json.loads(self.stored_user_info) if self.subject else None
        return found

    @property
    def access_token(self) -> str | None:
        """What opens the provider's own services, where STORMPATH_KEEP_PROVIDER_TOKENS keeps it."""
        return encryption.unseal_always(self.sealed_access_token) if self.sealed_access_token else None

    @property
    def refresh_token(self) -> str | None:
        """What gets another access token, where STORMPATH_KEEP_PROVIDER_TOKENS keeps it."""
        return encryption.unseal_always(self.sealed_refresh_token) if self.sealed_refresh_token else None

    def tell(self, user_info: dict[str, Any], access_token: str | None, refresh_token: str | None) -> None:
        """Set what the provider told just now; what did not change is not written. A token that is missing stays."""
        told = json.dumps(user_info)
        if told != self.stored_user_info:
            self.stored_user_info = told
        if not settings.KEEP_PROVIDER_TOKENS:
            self.sealed_access_token = self.sealed_refresh_token = None
            return
        if access_token:
            self.sealed_access_token = encryption.seal_always(access_token)
        if refresh_token:
            self.sealed_refresh_token = encryption.seal_always(refresh_token)
