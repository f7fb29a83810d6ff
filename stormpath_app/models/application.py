"""Application: a site (or program) that accounts log in to, and the one door to logging in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .. import hashers, names, throttle
from ..database import session
from ..errors import (
    AccountAlreadyExists,
    AccountDisabled,
    AccountNotFound,
    AccountNotVerified,
    AccountStoreNotMapped,
    ApplicationDisabled,
    DirectoryNameTaken,
    LoginFailed,
    NoAccountStores,
    NotReady,
    TooManyAttempts,
)
from ..settings import settings
from ..transactions import atomic, is_atomic, release
from . import event, session as sessions
from .account import LOGIN_COLUMNS, Account
from .account_store_holder import AccountStoreHolder
from .account_store_mapping import AccountStoreMapping
from .api_key import ApiKey, ApiKeys
from .base import DISABLED, ENABLED, UNVERIFIED, Id, changed, merge
from .collection import Collection
from .directory import Directory
from .group import Group
from .login_name import LoginName
from .tenant import Tenant


@dataclass(frozen=True)
class AuthenticationResult:
    """Whom a login and password belong to. `account`: the account."""

    account: Account


class Application(AccountStoreHolder):
    """What accounts log in to. Its account stores are asked in the order of their `list_index`."""

    __tablename__ = "stormpath_applications"
    __table_args__ = (sa.UniqueConstraint("name_key", "tenant_id"),)
    thing, collection = "Application", "applications"
    longest_description = 4000

    tenant_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_tenants.id"))

    account_store_mappings: Mapped[list[AccountStoreMapping]] = relationship(
        order_by=(AccountStoreMapping.list_index, AccountStoreMapping.id),
        back_populates="application",
        cascade="all",
        passive_deletes=True,
    )

    @classmethod
    def create(
        cls,
        properties: Mapping[str, Any] | None = None,
        *,
        create_directory: bool | str = False,
        **more: Any,
    ) -> Self:
        """Create an application, and commit.

        :param create_directory: True also makes a directory named after it, text one with that name; it becomes the
            default account store and group store.
        :raises DirectoryNameTaken: the name that was asked for.
        """
        given = merge(cls.thing, cls.writable, properties, more)
        with atomic():
            created = cls(tenant_id=Tenant.current().id, name=given.pop("name", None), **given)
            created.save()
            if create_directory:
                created.add_account_store(_new_directory(created, create_directory), is_default=True)
        return created

    @classmethod
    def named(cls, name: str) -> Self | None:
        """Return the application with this name, whatever its case; None where there is none."""
        found: Self | None = session.scalar(_NAMED, {"name_key": names.key(name)})
        return found

    @classmethod
    def current(cls) -> Self:
        """Return the application that the settings name.

        :raises NotReady: there is none; the error tells those there are.
        """
        here = session()
        known: Self | None = here.info.get(_CURRENT)  # a login asks twice in one request
        if known is not None and known in here and known.name_key == names.key(settings.APPLICATION):
            return known
        found = cls.named(settings.APPLICATION)
        if found is None:
            raise NotReady([cls.missing()])
        here.info[_CURRENT] = found
        return found

    @classmethod
    def missing(cls) -> str:
        """Return the sentence that says which applications there are, where the one in the settings is not."""
        there_are = session.scalars(sa.select(cls.name).order_by(cls.name).limit(20)).all()
        if not there_are:
            return "The database has no application yet. Run `flask stormpath init`."
        listed = ", ".join(map(repr, there_are))
        return (
            f"There is no application {settings.APPLICATION!r}; the database has: {listed}."
            " Set STORMPATH_APPLICATION to one of them."
        )

    # --- Accounts and groups ---

    @property
    def accounts(self) -> Collection[Account]:
        """The accounts of all its stores; new ones go to the default store."""
        return Collection(Account, Account.directory_id.in_(self._stores()), create=self.create_account)

    def create_account(self, properties: Mapping[str, Any] | None = None, **more: Any) -> Account:
        """Create an account in the default account store, and commit.

        :raises StormpathError: it cannot be; nothing is written.
        :raises TooManyAttempts: the network asked for too many names that were taken.
        """
        attempt = throttle.admit()
        try:
            return self.default_account_store().create_account(properties, application=self, **more)
        except AccountAlreadyExists:
            if attempt.network is not None:
                session.rollback()  # what waits in a host's session was to be written with the account
                with atomic():
                    attempt.count()
            raise

    @property
    def groups(self) -> Collection[Group]:
        """The groups of all its stores; new ones go to the default group store."""
        return Collection(Group, Group.directory_id.in_(self._stores()), create=self.create_group)

    def create_group(self, properties: Mapping[str, Any] | None = None, **more: Any) -> Group:
        """Create a group in the default group store, and commit.

        :raises StormpathError: it cannot be; nothing is written.
        """
        return self.default_group_store().create_group(properties, application=self, **more)

    def _stores(self) -> sa.Select[Any]:
        return sa.select(AccountStoreMapping.directory_id).where(AccountStoreMapping.application_id == self.id)

    def find_account(self, login: str, *, account_store: Directory | None = None) -> Account | None:
        """Return the account with this e-mail address or username; the first store that knows it decides.

        :param account_store: ask this one alone.
        :raises NoAccountStores, AccountStoreNotMapped: there is nothing to ask.
        """
        found: Account | None = self._look_up(login, account_store)[0]
        return found

    def _look_up(self, login: str, account_store: Directory | None) -> Any:
        """Return a row: the account, or None; its directory's id, or the first store's; LOGIN_COLUMNS of now."""
        key = names.key(login) if names.can_be_stored(login) else ""  # nobody's
        store_id = account_store.id if account_store else ""
        row = session.execute(_KNOWN_AS, {"id": self.id, "name_key": key, "store_id": store_id}).first()
        if row is None:
            raise AccountStoreNotMapped if store_id and self.account_store_mappings else NoAccountStores
        return row

    # --- API keys ---

    @property
    def api_keys(self) -> ApiKeys:
        """The API keys of the accounts that may log in now; DISABLED keys too, which `authenticate` refuses."""
        return ApiKeys(ApiKey, ApiKey.account_id.in_(self._admitted()))

    def _admitted(self) -> sa.Select[Any]:
        """Return a statement for the ids of the accounts that may log in now."""
        return (
            sa.select(Account.id)
            .join(Directory, Directory.id == Account.directory_id)
            .where(Account.directory_id.in_(self._stores()), sa.literal(self.status) == ENABLED)
            .where(Account.status == ENABLED, Directory.status == ENABLED)
        )

    # --- Logging in ---

    def authenticate_account(
        self, login: str, password: str, *, account_store: Directory | None = None
    ) -> AuthenticationResult:
        """Tell whom a login and password belong to. Success and failure are both written to the log, and commit.

        An unknown login takes as long as a wrong password. The status is looked at after the password, so that only
        the owner can learn of it.

        :param login: an e-mail address or username; case is ignored.
        :param account_store: ask this one of the application's stores alone.
        :raises LoginFailed: nobody is let in; its class says why, its message does not.
        :raises TooManyAttempts: the password was not looked at.
        """
        login = login if isinstance(login, str) else ""  # a form's missing field is nobody's name
        password = password if isinstance(password, str) else ""
        if is_atomic():
            raise RuntimeError(
                "authenticate_account inside atomic(): the log of a failure would be rolled back with it."
            )
        account, attempt = None, throttle.Attempt()
        try:
            if self.status != ENABLED:
                raise ApplicationDisabled
            account, directory_id, *just_read = self._look_up(login, account_store)
            attempt = throttle.reserve(account.id if account else throttle.nobody(directory_id, login))
            new_hash = self._check(account, just_read, password)
        except TooManyAttempts:  # without a line in the log, which a flood would fill
            raise
        except LoginFailed as failure:
            with atomic():
                if isinstance(failure, AccountDisabled | AccountNotVerified):
                    attempt.refund()
                else:
                    attempt.count()
                self._record("login.failed", account, code=failure.code)
            raise
        assert account is not None  # noqa: S101 - _check raises AccountNotFound
        with atomic():
            attempt.refund()
            if new_hash:
                account.replace_hash(new_hash)
            self._record("login.succeeded", account)
        return AuthenticationResult(account)

    def _check(self, account: Account | None, just_read: Sequence[Any], password: str) -> str | None:
        if account is None:
            release()
            hashers.verify(password, None, settings.BCRYPT_COST)  # as long as a wrong password
            raise AccountNotFound
        account.compare_password(password, just_read)
        if account.status == DISABLED:
            raise AccountDisabled
        if account.status == UNVERIFIED:
            raise AccountNotVerified
        return account.upgrade_hash(password)

    def _record(self, kind: str, account: Account | None, **details: Any) -> None:
        event.record(
            kind,
            application_id=self.id,
            account_id=account.id if account else None,
            directory_id=account.directory_id if account else None,
            **details,
        )

    def _before_save(self) -> None:
        what = changed(self)
        kind = "application.created" if self.is_new else "application.updated"
        event.record(kind, application_id=self.id, changed=sorted(what.keys() & self.writable))

    def _after_save(self, what: dict[str, tuple[Any, Any]]) -> None:
        if "status" in what and self.status != ENABLED:
            sessions.end(sessions.AccountSession.application_id == self.id)

    def _before_delete(self) -> None:
        event.record("application.deleted", application_id=self.id, name=self.name)


def _new_directory(application: Application, name: bool | str) -> Directory:
    """Make the directory of a new application: with the name asked for, or one after the application's that is free."""
    if isinstance(name, str):
        if Directory.named(name):
            raise DirectoryNameTaken
        return Directory.create(name=name)
    wanted, number = f"{application.name} Directory"[: names.LONGEST - 4], 1
    while Directory.named(free := wanted if number == 1 else f"{wanted} {number}"):
        number += 1
    return Directory.create(name=free)


