"""MailWorkflows: what an application does by mail: passwords that are forgotten, addresses to be confirmed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .. import throttle
from ..errors import (
    AccountAlreadyExists,
    AccountDisabled,
    NoSuchAccount,
    PropertyRequired,
    StormpathError,
    TokenRefused,
)
from ..transactions import atomic, release
from . import event, message, one_time_token
from .account import Account
from .account_store_holder import AccountStoreHolder, GivenStore
from .base import DISABLED, ENABLED
from .collection import Collection
from .email_holder import find_token
from .login_name import LoginName
from .one_time_token import RESET, OneTimeToken


@dataclass(frozen=True)
class PasswordResetToken:
    """A reset that was asked for. `account`: whose; `token`: what its link has, which is stored nowhere."""

    account: Account
    application: "MailWorkflows" = field(repr=False)
    token: str = field(repr=False)

    @property
    def email(self) -> str:
        """The address that the link is mailed to."""
        return self.account.email

    @property
    def href(self) -> str:
        """The address of the token, which has it: for nobody but the account's owner."""
        return f"{self.application.href}/passwordResetTokens/{self.token}"


class MailWorkflows(AccountStoreHolder):
    """The part of an application that mails links, and does what they are for."""

    __abstract__ = True

    if TYPE_CHECKING:

        @property
        def accounts(self) -> Collection[Account]:
            """The accounts of all its stores."""

        def find_account(self, login: str, *, account_store: GivenStore | None = None) -> Account | None:
            """Return the account with this e-mail address or username."""

        def create_account(self, properties: Mapping[str, Any] | None = None, **more: Any) -> Account:
            """Create an account in the default account store."""

    # --- A forgotten password ---

    def send_password_reset_email(self, email: str, account_store: GivenStore | None = None) -> PasswordResetToken:
        """Mail a link that leads to a new password, and commit. The link before is dead then.

        Where the directory's `reset_email_status` is DISABLED nothing is mailed: the app may send the token itself.

        :param account_store: ask this one of the application's stores alone: a Directory or Group, its href or name.
        :raises NoSuchAccount, AccountDisabled: there is nobody to mail it to. No stranger may learn of these.
        :raises MailQuotaExceeded: not so often; the last link stays good.
        """
        account = self._find(email, account_store)
        if account.status == DISABLED:
            raise AccountDisabled
        policy = account.directory.password_policy
        life = timedelta(hours=policy.reset_token_ttl)
        release()
        with atomic():
            account.lock()
            message.check_quota(message.RESET, account)
            issued = one_time_token.issue(RESET, account, account.email, life, self.id)
            if policy.reset_email_status == ENABLED:
                message.queue(message.RESET, account, application_id=self.id, nonce=issued.nonce, life=life)
            self._record_mail("password_reset.requested", account)
        return PasswordResetToken(account, self, issued.token)

    def verify_password_reset_token(self, token: str) -> Account:
        """Return the account that a token from a reset mail is for. The token stays good.

        :raises TokenRefused: it is none, or does not work any more.
        """
        return self.find_reset_token(one_time_token.digest(token)).account

    def find_reset_token(self, token_hash: str) -> OneTimeToken:
        """Return the token with this hash (`one_time_token.digest`), which a browser's session may keep.

        :raises TokenRefused: there is none that works.
        """
        found = find_token(RESET, token_hash)
        if found.application_id != self.id or found.account not in self.accounts:
            raise TokenRefused
        return found

    def reset_account_password(self, token: str | OneTimeToken, password: str) -> Account:
        """Give the account of a reset token a new password, and commit. Return the account.

        The token is used up, every login of the account ends, and its wrong passwords are forgotten. Its status stays.

        :raises TokenRefused: the token is none, or does not work any more.
        :raises PasswordRefused: the password breaks the directory's policy; the token stays good.
        """
        text_hash = token.token_hash if isinstance(token, OneTimeToken) else one_time_token.digest(token)
        found = self.find_reset_token(text_hash)
        account = found.account
        account.choose_password(password)

        def tell() -> None:
            throttle.unlock(account.id)
            self._record_mail("password_reset.completed", account)
            if account.directory.password_policy.reset_success_email_status == ENABLED:
                message.queue(message.RESET_SUCCESS, account, application_id=self.id)

        account.save_using(found, tell)
        return account

    # --- Confirming an address ---

    def send_verification_email(self, login: str, account_store: GivenStore | None = None) -> None:
        """Mail a link that confirms an account's address, and commit; the one before is dead then.

        :param login: its e-mail address or username.
        :raises NoSuchAccount, VerificationDisabled: there is nobody to mail it to. No stranger may learn of these.
        :raises MailQuotaExceeded: not so often; the last link stays good.
        """
        self._find(login, account_store).send_verification_email(application_id=self.id)

    # --- What strangers may ask for: nothing tells them who has an account ---

    def request_password_reset(self, email: str) -> None:
        """Mail a link that leads to a new password, if there is somebody to mail it to, and commit.

        :raises TooManyAttempts: the network asked too often.
        """
        self._quietly("password_reset", lambda: self.send_password_reset_email(email))

    def request_verification(self, login: str) -> None:
        """Mail a link that confirms an address, if there is one to confirm, and commit.

        :raises TooManyAttempts: the network asked too often.
        """
        self._quietly("verification", lambda: self.send_verification_email(login))

    def register(self, properties: Mapping[str, Any]) -> Account | None:
        """Create an account as a stranger may, and commit.

        Where addresses must be confirmed nobody learns which are taken: of such a one the owner is told, which takes as
        long as an account to be made, and None is returned.

        :raises StormpathError: it cannot be; nothing is written.
        """
        try:
            return self.create_account(properties)
        except AccountAlreadyExists as error:
            directory = self.default_account_store().home
            if error.property != "email" or not directory.account_creation_policy.verifies:
                raise
            owner_id = LoginName.owner(directory.id, properties["email"])
            directory.new_account(properties)._prepare()  # the same rules, and a hash
            with atomic():
                if owner_id:
                    Account.tell_owner(owner_id, self.id)
            return None

    def _quietly(self, what: str, ask: Callable[[], object]) -> None:
        """Do what a stranger asks for: two transactions, whether there is somebody to do it for or not."""
        attempt = throttle.admit()
        with atomic():
            attempt.count()
        try:
            ask()
        except StormpathError as error:
            with atomic():
                event.record(f"{what}.refused", application_id=self.id, code=error.code)

    def _find(self, login: object, account_store: GivenStore | None) -> Account:
        if login is None or login == "":
            raise PropertyRequired("Account", "login")
        found = self.find_account(login, account_store=account_store) if isinstance(login, str) else None
        if found is None:
            raise NoSuchAccount
        return found

    def _record_mail(self, kind: str, account: Account) -> None:
        event.record(kind, application_id=self.id, account_id=account.id, directory_id=account.directory_id)
