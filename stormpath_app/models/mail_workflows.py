"""MailWorkflows: what an application does by mail: passwords that are forgotten, addresses to be confirmed."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .. import names, origin, throttle, translation
from ..errors import (
    AccountAlreadyExists,
    AccountDisabled,
    NoPassword,
    NoSuchAccount,
    PropertyRequired,
    StormpathError,
    TokenRefused,
)
from ..transactions import atomic, release
from . import event, message, one_time_token
from .account import Account
from .account_store_holder import AccountStoreHolder, GivenStore
from .base import DISABLED, ENABLED, new_id
from .collection import Collection
from .directory import Directory
from .email_holder import find_token
from .group import Group
from .login_name import LoginName
from .message import OutboxMessage
from .one_time_token import RESET, OneTimeToken


@dataclass(frozen=True)
class PasswordResetToken:
    """A reset that was asked for. `account`: whose; `application`: of which; `token`: what the link has, no table."""

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


class _Unmade(Exception):
    """Undoes what was made in a block."""


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
        try:
            return self._reset(self._find(email, account_store), is_mailed=True)
        except NoPassword as error:  # what says so may come to a stranger's eyes
            raise NoSuchAccount(developer_message=error.developer_message) from error

    def mail_password_reset(self, account: Account) -> PasswordResetToken:
        """Do the same for an account that is known, whichever other has its address in another store.

        :raises NoSuchAccount, AccountDisabled, MailQuotaExceeded: as there; `NoPassword` says that there is none.
        """
        return self._reset(self._own(account), is_mailed=True)

    def create_password_reset_token(self, account: Account) -> PasswordResetToken:
        """Make a token that leads to a new password, for whoever asks to hand over, and commit. Nothing is mailed.

        The link before is dead then. No MAIL_QUOTA counts it.

        :raises NoSuchAccount, AccountDisabled: it could not be used.
        """
        return self._reset(self._own(account), is_mailed=False)

    def _reset(self, account: Account, *, is_mailed: bool) -> PasswordResetToken:
        if not account.directory.is_cloud:
            raise NoPassword
        if account.status == DISABLED:
            raise AccountDisabled
        policy = account.directory.password_policy
        life = timedelta(hours=policy.reset_token_ttl)
        release()
        with atomic():
            account.lock()
            if is_mailed:
                message.check_quota(message.RESET, account)
            issued = one_time_token.issue(RESET, account, account.email, life, self.id)
            if is_mailed and policy.reset_email_status == ENABLED:
                message.queue(message.RESET, account, application_id=self.id, nonce=issued.nonce, life=life)
            self._record_mail("password_reset.requested" if is_mailed else "password_reset.link_created", account)
        return PasswordResetToken(account, self, issued.token)

    def _own(self, account: Account) -> Account:
        if account not in self.accounts:
            raise NoSuchAccount
        return account

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
        found = self.find_reset_token(one_time_token.hash_of(token))
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

    # --- An address that somebody has ---

    def tell_owner(self, email: str) -> None:
        """Mail the owner of an address that somebody asked for an account with it, and commit.

        :raises NoSuchAccount, MailQuotaExceeded: there is nobody to mail to, or they were told often enough.
        """
        with atomic():
            Account.tell_owner(self._find(email, None).id, self.id)

    # --- What strangers may ask for: nothing tells them who has an account ---

    def request_password_reset(self, email: str) -> None:
        """Mail a link that leads to a new password, if there is somebody to mail it to; commit what was asked.

        :raises TooManyAttempts: the network asked too often.
        """
        self._request(message.RESET_REQUEST, email)

    def request_verification(self, login: str) -> None:
        """Mail a link that confirms an address, if there is one to confirm; commit what was asked.

        :raises TooManyAttempts: the network asked too often.
        """
        self._request(message.VERIFICATION_REQUEST, login)

    def answer(self, asked: OutboxMessage) -> None:
        """Write the mail that a stranger asked for, in the place of the request, and commit: for who sends mails."""
        send: Any = {
            message.RESET_REQUEST: self.send_password_reset_email,
            message.VERIFICATION_REQUEST: self.send_verification_email,
            message.OWNER_NOTICE: self.tell_owner,
        }[asked.kind]
        asked_from = origin.Origin(**asked.data)
        with origin.acting(asked_from), translation.in_language(asked.language), atomic():
            if not message.take(asked):
                return  # another did
            try:
                send(asked.address)
            except StormpathError as error:
                event.record(f"{asked.kind}.refused", application_id=self.id, code=error.code)

    def register(self, properties: Mapping[str, Any]) -> Account | None:
        """Create an account as a stranger may, and commit.

        Where addresses must be confirmed nobody learns which are taken: of such a one the owner is told, which takes as
        long as an account to be made, and None is returned.

        :raises StormpathError: it cannot be; nothing is written.
        """
        store = self.default_account_store()
        if not store.home.account_creation_policy.verifies:
            return self.create_account(properties)
        with throttle.counting_taken_names():  # of usernames: those are told
            if LoginName.owner(store.home.id, names.email(properties.get("email"))) is None:
                try:
                    return store.create_account(properties, application=self)
                except AccountAlreadyExists as error:  # it was taken a moment ago, or its username is
                    if error.property != "email":
                        raise
            self._make_and_unmake(store, properties)
        return None

    def _make_and_unmake(self, store: Directory | Group, properties: Mapping[str, Any]) -> None:
        """Do the same work as for an account that can be made; write down that its owner is to be told."""
        account = store.home.new_account(properties, self)
        account._prepare()  # its password is looked at beside the right address
        account.new_password, account.email = None, f"{new_id()}@{names.domain(account.email)}"
        with atomic():
            with suppress(_Unmade), atomic():
                account.save()
                raise _Unmade
            message.request(message.OWNER_NOTICE, properties["email"], self.id)

    def _request(self, kind: str, login: str) -> None:
        attempt = throttle.admit()
        with atomic():
            attempt.count()
            message.request(kind, login, self.id)

    def _find(self, login: object, account_store: GivenStore | None) -> Account:
        if login is None or login == "":
            raise PropertyRequired("Account", "login")
        found = self.find_account(login, account_store=account_store) if isinstance(login, str) else None
        if found is None:
            raise NoSuchAccount
        return found

    def _record_mail(self, kind: str, account: Account) -> None:
        event.record(
            kind, target=account, application_id=self.id, account_id=account.id, directory_id=account.directory_id
        )
