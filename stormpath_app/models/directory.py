"""Directory: a bucket of accounts with one password policy. It is an account store."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from .. import names
from ..database import session
from ..errors import AlreadyExists, PropertyRequired
from . import event, session as sessions
from .account import Account
from .base import ENABLED, Id, Key, Resource, changed, merge, status
from .collection import Collection
from .login_name import LoginName
from .password_policy import PasswordPolicy
from .tenant import Tenant

if TYPE_CHECKING:
    from .account_store_mapping import AccountStoreMapping


# Built once, as a login should cost little beside its hash.
_KNOWN_AS = (
    sa.select(Account)
    .join(LoginName, LoginName.account_id == Account.id)
    .where(LoginName.directory_id == sa.bindparam("directory_id"), LoginName.name_key == sa.bindparam("name_key"))
)


class Directory(Resource):
    """Accounts that share a password policy; their e-mail addresses and usernames are unique in it."""

    __tablename__ = "stormpath_directories"
    __table_args__ = (sa.UniqueConstraint("name_key", "tenant_id"),)
    thing, collection = "Directory", "directories"
    writable = frozenset({"name", "description", "status"})

    tenant_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_tenants.id"))
    name: Mapped[str] = mapped_column(sa.String(names.LONGEST))
    name_key: Mapped[str] = mapped_column(Key)
    description: Mapped[str | None] = mapped_column(sa.String(1000))
    status: Mapped[str] = mapped_column(sa.String(16), default=ENABLED)

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

    @validates("name")
    def _check_name(self, _key: str, value: object) -> str:
        self.name_key = names.key(name := names.text(self.thing, "name", value, required=True) or "")
        return name

    @validates("description")
    def _check_description(self, _key: str, value: object) -> str | None:
        return names.text(self.thing, "description", value, longest=1000, lines=True)

    @validates("status")
    def _check_status(self, _key: str, value: object) -> str:
        return status(self.thing, value)

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

    def _before_save(self) -> None:
        what = changed(self)
        kind = "directory.created" if self.is_new else "directory.updated"
        event.record(kind, directory_id=self.id, changed=sorted(what.keys() & self.writable))

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

    def taken(self) -> AlreadyExists | None:
        """Return the error for a name that another directory has; None where it is free."""
        other = sa.select(Directory.id).where(Directory.name_key == self.name_key, Directory.id != self.id)
        return AlreadyExists(self.thing, "name") if session.scalar(other) else None
