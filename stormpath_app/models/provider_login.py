"""ProviderLogin: what an application is to the providers that people log in to it by."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm.attributes import set_committed_value

from .. import cache, names, providers, throttle
from ..database import session
from ..errors import (
    AccountAlreadyExists,
    AccountDisabled,
    AccountKnown,
    AccountNotFound,
    AccountNotVerified,
    ApplicationDisabled,
    ChangedMeanwhile,
    Conflict,
    DirectoryDisabled,
    GroupDisabled,
    LoginFailed,
    PropertyError,
    PropertyRequired,
    ProviderLacksEmail,
    ProviderNotMapped,
    ProviderRefused,
    RegistrationClosed,
    TooManyAttempts,
)
from ..providers import Config, Identity
from ..settings import settings
from ..transactions import atomic, is_atomic, release
from . import kept, linking, message
from .account import Account
from .account_link import AccountLink
from .account_store_mapping import AccountStoreMapping, in_turn
from .base import DISABLED, ENABLED, UNVERIFIED, VERIFIED
from .directory import Directory
from .group import Group
from .login_name import LoginName
from .mail_workflows import MailWorkflows
from .provider import Provider, as_stored, name_of
from .provider_data import ProviderData
from .unsaved import changed

#: The name of whoever has told none.
ANONYMOUS = "Anonymous"
#: What Google's script gives a code for, which comes back to no address.
_NO_REDIRECT = "postmessage"
_THE_END = 99  # as at Flask-Stormpath


class ProviderLogin(MailWorkflows):
    """The part of an application that people enter by a provider: another site that says who they are.

    Who comes by a provider has an account in its directory, and is known there by the provider's own id of them, never
    by a name or an address.
    """

    __abstract__ = True

    if TYPE_CHECKING:
        _announce_failure: Any
        _record: Any

    # --- The ways in ---

    def login_providers(self) -> list[Config]:
        """Return the providers that people can log in by: those of the settings, then those of its account stores.

        They are for buttons: a secret that is stored is left out. `login_provider` has it.
        """
        (text,) = kept.ask(_WAYS_IN, f"{self.id} providers", self._ways_in) or ("[]",)
        ways = json.loads(text)
        opened = {provider_id for provider_id, is_open, _config in ways if is_open}
        closed = {provider_id for provider_id, *_way in ways} - opened
        found = {name: config for name, config in providers.configured().items() if name not in closed}
        for provider_id, is_open, config in ways:
            if is_open and config:
                found.setdefault(provider_id, Config(**{**config, "scopes": tuple(config["scopes"])}))
        return list(found.values())

    def _ways_in(self, connection: sa.Connection) -> tuple[str]:
        """Return the providers of the account stores as one text: what each is called, whether it is open, and how."""
        rows = connection.execute(_STORED, {"application_id": self.id})
        return (json.dumps([(row.provider_id, bool(row.is_open), as_stored(row.provider_id, row)) for row in rows]),)

    def login_provider(self, provider_id: str) -> Config:
        """Return the provider with this id, if people can log in by it.

        :raises ProviderNotMapped: they cannot.
        """
        return self._way_in(provider_id)[0]

    def _way_in(self, provider_id: str) -> tuple[Config, Provider | None]:
        """Return how a provider is talked to, and the provider of its directory, if there is one yet."""
        mirror = self._mirror(provider_id)
        if mirror is None:
            config = providers.configured().get(provider_id)
        else:
            config = mirror.Provider.config() if mirror.is_open else None
        if config is None:
            raise ProviderNotMapped
        return config, mirror and mirror.Provider

    def _mirror(self, provider_id: str) -> Any:
        """Return the row of the account store that has the accounts of a provider; None where there is none."""
        rows = session.execute(_MIRRORS, {"application_id": self.id})
        mirrors = [row for row in rows if row.provider_id == provider_id]
        return min(mirrors, key=lambda row: (not row.is_open, row.group_id is not None), default=None)

    # --- Who somebody is ---

    def identify(
        self,
        provider: str,
        code: str | None = None,
        access_token: str | None = None,
        *,
        redirect_uri: str | None = None,
        verifier: str | None = None,
        nonce: str | None = None,
    ) -> Identity:
        """Ask a provider who somebody is. Nothing is written, and no transaction is open meanwhile.

        :param code: what the provider sent them back with; or else `access_token`, one that was given to this site.
        :param redirect_uri: where they were sent back to; None: the one of the directory.
        :raises ProviderNotMapped: nobody can log in by it.
        :raises ProviderRefused, ProviderUnavailable: it does not say who they are, or does not answer.
        :raises TooManyAttempts: the network sent too many codes or tokens that are none.
        """
        if is_atomic():
            raise RuntimeError("A provider may take seconds to answer: it is not asked inside atomic().")
        if not code and not access_token:
            raise PropertyRequired(ProviderData.thing, "code")
        config, stored = self._way_in(provider)
        uri = redirect_uri or (stored and stored.redirect_uri) or (_NO_REDIRECT if provider == Provider.GOOGLE else "")
        if code and not uri:
            raise PropertyRequired(Provider.thing, "redirect_uri")
        asked, attempt = providers.make(config), throttle.admit()
        release()
        try:
            if code:
                return asked.from_code(code, redirect_uri=uri, verifier=verifier, nonce=nonce)
            return asked.from_access_token(access_token or "")
        except ProviderRefused:  # whoever sends codes of their own making has a provider asked for each
            with atomic():
                attempt.count()
            raise

    def find_provider_account(self, provider_id: str, identity: Identity) -> Account | None:
        """Return the account that somebody has by a provider; None where they have none yet."""
        found = self._known_as(provider_id, identity)
        account: Account | None = found and found.Account
        return account

    def account_known_by_email(self, provider_id: str, identity: Identity) -> Account | None:
        """Return the account with somebody's address that came by no provider, in a store that lets it in; None: none.

        One that is linked with somebody else of the same provider is not theirs, if its address was confirmed.
        """
        if not identity.email or not names.can_be_stored(identity.email):
            return None
        wanted = {"application_id": self.id, "name_key": names.key(identity.email)}
        found: Account | None = session.scalar(_KNOWN_BY_EMAIL, wanted)
        mirror = self._mirror(provider_id) if found else None
        if found is None or mirror is None:
            return found
        end = found.id + mirror.Provider.id
        linked = sa.select(AccountLink.id).where(sa.or_(AccountLink.low_end == end, AccountLink.high_end == end))
        if not session.scalar(linked):
            return found
        # Who made an account with another person's address may have linked themselves with it.
        is_settled = found.email_verification_status == VERIFIED or self.find_provider_account(provider_id, identity)
        return None if is_settled else found

    # --- Logging in ---

    def get_provider_account(
        self,
        provider: str,
        code: str | None = None,
        access_token: str | None = None,
        *,
        redirect_uri: str | None = None,
        verifier: str | None = None,
        nonce: str | None = None,
    ) -> Account:
        """Return whom a provider's code or access token stands for, as logged in; it is written to the log.

        It is a new account where they had none; `account.is_new_account` tells. Who has another account with the same
        address keeps both, unless the account linking policy links them. The parameters are those of `identify`.

        :raises ProviderRefused, ProviderUnavailable, ProviderNotMapped: nobody is known.
        :raises LoginFailed: they are known, and not let in.
        :raises PropertyError, ProviderLacksEmail: no account can be made of what the provider told.
        """
        how: dict[str, Any] = {"redirect_uri": redirect_uri, "verifier": verifier, "nonce": nonce}
        identity = self.identify(provider, code, access_token, **how)
        return self._enter(provider, identity, asks=False)

    def enter(self, provider_id: str, identity: Identity) -> Account:
        """Return the account that somebody logs in to who comes by a provider; it is written to the log, and commits.

        :raises AccountKnown: they come for the first time, and have an account with this address: is it to be linked?
        :raises RegistrationClosed: they are strangers, who get no account.
        :raises LoginFailed: they are known, and not let in.
        :raises PropertyError, ProviderLacksEmail: no account can be made of what the provider told.
        """
        return self._enter(provider_id, identity, asks=True)

    def _enter(self, provider_id: str, identity: Identity, *, asks: bool) -> Account:
        if is_atomic():
            raise RuntimeError(
                "A login by a provider inside atomic(): the log of a failure would be rolled back with it."
            )
        account: Account | None = None
        try:
            if self.status != ENABLED:
                raise ApplicationDisabled
            known = self._known_as(provider_id, identity)
            if known:
                _check_place(known)
            account = known and known.Account
            if account is None:
                self._ask_before_account(provider_id, identity, asks=asks)
                account = self._come(provider_id, identity)
                is_new = account.is_new_account
            else:
                is_new = False
                if account.status != DISABLED:
                    self._refresh(known, identity)
            if account.status == DISABLED:
                raise AccountDisabled
            account = linking.account_to_enter(self, account, identity)
            _check_status(account)
        except TooManyAttempts:  # without a line in the log, which a flood would fill
            raise
        except LoginFailed as failure:
            with atomic():
                self._record("login.failed", account, code=failure.code, provider=provider_id)
                self._announce_failure(identity.email or "", account, failure)
            raise
        with atomic():
            self._record("login.succeeded", account, provider=provider_id)
        account.is_new_account = is_new
        return account

    def _known_as(self, provider_id: str, identity: Identity) -> Any:
        """Return the row of the account store of a provider, with who has this identity there; None: there is no such.

        :raises ProviderRefused: it could be nobody's.
        """
        if not _is_an_id(identity.subject):
            raise ProviderRefused(name_of(provider_id), "The provider's id of the person is none that can be kept.")
        wanted = {"application_id": self.id, "provider_id": provider_id, "subject": identity.subject}
        known = session.execute(_KNOWN_AS, wanted).first()
        if known and known.Account and "status" not in changed(known.Account):
            set_committed_value(known.Account, "status", known.status)  # what is in memory may be older
        return known

    # --- For the first time ---

    def _ask_before_account(self, provider_id: str, identity: Identity, *, asks: bool) -> None:
        """Accept that somebody who comes for the first time gets an account.

        :raises AccountKnown, RegistrationClosed: they do not.
        """
        config, known = self.login_provider(provider_id), self.account_known_by_email(provider_id, identity)
        if known and _is_proved(identity) and names.is_same_mailbox(identity.email or "", known.email):
            if linking.links_by_itself(self, known, identity):
                return
            if asks:
                raise AccountKnown(known, is_email_verified=True)
        is_open = settings.ENABLE_REGISTRATION if config.may_register is None else config.may_register
        if not is_open:
            raise RegistrationClosed
        if known and asks:
            self._tell_what_registration_tells(known)

    def _tell_what_registration_tells(self, known: Account) -> None:
        """Say that an address is an account's to somebody who did not prove that it is theirs, where registration does.

        :raises AccountKnown: it is.
        """
        place = self.default_account_store_mapping
        if place and place.directory_id == known.directory_id and not _verifies(place.directory):
            with throttle.counting_taken_names():
                raise AccountKnown(known, is_email_verified=False)

    def _come(self, provider_id: str, identity: Identity) -> Account:
        with nullcontext() if _is_proved(identity) else throttle.counting_taken_names():
            try:
                return self.provider_account(provider_id, identity)
            except AccountAlreadyExists:
                directory = self._known_as(provider_id, identity).AccountStoreMapping.directory
                if _is_proved(identity) or not _verifies(directory):
                    raise
        with atomic():  # nobody learns whose address it is but its owner
            message.request(message.OWNER_NOTICE, names.email(identity.email), self.id)
        raise AccountNotVerified

    def provider_account(
        self, provider_id: str, identity: Identity, *, registration_workflow_enabled: bool = True
    ) -> Account:
        """Return the account that somebody has by a provider, made where they had none, and commit. It is no login.

        :param registration_workflow_enabled: False: it need confirm no address, and a new one gets no mail.
        :raises ProviderNotMapped: nobody can log in by it.
        :raises StormpathError: no account can be made of what the provider told.
        """
        known = self._known_as(provider_id, identity)
        if known is None:
            self._make_directory(self.login_provider(provider_id))
            known = self._known_as(provider_id, identity)
        _check_place(known)
        if known.Account:
            account: Account = known.Account
            if account.status == UNVERIFIED and not registration_workflow_enabled:
                account.status = ENABLED
                account.save()
            return account
        try:
            store: Directory | Group = known.AccountStoreMapping.account_store
            return self._create(store, identity, registration_workflow_enabled)
        except (AccountAlreadyExists, Conflict):  # another request of the same person's may have been first
            found = self.find_provider_account(provider_id, identity)
            if found is None:
                raise
            return found

    def _create(self, store: Directory | Group, identity: Identity, registration_workflow_enabled: bool) -> Account:
        directory = store.home
        if not identity.email:
            raise ProviderLacksEmail(directory.provider.shown_name)
        given, middle, surname = _names(identity)
        account = Account(
            directory_id=directory.id,
            directory=directory,
            email=identity.email,
            given_name=given or ANONYMOUS,
            middle_name=middle,
            surname=surname or ANONYMOUS,
            email_verification_status=VERIFIED if _is_proved(identity) else UNVERIFIED,
        )
        account.came_through = self
        account.first_group = store if isinstance(store, Group) else None
        account.registration_workflow_enabled = registration_workflow_enabled
        data = ProviderData(id=account.id, directory_id=directory.id, subject=identity.subject)
        data.tell(identity.user_info, identity.access_token, identity.refresh_token)
        account.is_told_by_provider = True
        with atomic():
            account.save()
            data.save()
        account.is_told_by_provider = False
        account.is_new_account = True
        return account

    def _make_directory(self, config: Config) -> None:
        """Make the directory of a provider that the settings name, as its last account store, and commit.

        Where another request does so just now, that one's is taken.
        """

        def make(_locked: list[str]) -> None:
            session.expire(self, ["_mappings"])
            if self._mirror(config.provider_id) is None:
                directory = self._directory_of_before(config) or self._new_directory_of(config)
                self.map(application=self, account_store=directory, list_index=_THE_END)

        in_turn(lambda: [self.id], make)

    def _directory_of_before(self, config: Config) -> Directory | None:
        """Return the directory of a provider that was taken from the application once, with the accounts it had."""
        found = Directory.named(self._directory_name(config))
        return found if found and found.provider_id == config.provider_id else None

    def _new_directory_of(self, config: Config) -> Directory:
        """Make a directory that asks of addresses what the default account store does."""
        name, number = self._directory_name(config), 1
        while Directory.named(free := name if number == 1 else f"{name} {number}"):
            number += 1
        provider = {"provider_id": config.provider_id, "provider_type": config.kind}
        directory = Directory.create(name=free, provider=provider)
        asked = directory.account_creation_policy
        if place := self.default_account_store_mapping:
            policy = place.directory.account_creation_policy
            asked.email_domain_whitelist = policy.email_domain_whitelist
            asked.email_domain_blacklist = policy.email_domain_blacklist
            asked.verification_email_status = policy.verification_email_status
        if settings.VERIFY_EMAIL:
            asked.verification_email_status = ENABLED
        asked.save()
        return directory

    def _directory_name(self, config: Config) -> str:
        ending = f"-{config.provider_id}"
        return self.name[: names.LONGEST - len(ending) - 4] + ending

    # --- And again ---

    def _refresh(self, known: Any, identity: Identity) -> None:
        """Write what the provider tells now, where it is other than before."""
        account, data = known.Account, known.ProviderData
        account.is_told_by_provider = True
        for attribute, name in zip(("given_name", "middle_name", "surname"), _names(identity), strict=True):
            if name and name != getattr(account, attribute):
                setattr(account, attribute, name)
        if identity.email:
            self._refresh_email(account, identity)
        data.tell(identity.user_info or data.user_info, identity.access_token, identity.refresh_token)
        try:
            for resource in (account, data):
                if changed(resource):
                    resource.save()
        except (ChangedMeanwhile, AccountAlreadyExists):  # another request of theirs was quicker, or for the address
            account.refresh()
            data.refresh()
        finally:
            account.is_told_by_provider = False

    def _refresh_email(self, account: Account, identity: Identity) -> None:
        address = identity.email or ""
        if not names.is_same_mailbox(address, account.email):
            if not self._may_become(account, address, is_verified=_is_proved(identity)):
                return
            account.email = address
        if _is_proved(identity) and account.email_verification_status != VERIFIED:
            account.email_verification_status = VERIFIED
            if account.status == UNVERIFIED:
                account.status = ENABLED

    def _may_become(self, account: Account, address: str, *, is_verified: bool) -> bool:
        """Tell whether an account's address may be replaced by one that its provider tells."""
        directory = account.directory
        try:
            directory.account_creation_policy.check(names.email(address))
        except PropertyError:
            return False
        if LoginName.owner(directory.id, address) not in {None, account.id}:
            return False
        return is_verified or not (_verifies(directory) or self.find_account(address))


