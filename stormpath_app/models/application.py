"""Application: a site (or program) that accounts log in to, and the one door to logging in."""

from collections.abc import Container, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Self

import sqlalchemy as sa
from flask import g
from sqlalchemy.orm import Mapped, mapped_column, relationship, undefer, validates
from sqlalchemy.orm.attributes import instance_state

from .. import bulkhead, hashers, names, signals, throttle
from ..database import TextTuple, session
from ..errors import (
    AccountDisabled,
    AccountNotFound,
    AccountNotVerified,
    AccountStoreNotMapped,
    ApplicationDisabled,
    DirectoryDisabled,
    DirectoryNameTaken,
    GroupDisabled,
    LoginFailed,
    LoginOutdated,
    NoAccountStores,
    NotReady,
    PasswordChangeRequired,
    Protected,
    TooManyAttempts,
    WrongPassword,
)
from ..settings import settings
from ..transactions import announce, atomic, is_atomic, release
from . import administration, custom_data_rows, event, kept, password_proof, session as sessions
from .account import LOGIN_COLUMNS, Account
from .account_linking import AccountLinking
from .account_linking_policy import AccountLinkingPolicy
from .account_store_holder import GivenStore
from .account_store_mapping import AccountStoreMapping
from .api_key import ApiKey, ApiKeys
from .authorized_uris import authorized_uris
from .base import DISABLED, ENABLED, UNVERIFIED, Id, merge
from .collection import Collection
from .diagnosis import Diagnosis, diagnose
from .directory import Directory
from .group import Group
from .login_name import LoginName
from .password_policy import PasswordStrength
from .provider import Provider
from .tenant import Tenant
from .unsaved import changed


@dataclass(frozen=True)
class AuthenticationResult:
    """Whom a login and password belong to. `account`: the account."""

    account: Account


