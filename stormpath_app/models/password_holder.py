"""PasswordHolder: what an account is to its password."""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.orm.attributes import set_committed_value

from .. import bulkhead, clock, hashers, signals, throttle
from ..database import UTCDateTime, exact_text, session
from ..errors import PasswordReused, PropertyRequired, WrongPassword, WrongType
from ..settings import settings
from ..transactions import announce, atomic, release
from . import event, password_history, session as sessions
from .link_holder import LinkHolder
from .unsaved import changed

#: What a login is decided by, which is read anew for each: what is in memory may be older.
LOGIN_ATTRIBUTES = ("password_hash", "password_modified_at", "status", "must_change_password")


class PasswordHolder(LinkHolder):
    """The part of an account that has a password: set, checked, counted and replaced, never read."""

    __abstract__ = True
    __allow_unmapped__ = True  # for the attributes below that are no columns

    #: Not loaded with the account: it is needed at login alone, and should be nowhere else.
    password_hash: Mapped[str | None] = mapped_column(exact_text(128), deferred=True)
    password_modified_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    #: Whether it is let in no more before its owner has chosen another password.
    must_change_password: Mapped[bool] = mapped_column(default=False, server_default=sa.false(), active_history=True)

    #: What was set and is not hashed yet; and whether its owner chose it.
    new_password: str | None = None
    is_own_choice: bool = False

    if TYPE_CHECKING:
        own_names: Any
        payload: Any

    @property
    def has_password(self) -> bool:
        """Whether there is one, as the database has it now."""
        account = type(self)
        return bool(session.scalar(sa.select(account.password_hash.is_not(None)).where(account.id == self.id)))

    @property
    def password(self) -> str:
        """Set it, then `save()`. It cannot be read: only a hash is kept."""
        raise AttributeError("A password can be set and checked, not read.")

    @password.setter
    def password(self, value: str) -> None:
        if value is None or value == "":
            raise PropertyRequired(self.thing, "password")
        if not isinstance(value, str):
            raise WrongType(self.thing, "password")
        self.new_password, self.is_own_choice = value, False

    def choose_password(self, password: str) -> None:
        """Set a password that its owner chose, so that they need not change it; then `save()`."""
        self.password = password
        self.is_own_choice = True

    def _hash_new_password(self) -> None:
        """Hash the password that was set, if the directory's policy accepts it.

        :raises TooManyAtOnce: others are being hashed.
        """
        if self.new_password is None:
            return
        self.directory.password_policy.check(self.new_password, self.own_names())
        with bulkhead.place():
            self._check_reuse(self.new_password)
            release()
            self.password_hash = hashers.hash(self.new_password, settings.BCRYPT_COST)
        self.password_modified_at = clock.now()
        if self.is_own_choice:
            self.must_change_password = False

    def _check_reuse(self, password: str) -> None:
        """Accept a password that was not used before, as far as the directory asks; each looked at takes a hash.

        Who must choose another never gets away with the one they have.

        :raises PasswordReused: it was.
        """
        wanted = self.directory.password_policy.strength.prevent_reuse
        last = wanted or int(self.is_own_choice and self.must_change_password)
        if self.is_new or not last:
            return
        account = type(self)
        in_use = session.scalar(sa.select(account.password_hash).where(account.id == self.id))
        before = [in_use, *password_history.hashes(self.id, last - 1)]
        release()
        if any(hashers.verify(password, stored, settings.BCRYPT_COST) for stored in before if stored):
            raise PasswordReused(last)

    def _keep_former_password(self) -> None:
        """Keep the hash that is about to be replaced, in the open transaction; where reuse is free, forget all."""
        if not self.directory.password_policy.strength.prevent_reuse:
            password_history.forget(self.id)
            return
        account = type(self)
        in_use = sa.select(account.password_hash).where(account.id == self.id).with_for_update()
        if replaced := session.scalar(in_use):
            password_history.keep(self.id, replaced)

    def check_password(self, password: str) -> None:
        """Accept the account's own password, and commit. It takes the time of one hash, and is counted as a login is.

        :raises WrongPassword, TooManyAttempts: it is another one, or the account has none; it was not looked at.
        :raises TooManyAtOnce: nor is it counted.
        """
        password = password if isinstance(password, str) else ""
        with nullcontext() if hashers.is_too_long(password) else bulkhead.place():
            self._check_counted(password)

    def _check_counted(self, password: str) -> None:
        attempt = throttle.reserve(self.id)
        account = type(self)
        columns = [getattr(account, name) for name in LOGIN_ATTRIBUTES]
        just_read = session.execute(sa.select(*columns).where(account.id == self.id)).first()
        try:
            self.compare_password(password, just_read)
        except WrongPassword:
            with atomic():
                attempt.count()
                self._record("reauthentication.failed")
            raise
        with atomic():
            attempt.refund()

    @property
    def locks(self) -> tuple[throttle.Counter, list[throttle.Counter]]:
        """What its wrong passwords have come to: for everybody, and for each browser it was logged in with before."""
        return throttle.of_account(self.id)

    def unlock(self) -> None:
        """Forget its wrong passwords, and commit: the next login need not wait."""
        with atomic():
            throttle.unlock(self.id)
            self._record("account.unlocked")

    def compare_password(self, password: str, just_read: Sequence[Any] | None) -> None:
        """Check the password against LOGIN_ATTRIBUTES just read from the database; None: the account is gone.

        What is in memory may be older than a change elsewhere. What was set there and is not saved stays.

        :raises WrongPassword: it is another one, or the account has none.
        """
        stored = just_read[0] if just_read else None
        unsaved = changed(self)
        for name, value in zip(LOGIN_ATTRIBUTES, just_read or (), strict=False):
            if name not in unsaved:
                set_committed_value(self, name, value)
        release()
        if not hashers.verify(password, stored, settings.BCRYPT_COST):
            raise WrongPassword

    def is_outdated(self, password: str, checks_before: datetime | None, replaces_before: datetime | None) -> bool:
        """Tell whether the directory takes the password that was just checked no more.

        :param checks_before, replaces_before: the moments of the directory's PasswordStrength.
        """
        if self._is_from_before(replaces_before):
            return True
        if not self._is_from_before(checks_before):
            return False
        verdicts = self.directory.password_policy.judge(password, self.own_names())
        release()
        return not all(verdict.is_met for verdict in verdicts)

    def _is_from_before(self, moment: datetime | None) -> bool:
        return moment is not None and (self.password_modified_at is None or self.password_modified_at < moment)

    def expire_password(self) -> None:
        """Let it in no more before its owner has chosen another password, and end its logins; in the open transaction.

        Where the password was changed since it was checked, nothing happens.
        """
        if self.must_change_password:
            return
        account: Any = type(self)
        is_the_same = account.password_hash == self.password_hash
        expire = sa.update(account).where(account.id == self.id, is_the_same)
        expired: Any = session.execute(
            expire.values(must_change_password=True).execution_options(synchronize_session=False)
        )
        if expired.rowcount:
            set_committed_value(self, "must_change_password", True)
            self._record("password.expired", sessions=sessions.end(sessions.AccountSession.account_id == self.id))
            announce(signals.user_updated, self.payload)

    def upgrade_hash(self, password: str) -> str | None:
        """Return a new hash of the password just checked where the stored one is out of date, else None."""
        stored = self.password_hash
        if stored is None or not hashers.is_out_of_date(stored, settings.BCRYPT_COST):
            return None
        release()
        return hashers.hash(password, settings.BCRYPT_COST)

    def replace_hash(self, new: str) -> None:
        """Write a better hash of the same password, unless the password was changed meanwhile."""
        account = type(self)
        session.execute(
            sa.update(account)
            .where(account.id == self.id, account.password_hash == self.password_hash)
            .values(password_hash=new, modified_at=account.modified_at)
            .execution_options(synchronize_session=False)
        )
        set_committed_value(self, "password_hash", new)

    def _record(self, kind: str, **details: Any) -> None:
        event.record(kind, target=self, account_id=self.id, directory_id=self.directory_id, **details)
