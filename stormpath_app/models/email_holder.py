"""EmailHolder: what an account is to its e-mail address, which it confirms, and is told by what happens to it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .. import names
from ..database import session
from ..errors import (
    AccountAlreadyExists,
    KeptByProvider,
    MailQuotaExceeded,
    StormpathError,
    TokenRefused,
    VerificationDisabled,
)
from ..transactions import atomic, release
from . import message, one_time_token, password_history, session as sessions
from .base import DISABLED, ENABLED, UNKNOWN, UNVERIFIED, VERIFIED
from .login_name import LoginName
from .one_time_token import EMAIL_CHANGE, VERIFICATION, OneTimeToken
from .password_holder import PasswordHolder
from .unsaved import changed

#: How long the link is good that a new address is confirmed with.
EMAIL_CHANGE_LIFE = timedelta(hours=24)


class EmailHolder(PasswordHolder):
    """The part of an account that mails are for. Each mail is written with the change it tells of, and leaves later."""

    __abstract__ = True
    __allow_unmapped__ = True  # for the attributes below that are no columns

    if TYPE_CHECKING:
        api_keys: Any

    # The value before is always known, as its login name must go with it.
    email: Mapped[str] = mapped_column(sa.String(names.LONGEST), active_history=True)
    status: Mapped[str] = mapped_column(sa.String(16), default=ENABLED)
    #: Whether the address is known to be theirs: UNKNOWN where the account is older than this attribute.
    email_verification_status: Mapped[str] = mapped_column(sa.String(16), default=UNVERIFIED, server_default=UNKNOWN)

    #: The application that a new account is created through; None: its directory alone.
    came_through: Any = None
    #: False: a new account need confirm nothing, and gets no mail.
    registration_workflow_enabled: bool = True
    #: The token of the mail that was just written, for an app that sends one of its own; None later, as it is stored
    #: nowhere.
    email_verification_token: str | None = None

    # --- Confirming the address ---

    def send_verification_email(self, *, application_id: str | None = None) -> None:
        """Mail a link that confirms the address, and commit; the one before is dead then. Confirmed already: nothing.

        :raises VerificationDisabled: the directory confirms no addresses.
        :raises MailQuotaExceeded: not so often; the last link stays good.
        """
        if not self.directory.account_creation_policy.verifies:
            raise VerificationDisabled
        release()
        with atomic():
            self.lock()
            if self.status == DISABLED or self.email_verification_status == VERIFIED:
                return
            message.check_quota(message.VERIFICATION, self)
            self._queue_verification(application_id)
            self._record("verification.requested", application_id=application_id)

    @classmethod
    def verify_email(cls, token: str | OneTimeToken) -> Self:
        """Confirm an account's address by the token that was mailed to it, and commit. Return the account.

        It is ENABLED then if it was UNVERIFIED.

        :raises TokenRefused: the token is none, or does not work any more.
        """
        found = find_token(VERIFICATION, one_time_token.hash_of(token))
        account: Self = found.account  # type: ignore[assignment]
        account.email_verification_status = VERIFIED
        if account.status == UNVERIFIED:
            account.status = ENABLED

        def tell() -> None:
            policy = account.directory.account_creation_policy
            if policy.verification_success_email_status == ENABLED:
                message.queue(message.VERIFICATION_SUCCESS, account, application_id=found.application_id)
            if policy.welcome_email_status == ENABLED:
                message.queue(message.WELCOME, account, application_id=found.application_id)

        account.save_using(found, tell)
        return account

    def verify(self) -> None:
        """Take the address for confirmed, as whoever asks knows that it is theirs, and commit. No mail is sent.

        It is ENABLED then if it was UNVERIFIED, and the link that was mailed is dead.
        """
        self.email_verification_status = VERIFIED
        if self.status == UNVERIFIED:
            self.status = ENABLED
        with atomic():
            self.save()
            one_time_token.end(self.id, VERIFICATION)

    def hand_over(self) -> None:
        """Make all that lets somebody in worth nothing, as the address is proved to be another person's.

        Its password, former ones, logins, links in mails, links with accounts and API keys; in the transaction that is
        open. It is ENABLED then if it was UNVERIFIED.
        """
        links = list(self.account_links)
        for link in links:
            link.delete()
        keys = self.api_keys.disable()
        if (self.password_hash, self.password_modified_at) != (None, None):  # None over what was not read is no change
            self.password_hash = self.password_modified_at = None
        self.must_change_password = False
        self.email_verification_status = VERIFIED
        if self.status == UNVERIFIED:
            self.status = ENABLED
        self.save()
        password_history.forget(self.id)
        one_time_token.end(self.id)
        sessions.end(sessions.AccountSession.account_id == self.id)
        self._record("account.taken_over", links=len(links), api_keys=keys)

    def _begin(self) -> None:
        """Let a new account wait for its address to be confirmed, where the directory wants that."""
        if self.is_new and self._must_verify and self.status != DISABLED:
            self.status = UNVERIFIED

    @property
    def _must_verify(self) -> bool:
        wanted = self.registration_workflow_enabled and self.email_verification_status != VERIFIED
        return wanted and bool(self.directory.account_creation_policy.verifies)

    def _greet(self) -> None:
        """Write the first mail to a new account, in the transaction that is open."""
        if self.status == DISABLED or not self.registration_workflow_enabled:
            return
        application_id = self.came_through and self.came_through.id
        if self._must_verify:
            self._queue_verification(application_id)
        elif self.directory.account_creation_policy.welcome_email_status == ENABLED:
            message.queue(message.WELCOME, self, application_id=application_id)

    def _queue_verification(self, application_id: str | None) -> None:
        life = timedelta(hours=self.directory.account_creation_policy.verification_token_ttl)
        issued = one_time_token.issue(VERIFICATION, self, self.email, life, application_id)
        message.queue(message.VERIFICATION, self, application_id=application_id, nonce=issued.nonce, life=life)
        self.email_verification_token = issued.token

    # --- Another address ---

    def request_email_change(self, address: str, *, application_id: str | None = None) -> None:
        """Mail a link to a new address, which becomes the account's when it is confirmed there, and commit.

        Of an address that another account has, its owner is told, and nobody else.

        :raises PropertyError: it is no address, or not one that an account of the directory may have.
        :raises AccountAlreadyExists: it is the account's own.
        :raises KeptByProvider: its provider tells its address.
        :raises MailQuotaExceeded: not so often.
        """
        if not self.directory.is_cloud:
            raise KeptByProvider("Account", "email")
        address = names.email(address)
        if address == self.email:
            raise AccountAlreadyExists("Account", "email")
        self.directory.account_creation_policy.check(address)
        owner = LoginName.owner(self.directory_id, address)
        release()
        with atomic():
            self.lock()
            message.check_quota(message.EMAIL_CHANGE, self, address)
            if owner in {None, self.id}:
                issued = one_time_token.issue(EMAIL_CHANGE, self, address, EMAIL_CHANGE_LIFE, application_id)
                message.queue(
                    message.EMAIL_CHANGE,
                    self,
                    application_id=application_id,
                    address=address,
                    nonce=issued.nonce,
                    life=EMAIL_CHANGE_LIFE,
                )
            else:  # the link before dies, and the quota counts, as with an address that is free
                one_time_token.end(self.id, EMAIL_CHANGE)
                message.withhold(
                    message.EMAIL_CHANGE,
                    self,
                    application_id=application_id,
                    address=address,
                    life=EMAIL_CHANGE_LIFE,
                    why="Another account has the address. Its owner was told.",
                )
                self.tell_owner(owner, application_id)
            self._record("email_change.requested", application_id=application_id)

    @classmethod
    def confirm_email_change(cls, token: str | OneTimeToken) -> Self:
        """Give an account the address that this token was mailed to, and commit. Return the account.

        The address before gets a mail that says so.

        :raises TokenRefused: the token is none, or does not work any more.
        :raises AccountAlreadyExists: another account has the address by now.
        """
        found = find_token(EMAIL_CHANGE, one_time_token.hash_of(token))
        account: Self = found.account  # type: ignore[assignment]
        before, account.email = account.email, found.address
        account.email_verification_status = VERIFIED

        def tell() -> None:
            message.queue(
                message.EMAIL_CHANGED,
                account,
                application_id=found.application_id,
                address=before,
                new_address=found.address,
            )

        account.save_using(found, tell)
        return account

    @classmethod
    def tell_owner(cls, account_id: str, application_id: str | None = None) -> None:
        """Mail the owner of an account that somebody asked for an account with its address; in the open transaction."""
        owner = session.get(cls, account_id)
        if owner is None or owner.status == DISABLED:
            return
        owner.lock()
        with suppress(MailQuotaExceeded):  # they know by now
            message.check_quota(message.ACCOUNT_EXISTS, owner)
            message.queue(message.ACCOUNT_EXISTS, owner, application_id=application_id)

    def _tell_of_password(self) -> None:
        """Write a mail that says the password was changed, in the transaction that is open."""
        if self.directory.password_policy.reset_success_email_status == ENABLED:
            message.queue(message.PASSWORD_CHANGED, self)

    # --- In one transaction ---

    def lock(self) -> None:
        """Let nobody else write mails of this account until the transaction that is open ends."""
        account = type(self)
        session.execute(sa.select(account.id).where(account.id == self.id).with_for_update())

    def save_using(self, token: OneTimeToken, tell: Callable[[], None]) -> None:
        """Save what was set, use a token up and `tell`, in one transaction; if it cannot be, forget what was set.

        :raises TokenRefused: somebody else used it meanwhile, or it died.
        """
        try:
            self._prepare()  # a hash takes long
            self.new_password = None
            with atomic() as current, current.no_autoflush:
                wanted = changed(self)
                current.refresh(self, with_for_update=True)  # what others changed meanwhile stays
                self.set_again(wanted)
                if not one_time_token.use(token):
                    raise TokenRefused
                self.save()
                tell()
        except StormpathError:
            self.new_password = None
            self.refresh()
            raise

    def _after_save(self, what: dict[str, tuple[Any, Any]]) -> None:
        if "id" in what:  # it is new
            self._greet()
        elif {"password_hash", "email", "status"} & what.keys():
            one_time_token.end(self.id)


def find_token(purpose: str, token_hash: str) -> OneTimeToken:
    """Return the token with this hash, with its account as it is in the database now.

    :raises TokenRefused: there is none that works.
    """
    found = one_time_token.find(purpose, token_hash)
    if found is None:
        raise TokenRefused
    return found