class Application(AccountLinking):
    """What accounts log in to. Its account stores are asked in the order of their `list_index`."""

    __tablename__ = "stormpath_applications"
    __table_args__ = (sa.UniqueConstraint("name_key", "tenant_id"),)
    thing, collection = "Application", "applications"
    longest_description = 4000
    writable = AccountLinking.writable | {"authorized_callback_uris", "authorized_origin_uris"}
    readable = (*AccountLinking.readable, "authorized_callback_uris", "authorized_origin_uris")
    links = frozenset(
        {
            *("tenant", "accounts", "groups", "api_keys", "account_store_mappings", "custom_data"),
            *("default_account_store_mapping", "default_group_store_mapping", "account_linking_policy"),
        }
    )
    custom_data_table = custom_data_rows.table(__tablename__)

    tenant_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_tenants.id"))
    tenant: Mapped[Tenant] = relationship()
    account_linking_policy: Mapped[AccountLinkingPolicy] = relationship(
        back_populates="application", cascade="all", passive_deletes=True
    )

    #: Where people may be sent back to, and which sites' scripts may ask: as tuples, so set another one to change them.
    #: They are looked at when they are set; logging in through other sites will read them.
    authorized_callback_uris: Mapped[tuple[str, ...]] = mapped_column(TextTuple, default=(), nullable=True)
    authorized_origin_uris: Mapped[tuple[str, ...]] = mapped_column(TextTuple, default=(), nullable=True)

    # Only read: mappings are saved and deleted by themselves.
    _mappings: Mapped[list[AccountStoreMapping]] = relationship(
        order_by=(AccountStoreMapping.list_index, AccountStoreMapping.id), viewonly=True
    )

    @validates("authorized_callback_uris", "authorized_origin_uris")
    def _check_uris(self, key: str, value: object) -> tuple[str, ...]:
        return authorized_uris(self.thing, key, value)

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
        given = merge(cls, properties, more)
        with atomic():
            created = cls(tenant_id=Tenant.current().id, name=given.pop("name", None), **given)
            created.account_linking_policy = AccountLinkingPolicy(id=created.id)
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
        key = names.key(settings.APPLICATION)
        known: Self | None = g.get(_CURRENT)  # a login asks twice in one request
        if known is not None and instance_state(known).session is not None and known.name_key == key:
            return known
        found: Self | None = _APPLICATIONS.find(key, name_key=key)
        if found is None:
            raise NotReady([cls.missing()])
        setattr(g, _CURRENT, found)
        return found

    @classmethod
    def missing(cls) -> str:
        """Return the sentence that says which applications there are, where the one in the settings is not."""
        others = sa.select(cls.name).where(cls.name_key != administration.APPLICATION_KEY)
        there_are = session.scalars(others.order_by(cls.name).limit(20)).all()
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
        return Collection(Account, self.holds(Account), create=self.create_account)

    def create_account(
        self, properties: Mapping[str, Any] | None = None, *, registration_workflow_enabled: bool = True, **more: Any
    ) -> Account:
        """Create an account in the default account store, and commit.

        :param registration_workflow_enabled: False: it need confirm no address, and gets no mail.
        :raises StormpathError: it cannot be; nothing is written.
        :raises TooManyAttempts: the network asked for too many names that were taken.
        """
        with throttle.counting_taken_names():
            return self.default_account_store().create_account(
                {**(properties or {}), **more},
                application=self,
                registration_workflow_enabled=registration_workflow_enabled,
            )

    @property
    def groups(self) -> Collection[Group]:
        """The groups of all its stores; new ones go to the default group store."""
        return Collection(Group, self.holds(Group), create=self.create_group)

    def create_group(self, properties: Mapping[str, Any] | None = None, **more: Any) -> Group:
        """Create a group in the default group store, and commit.

        :raises StormpathError: it cannot be; nothing is written.
        """
        return self.default_group_store().create_group({**(properties or {}), **more}, application=self)

    def find_account(self, login: str, *, account_store: GivenStore | None = None) -> Account | None:
        """Return the account with this e-mail address or username; the first store that knows it decides.

        :param account_store: ask this one alone; as in `authenticate_account`.
        :raises NoAccountStores, AccountStoreNotMapped: there is nothing to ask.
        """
        found: Account | None = self._look_up(login, account_store).Account
        return found

    def _look_up(self, login: str, account_store: GivenStore | None) -> Any:
        """Return the row of the store that decides: the account or None, and what _KNOWN_AS tells beside it."""
        key = names.key(login) if names.can_be_stored(login) else ""  # nobody's
        store_id = "" if account_store is None else self.mapped_store_id(account_store)
        row = session.execute(_KNOWN_AS, {"id": self.id, "name_key": key, "store_id": store_id}).first()
        if row is None:
            raise AccountStoreNotMapped if store_id and self._mappings else NoAccountStores
        return row

    # --- Logging in ---

    def authenticate_account(
        self, login: str, password: str, *, account_store: GivenStore | None = None
    ) -> AuthenticationResult:
        """Tell whom a login and password belong to. Success and failure are both written to the log, and commit.

        An unknown login takes as long as a wrong password. The status is looked at after the password, so that only
        the owner can learn of it.

        :param login: an e-mail address or username; case is ignored.
        :param account_store: ask this one of the application's stores alone: a Directory or Group, its href or name.
        :raises LoginFailed: nobody is let in; its class says why, its message does not.
        :raises TooManyAttempts: the password was not looked at.
        :raises TooManyAtOnce: nor is it counted, or written to the log.
        """
        login = login if isinstance(login, str) else ""  # a form's missing field is nobody's name
        password = password if isinstance(password, str) else ""
        if is_atomic():
            raise RuntimeError(
                "authenticate_account inside atomic(): the log of a failure would be rolled back with it."
            )
        with nullcontext() if hashers.is_too_long(password) else bulkhead.place():
            return self._authenticate(login, password, account_store)

    def _authenticate(self, login: str, password: str, account_store: GivenStore | None) -> AuthenticationResult:
        account, attempt = None, throttle.Attempt()
        try:
            if self.status != ENABLED:
                raise ApplicationDisabled
            if hashers.is_too_long(password):  # nobody's: so nobody is looked for, and nothing hashed
                attempt = throttle.admit()
                raise WrongPassword
            found = self._look_up(login, account_store)
            account = found.Account
            attempt = throttle.reserve(found.account_id or throttle.nobody(found.directory_id, login))
            new_hash = self._check(found, password, is_named=account_store is not None)
        except TooManyAttempts:  # without a line in the log, which a flood would fill
            raise
        except LoginFailed as failure:
            with atomic():
                if isinstance(failure, AccountDisabled | AccountNotVerified | PasswordChangeRequired):
                    attempt.refund()
                    if account and isinstance(failure, PasswordChangeRequired):
                        account.expire_password()
                else:
                    attempt.count()
                self._record("login.failed", account, code=failure.code)
                self._announce_failure(login, account, failure)
            raise
        assert account is not None  # noqa: S101 - _check raises AccountNotFound
        with atomic():
            attempt.refund()
            if new_hash:
                account.replace_hash(new_hash)
            self._record("login.succeeded", account)
        return AuthenticationResult(account)

    def diagnose(
        self, login: str, account: Account | None = None, *, directory_ids: Container[str] | None = None
    ) -> Diagnosis:
        """Tell what a login would meet now, step by step, without a password. Nothing is counted or changed.

        :param login: an e-mail address or username, as for `authenticate_account`.
        :param account: whose login it should be, where another account with that name may be found first.
        :param directory_ids: of the directories whose names, and whose groups' names, are told; None: all.
        """
        return diagnose(self, login, account, directory_ids)

    def _check(self, found: Any, password: str, *, is_named: bool) -> str | None:
        account: Account | None = found.Account
        if account is None:
            release()
            hashers.verify(password, None, settings.BCRYPT_COST)  # as long as a wrong password
            raise _closed(found) if is_named else AccountNotFound
        account.compare_password(password, found[-len(LOGIN_COLUMNS) :])
        if account.status == DISABLED:
            raise AccountDisabled
        if account.status == UNVERIFIED:
            raise AccountNotVerified
        moments = found.checks_before, found.replaces_before
        if account.must_change_password or account.is_outdated(password, *moments):
            raise PasswordChangeRequired(proof=password_proof.make(account.id, found.password_hash))
        return account.upgrade_hash(password)

    def proven_account(self, proof: str) -> Account:
        """Return the account that a PasswordChangeRequired was about, by its proof, as it is in the database now.

        :raises LoginOutdated: it is no proof, or older than a quarter of an hour; or the account was changed meanwhile.
        """
        whose = sa.select(Account).where(Account.id == password_proof.account_id(proof), self.holds(Account))
        current = whose.options(undefer(Account.password_hash)).execution_options(populate_existing=True)
        account: Account | None = session.scalar(current)
        is_asked = account is not None and account.status == ENABLED and account.must_change_password
        if account is None or not is_asked or not password_proof.fits(proof, account.password_hash):
            raise LoginOutdated
        return account

    def choose_password(self, proof: str, password: str) -> Account:
        """Give the account of a PasswordChangeRequired the password that its owner chose, and commit. Return it.

        It is let in from now on.

        :param proof: that of the error, a quarter of an hour old at most.
        :raises LoginOutdated: as with `proven_account`.
        :raises PasswordRefused: it breaks the directory's policy, or is the one before; the proof stays good.
        """
        account = self.proven_account(proof)
        account.choose_password(password)
        account.save()
        return account

    def _announce_failure(self, login: str, account: Account | None, failure: LoginFailed) -> None:
        whose = account.payload() if account else {"user": None, "account": None}
        announce(signals.login_failed, lambda: {"login": login, "application": self, "error": failure, **whose})

    def _record(self, kind: str, account: Account | None, **details: Any) -> None:
        event.record(
            kind,
            target=account,
            application_id=self.id,
            account_id=account.id if account else None,
            directory_id=account.directory_id if account else None,
            **details,
        )

    def _before_save(self) -> None:
        if self.is_new:
            self._record_change("application.created", changed=event.changes(self))
        else:
            administration.guard(self, changed(self), administration.APPLICATION_KEY)
            self._tell_update(changed(self))

    def _tell_update(self, what: dict[str, tuple[Any, Any]]) -> None:
        details = self._custom_data_details()
        if what or details:
            columns = {"changed": event.changes(self, what)} if what else {}
            self._record_change("application.updated", **columns, **details)

    def _record_change(self, kind: str, **details: Any) -> None:
        event.record(kind, target=self, application_id=self.id, **details)

    def _after_save(self, what: dict[str, tuple[Any, Any]]) -> None:
        if "status" in what and self.status != ENABLED:
            sessions.end(sessions.AccountSession.application_id == self.id)

    def _before_delete(self) -> None:
        if administration.is_console(self):
            raise Protected
        self._record_change("application.deleted")


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