_CURRENT = "stormpath_application"  # in session.info
# Built once, as a login should cost little beside its hash.
_KNOWN_AS = (
    sa.select(Account, AccountStoreMapping.directory_id, *LOGIN_COLUMNS)
    .select_from(AccountStoreMapping)
    .outerjoin(Directory, (Directory.id == AccountStoreMapping.directory_id) & (Directory.status == ENABLED))
    .outerjoin(LoginName, (LoginName.directory_id == Directory.id) & (LoginName.name_key == sa.bindparam("name_key")))
    .outerjoin(Account, Account.id == LoginName.account_id)
    .where(
        AccountStoreMapping.application_id == sa.bindparam("id"),
        sa.or_(sa.bindparam("store_id") == "", AccountStoreMapping.directory_id == sa.bindparam("store_id")),
    )
    .order_by(Account.id.is_(None), Directory.id.is_(None), AccountStoreMapping.list_index, AccountStoreMapping.id)
    .limit(1)
)
_NAMED: sa.Select[Any] = sa.select(Application).where(Application.name_key == sa.bindparam("name_key"))

Account.current_application = Application.current


def _accepted() -> ApiKeys:
    mine = ApiKey.account_id.in_(Application.current()._admitted())
    return ApiKeys(ApiKey, sa.or_(ApiKey.account_id.is_(None), mine))


ApiKey.accepted = _accepted