def _is_an_id(subject: object) -> bool:
    """Tell whether every database tells this id from all others: to MariaDB a blank at its end is nothing."""
    return isinstance(subject, str) and subject.strip() == subject != "" and names.can_be_stored(subject)


def _is_proved(identity: Identity) -> bool:
    """Tell whether the provider says that the address is theirs; a host's own may give anything for a bool."""
    return identity.is_email_verified is True


def _check_place(known: Any) -> None:
    """Accept the account store of a provider, and that it lets the account in, if there is one yet.

    :raises LoginFailed: it does not.
    """
    mapping = known.AccountStoreMapping
    if mapping.directory.status != ENABLED:
        raise DirectoryDisabled
    if mapping.group and mapping.group.status != ENABLED:
        raise GroupDisabled
    if known.Account and not known.is_admitted:
        raise AccountNotFound


def _check_status(account: Account) -> None:
    if account.status == DISABLED:
        raise AccountDisabled
    if account.status == UNVERIFIED:
        raise AccountNotVerified


def _verifies(directory: Directory) -> bool:
    return bool(directory.account_creation_policy.verifies)


def _names(identity: Identity) -> Iterator[str | None]:
    """Yield the given, the middle and the last name as an account can have them; None for what it cannot."""
    for name in (identity.given_name, identity.middle_name, identity.surname):
        try:
            yield names.text(Account.thing, "name", name[: names.LONGEST] if isinstance(name, str) else None)
        except PropertyError:
            yield None