def _closed(found: Any) -> type[LoginFailed]:
    """Return why the store that was named let nobody in."""
    if not found.is_directory_open:
        return DirectoryDisabled
    return AccountNotFound if found.group_status in {None, ENABLED} else GroupDisabled


_CURRENT = "stormpath_application"  # in g
# Built once, as a login should cost little beside its hash. Where no store lets the login in, the one whose directory
# has it tells the account that the try is counted for: the directory may be asked by another application too.
_KNOWN_AS = (
    sa.select(
        Account,
        LoginName.account_id,
        AccountStoreMapping.directory_id,
        Directory.id.is_not(None).label("is_directory_open"),
        sa.select(Group.status).where(Group.id == AccountStoreMapping.group_id).scalar_subquery().label("group_status"),
        *(PasswordStrength.checks_before, PasswordStrength.replaces_before),
        *LOGIN_COLUMNS,
    )
    .select_from(AccountStoreMapping)
    .outerjoin(Directory, (Directory.id == AccountStoreMapping.directory_id) & (Directory.status == ENABLED))
    .outerjoin(PasswordStrength, PasswordStrength.id == Directory.id)
    .outerjoin(LoginName, (LoginName.directory_id == Directory.id) & (LoginName.name_key == sa.bindparam("name_key")))
    .outerjoin(Account, (Account.id == LoginName.account_id) & AccountStoreMapping.admits(LoginName.account_id))
    .where(
        AccountStoreMapping.application_id == sa.bindparam("id"),
        sa.or_(sa.bindparam("store_id") == "", AccountStoreMapping.store_id == sa.bindparam("store_id")),
    )
    .order_by(
        *(Account.id.is_(None), LoginName.account_id.is_(None), Directory.id.is_(None)),
        Directory.provider_id != Provider.STORMPATH,  # a mirror has no passwords: it keeps nobody else from theirs
        *(AccountStoreMapping.list_index, AccountStoreMapping.id),
    )
    .limit(1)
)
_NAMED: sa.Select[Any] = sa.select(Application).where(Application.name_key == sa.bindparam("name_key"))
_APPLICATIONS: kept.Lookup[Any] = kept.Lookup(
    "applications", Application, Application.name_key == sa.bindparam("name_key")
)

Account.current_application = Application.current


def _accepted() -> ApiKeys:
    mine = ApiKey.account_id.in_(Application.current().admitted())
    return ApiKeys(ApiKey, sa.or_(ApiKey.account_id.is_(None), mine))


ApiKey.accepted = _accepted
