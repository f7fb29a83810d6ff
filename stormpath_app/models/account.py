"""Account: a person (or thing) that can log in. `User` is the same class."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship, validates

from .. import names, origin, signals
from ..database import exact_text, session
from ..errors import AccountAlreadyExists, CreatedByProvider, InvalidFormat, KeptByProvider
from ..transactions import announce, atomic
from . import (
    administration,
    custom_data_rows,
    event,
    login_name,
    one_time_token,
    search_text,
    session as sessions,
)
from .api_key import ApiKey, ApiKeys
from .base import DISABLED, ENABLED, UNKNOWN, UNVERIFIED, VERIFIED, Id, Key, boolean, status, stays
from .custom_data_search import InCustomData
from .email_holder import EmailHolder
from .group import Group
from .login_name import LoginName
from .password_holder import LOGIN_ATTRIBUTES
from .provider import Provider
from .provider_data import ProviderData
from .searchable import Moment, Status, Words
from .session import AccountSession
from .unsaved import changed

if TYPE_CHECKING:
    from .directory import Directory


def _key_column() -> Any:
    return mapped_column(Key, server_default=sa.text("''"), nullable=False, deferred=True)


class Claim(int):
    """True or False that may also be called: old apps write `user.is_active()`, newer ones `user.is_active`."""

    def __call__(self) -> bool:
        """Return the claim as a bool."""
        return bool(self)

    def __repr__(self) -> str:
        return repr(bool(self))


class Account(EmailHolder):
    """A member of a directory. Set attributes, then `save()`.

    `email`, `username`, `given_name`, `middle_name`, `surname`; `status`: ENABLED, DISABLED or UNVERIFIED;
    `email_verification_status`: UNKNOWN, UNVERIFIED or VERIFIED, and UNVERIFIED again with another address;
    `password` can be set and never read; `must_change_password`: its owner is let in once they have chosen another;
    `custom_data` is a dictionary for whatever the app keeps with them.
    """

    __tablename__ = "stormpath_accounts"
    __table_args__ = (
        sa.Index(None, "directory_id", "id"),
        # What a directory's accounts are searched and sorted by; the id makes each place one account's.
        *(
            sa.Index(None, "directory_id", column, "id")
            for column in ("email_key", "username_key", "given_name_key", "surname_key", "status", "created_at")
        ),
        sa.Index(None, "directory_id", "password_modified_at"),  # how many a change of the policy is about
    )
    __allow_unmapped__ = True  # for the attributes below that are no columns
    thing, collection = "Account", "accounts"
    writable = frozenset(
        {
            *("email", "username", "password", "given_name", "middle_name", "surname"),
            *("status", "email_verification_status", "must_change_password", "custom_data"),
        }
    )
    readable = (
        *("username", "email", "given_name", "middle_name", "surname", "full_name"),
        *("status", "email_verification_status", "must_change_password", "password_modified_at"),
    )
    links = frozenset(
        {
            *("tenant", "directory", "groups", "group_memberships", "applications", "api_keys", "custom_data"),
            *("account_links", "linked_accounts", "provider_data"),
        }
    )
    searchable: ClassVar[dict[str, Any]] = {
        "email": Words("email_key", indexed=True),
        "username": Words("username_key", indexed=True),
        "given_name": Words("given_name_key", indexed=True),
        "middle_name": Words("middle_name_key"),
        "surname": Words("surname_key", indexed=True),
        "status": Status(ENABLED, DISABLED, UNVERIFIED),
        "created_at": Moment(indexed=True),
        "modified_at": Moment(),
        "password_modified_at": Moment(),
        "custom_data": InCustomData(),
    }
    custom_data_table = custom_data_rows.table(__tablename__)

    directory_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"))
    # The value before is always known, as its login name must go with it.
    #: None: the e-mail address serves as username.
    chosen_username: Mapped[str | None] = mapped_column("username", sa.String(names.LONGEST), active_history=True)
    given_name: Mapped[str | None] = mapped_column(sa.String(names.LONGEST))
    middle_name: Mapped[str | None] = mapped_column(sa.String(names.LONGEST))
    surname: Mapped[str | None] = mapped_column(sa.String(names.LONGEST))

    # What searches look into, made of the names above by `search_text.of_account`, and loaded by nobody. "": there is
    # no such name.
    email_key: Mapped[str] = _key_column()
    username_key: Mapped[str] = _key_column()
    given_name_key: Mapped[str] = _key_column()
    middle_name_key: Mapped[str] = _key_column()
    surname_key: Mapped[str] = _key_column()
    search_text: Mapped[str | None] = deferred(mapped_column(exact_text()))

    directory: Mapped["Directory"] = relationship()

    #: The group that a new account is put into, in the same transaction.
    first_group: Group | None = None
    #: The login that a new password leaves alive, and how many the last change of it ended.
    spared_login: str | None = None
    ended_logins: int = 0
    #: Whether its owner is mailed that the next `save` gave it another password.
    tells_of_password: bool = False
    #: Whether its provider tells what is set, which may change all that is the provider's.
    is_told_by_provider: bool = False
    #: Whether it came into being with the login that gave it out.
    is_new_account: bool = False

    #: Returns the application that the settings name. `application.py`, which stands above, sets it.
    current_application: ClassVar[Callable[[], Any]]

    @classmethod
    def create(
        cls,
        email: str,
        password: str,
        given_name: str | None = None,
        surname: str | None = None,
        username: str | None = None,
        middle_name: str | None = None,
        status: str = ENABLED,
        custom_data: Mapping[str, Any] | None = None,
        must_change_password: bool = False,
    ) -> "Account":
        """Create an account in the current application's default account store, and commit.

        :raises AccountAlreadyExists, PasswordRefused, PropertyError: it cannot be; nothing is written.
        """
        created: Account = cls.current_application().accounts.create(
            email=email,
            password=password,
            given_name=given_name,
            surname=surname,
            username=username,
            middle_name=middle_name,
            status=status,
            custom_data=custom_data,
            must_change_password=must_change_password,
        )
        return created

    @classmethod
    def from_login(cls, login: str, password: str) -> "Account":
        """Return the account of the current application with this e-mail address or username, and this password.

        :raises LoginFailed: nobody is let in.
        """
        result = cls.current_application().authenticate_account(login, password)
        found: Account = result.account
        return found

    @classmethod
    def from_google(cls, code: str, redirect_uri: str | None = None) -> "Account":
        """Return the account of the current application that a code from Google stands for; a new one, if need be.

        :raises StormpathError: as `application.get_provider_account`.
        """
        found: Account = cls.current_application().get_provider_account(
            Provider.GOOGLE, code=code, redirect_uri=redirect_uri
        )
        return found

    @classmethod
    def from_facebook(cls, access_token: str) -> "Account":
        """Return the account of the current application that a token from Facebook stands for; a new one, if need be.

        :raises StormpathError: as `application.get_provider_account`.
        """
        found: Account = cls.current_application().get_provider_account(Provider.FACEBOOK, access_token=access_token)
        return found

    # --- Who it is ---

    @property
    def title(self) -> str:
        """The e-mail address."""
        return self.email

    @property
    def username(self) -> str:
        """The name chosen to log in with; the e-mail address where none was."""
        return self.chosen_username or self.email

    @username.setter
    def username(self, value: str | None) -> None:
        self.chosen_username = names.text(self.thing, "username", value)

    @property
    def full_name(self) -> str:
        """The names there are, with blanks between."""
        return " ".join(filter(None, (self.given_name, self.middle_name, self.surname)))

    @validates("directory_id", "directory")
    def _check_directory(self, key: str, value: object) -> object:
        return stays(self, key, value)

    @validates("email")
    def _check_email(self, _key: str, value: object) -> str:
        address = names.email(value)
        if not self.is_new and address != self.email and "email_verification_status" not in changed(self):
            self.email_verification_status = UNVERIFIED  # it was the old address that was verified
        return address

    @validates("given_name", "middle_name", "surname")
    def _check_name(self, key: str, value: object) -> str | None:
        return names.text(self.thing, key, value)

    @validates("status")
    def _check_status(self, _key: str, value: object) -> str:
        return status(self.thing, value, (ENABLED, DISABLED, UNVERIFIED))

    @validates("email_verification_status")
    def _check_email_verification_status(self, key: str, value: object) -> str:
        return status(self.thing, value, (UNKNOWN, UNVERIFIED, VERIFIED), name=key)

    @validates("must_change_password")
    def _check_must_change_password(self, key: str, value: object) -> bool:
        return boolean(self.thing, key, value)

    def payload(self) -> dict[str, Any]:
        """Return what signals carry: `user`, the attributes, as in Flask-Stormpath; `account`, the account itself."""
        return {"user": dict(self), "account": self}

    @property
    def provider_data(self) -> ProviderData:
        """Who it is at the provider that it came by, and what that told when it last logged in."""
        return session.get(ProviderData, self.id) or ProviderData.of_cloud(self)

    @property
    def api_keys(self) -> ApiKeys:
        """The API keys of the account. `create()` makes one; they go with the account."""
        return ApiKeys(ApiKey, ApiKey.account_id == self.id, create=self._create_api_key)

    def _create_api_key(self, properties: Mapping[str, Any] | None = None, **more: Any) -> ApiKey:
        return ApiKey.create({**(properties or {}), **more}, tenant_id=self.directory.tenant_id, account=self)

    # --- What the directory asks ---

    def own_names(self) -> Iterable[str | None]:
        """Return the names a password must not come down to: the account's, and those of the sites it is for."""
        local = self.email.rpartition("@")[0]
        parts = (self.given_name, self.middle_name, self.surname, self.full_name)
        return (self.email, local, self.chosen_username, *parts, *self.directory.site_names())

    def _guard_provider(self) -> None:
        """Accept what was set, where the account's provider has no say in it.

        :raises CreatedByProvider, KeptByProvider: it has.
        """
        what = set(changed(self)) - {"status", "email_verification_status"}
        if self.new_password is not None:
            what.add("password")
        if not what or self.is_told_by_provider or self.directory.is_cloud:
            return
        if self.is_new:
            raise CreatedByProvider
        raise KeptByProvider(self.thing, "password" if "password" in what else min(what).removeprefix("chosen_"))

    def _prepare(self) -> None:
        """Look at the username beside the address, ask the directory's policies, and hash the password that was set."""
        if self.chosen_username and names.key(self.chosen_username) == names.key(self.email):
            self.chosen_username = None
        username = self.chosen_username or ""
        if "@" in names.key(username) or self.id_in(username):  # it would pass for another one's address or href
            raise InvalidFormat(self.thing, "username")
        self._guard_provider()
        self._ask_directory()
        self._begin()
        self._hash_new_password()

    def _ask_directory(self) -> None:
        """Let the directory look at the address and the names that are set now: what there is already may stay."""
        what = changed(self)
        if "email" in what:
            self.directory.account_creation_policy.check(self.email)
        given = {name: getattr(self, name) for name in ("given_name", "surname") if self.is_new or name in what}
        if given:
            self.directory.account_schema.check(given)

    # --- Its logins ---

    @property
    def sessions(self) -> list[AccountSession]:
        """Its logins that are alive, the one that was active last first. `session.end()` ends one."""
        return sessions.alive(self.id)

    def sign_out(self, *, others: bool = False) -> int:
        """End all its logins, on every device, and commit. Return how many there were. Its API keys stay.

        :param others: leave the login that asks, if one does.
        """
        with atomic():
            ended = self._end_logins(origin.current().session if others else None)
            self._record("account.signed_out", sessions=ended)
        return ended

    def lock_down(self) -> tuple[int, int]:
        """Shut out whoever may have got in: disable it, its API keys, its links, end its logins, and commit.

        Return how many logins ended, and how many API keys are DISABLED now.
        """
        with atomic():
            keys = self.api_keys.disable()
            self.status, self.ended_logins = DISABLED, 0
            self.save()
            ended = self.ended_logins + self._end_logins()
            one_time_token.end(self.id)
            self._record("account.locked_down", sessions=ended, api_keys=keys)
        return ended, keys

    def change_password(self, old: str, new: str) -> int:
        """Let its owner, who gives the old password, replace it, and commit. Return how many other logins it ended.

        The login that asks stays; a page then gives it new cookies by `login_user`.

        :raises WrongPassword, TooManyAttempts: as `check_password` does.
        :raises PasswordRefused: it breaks the directory's policy, or was used before. Nothing is left to be saved.
        """
        self.check_password(old)
        self.choose_password(new)
        self.spared_login = origin.current().session
        self.tells_of_password = True
        try:
            self.save()
        finally:
            self.new_password = self.spared_login = None
            self.tells_of_password = False
        return self.ended_logins

    def _end_logins(self, but: str | None = None) -> int:
        whose = AccountSession.account_id == self.id
        return sessions.end(whose, AccountSession.id != but) if but else sessions.end(whose)

    # --- Flask-Login's words ---

    def get_id(self) -> str:
        """Return the href."""
        return self.href

    @property
    def is_active(self) -> Claim:
        """Whether the status is ENABLED."""
        return Claim(self.status == ENABLED)

    @property
    def is_authenticated(self) -> Claim:
        """True: an account is only ever given out for somebody who logged in."""
        return Claim(True)

    @property
    def is_anonymous(self) -> Claim:
        """False."""
        return Claim(False)

    # --- Saving ---

    def save(self) -> None:
        """Write what was changed, and commit.

        A new password, one that must be changed, or a status but ENABLED ends all its sessions.

        :raises StormpathError: it cannot be so; nothing is written, and what was set is still there to be mended.
        """
        super().save()
        self.new_password = self.first_group = None

    def _before_save(self) -> None:
        if self.is_new:
            told = event.changes(self)
            self._record("account.created", application_id=self.came_through and self.came_through.id, changed=told)
            announce(signals.user_created, self.payload)
        else:
            what = changed(self)
            if "status" in what and self.status != ENABLED:
                self._keep_an_owner()
            if "password_hash" in what:
                self._keep_former_password()
            self._tell_update(what)

    def _tell_update(self, what: dict[str, tuple[Any, Any]]) -> None:
        details = self._custom_data_details()
        told = {"password_hash", "password_modified_at"}
        if "password_hash" in what:
            told.add("must_change_password")
            must = {"must_change": self.must_change_password} if "must_change_password" in what else {}
            self._record("password.changed", **must)
            announce(signals.password_changed, self.payload)
        others = {name: values for name, values in what.items() if name not in told}
        if others or details:
            columns = {"changed": event.changes(self, others)} if others else {}
            self._record("account.updated", **columns, **details)
        if "status" in what:
            before = what["status"][0]
            announce(signals.status_changed, lambda: {**self.payload(), "before": before})
        if what or details:
            announce(signals.user_updated, self.payload)

    def _after_save(self, what: dict[str, tuple[Any, Any]]) -> None:
        super()._after_save(what)
        if self.first_group is not None:
            self.add_group(self.first_group)
        is_closed = "status" in what and self.status != ENABLED
        must_change = "must_change_password" in what and self.must_change_password
        if "password_hash" in what or is_closed or must_change:
            self.ended_logins = self._end_logins(self.spared_login)

        if self.tells_of_password and "password_hash" in what:
            self._tell_of_password()

    def _keep_an_owner(self) -> None:
        if administration.is_administrators(self.directory):
            administration.keep_an_owner(self.id)

    def _before_delete(self) -> None:
        self._keep_an_owner()
        self._tell_the_linked()
        self._record("account.deleted")
        last = self.payload()
        announce(signals.user_deleted, lambda: last)

    def taken(self) -> AccountAlreadyExists | None:
        """Return the error for the name that another account of the directory has; None where all are free."""
        for label, value in (("email", self.email), ("username", self.chosen_username)):
            if value is not None and LoginName.owner(self.directory_id, value) not in (None, self.id):
                return AccountAlreadyExists(self.thing, label)
        return None


#: What a login is decided by, which is read anew for each: what is in memory may be older.
LOGIN_COLUMNS = tuple(getattr(Account, name) for name in LOGIN_ATTRIBUTES)

login_name.follow(Account)
_NAMES = ("email", "chosen_username", "given_name", "middle_name", "surname")
search_text.follow(
    Account, frozenset(_NAMES), lambda account: search_text.of_account(*(getattr(account, name) for name in _NAMES))
)