# Built once, as a login should cost little. The directory of a provider is one (ProviderAlreadyMapped), and mapped
# itself or by groups: a mapping that lets the account in is taken first.
_IS_OPEN = sa.and_(
    Directory.status == ENABLED,
    sa.or_(
        AccountStoreMapping.group_id.is_(None),
        sa.exists().where(Group.id == AccountStoreMapping.group_id, Group.status == ENABLED),
    ),
)
_OF_STORES = (
    sa.select(Directory.provider_id, AccountStoreMapping.group_id, _IS_OPEN.label("is_open"))
    .select_from(AccountStoreMapping)
    .join(Directory, Directory.id == AccountStoreMapping.directory_id)
    .join(Provider, Provider.id == Directory.id)
    .where(AccountStoreMapping.application_id == sa.bindparam("application_id"))
    .order_by(AccountStoreMapping.list_index, AccountStoreMapping.id)
)
# With the directory, which each provider asks what it is called.
_MIRRORS = _OF_STORES.add_columns(Provider, Directory)
_STORED = _OF_STORES.add_columns(*Provider.__table__.c)
_WAYS_IN = cache.Region("applications", statement=_STORED)
_KNOWN_AS = (
    sa.select(
        *(AccountStoreMapping, ProviderData, Account, Account.status),
        AccountStoreMapping.admits(ProviderData.id).label("is_admitted"),
    )
    .join(Directory, Directory.id == AccountStoreMapping.directory_id)
    .outerjoin(
        ProviderData, (ProviderData.directory_id == Directory.id) & (ProviderData.subject == sa.bindparam("subject"))
    )
    .outerjoin(Account, Account.id == ProviderData.id)
    .where(
        AccountStoreMapping.application_id == sa.bindparam("application_id"),
        Directory.provider_id == sa.bindparam("provider_id"),
    )
    .order_by(
        AccountStoreMapping.admits(ProviderData.id).desc(), _IS_OPEN.desc(), AccountStoreMapping.group_id.is_not(None)
    )
    .limit(1)
)
_KNOWN_BY_EMAIL = (
    sa.select(Account)
    .join(LoginName, LoginName.account_id == Account.id)
    .join(Directory, Directory.id == LoginName.directory_id)
    .join(AccountStoreMapping, AccountStoreMapping.directory_id == Directory.id)
    .where(
        AccountStoreMapping.application_id == sa.bindparam("application_id"),
        LoginName.name_key == sa.bindparam("name_key"),
        Directory.status == ENABLED,
        Directory.provider_id == Provider.STORMPATH,
        AccountStoreMapping.admits(Account.id),
    )
    .order_by(AccountStoreMapping.list_index, AccountStoreMapping.id)
    .limit(1)
)
