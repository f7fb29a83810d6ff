"""AccountLinking: what an application does for people who log in by several ways, and what it shows them of these."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from .. import names, origin
from ..database import session
from ..errors import (
    AccountDisabled,
    AccountLinkMalformed,
    AccountsAlreadyLinked,
    LastWayIn,
    LoginOutdated,
    ResourceNotFound,
)
from ..providers import Config, Identity
from ..transactions import atomic, release
from . import account_link, administration, session as sessions
from .account import Account
from .account_link import AccountLink
from .account_store_mapping import AccountStoreMapping
from .base import DISABLED, ENABLED, UNVERIFIED, VERIFIED
from .directory import Directory
from .linking import counts
from .provider import Provider
from .provider_login import ProviderLogin


@dataclass(frozen=True)
class WayIn:
    """A provider that people log in by. `linked_at`: since when somebody does; None: they do not."""

    provider: Config
    linked_at: datetime | None
    can_be_removed: bool

    @property
    def provider_id(self) -> str:
        """Its id, such as "google"."""
        return self.provider.provider_id

    @property
    def name(self) -> str:
        """What people call it."""
        return self.provider.name

    @property
    def is_linked(self) -> bool:
        """Whether somebody logs in by it."""
        return self.linked_at is not None


@dataclass(frozen=True)
class WaysIn:
    """All ways that somebody logs in by, or could. `can_link`: whether `application.link` takes their account."""

    has_password: bool
    can_link: bool
    providers: tuple[WayIn, ...]


class AccountLinking(ProviderLogin):
    """The part of an application that links the accounts of one person."""

    __abstract__ = True

    def ways_in(self, account: Account) -> WaysIn:
        """Return by which ways somebody logs in to an account, and by which they could, for a page of theirs."""
        offered = self.login_providers()
        linked = self._ways(account) if offered else {}
        has_password, can_link = account.has_password, account.directory.is_cloud
        ways = []
        for config in offered:
            link = linked.get(config.provider_id)
            if config.provider_id == account.directory.provider_id:
                since: datetime | None = account.created_at
            else:
                since = (link.confirmed_at or link.created_at) if link else None
            others = [each for each in offered if each is not config and each.provider_id in linked]
            can_be_removed = link is not None and bool(has_password or others)
            ways.append(WayIn(config, since, can_be_removed))
        return WaysIn(has_password, can_link, tuple(ways))

    def link(self, provider_id: str, identity: Identity, account: Account) -> AccountLink:
        """Let somebody log in to their account by a provider as well, and commit. Return the link, which is confirmed.

        They proved that the account is theirs, and came back from the provider just now. What they have by the provider
        is made if there is nothing yet; that is no registration. An address that the provider verified is VERIFIED.

        :raises AccountLinkMalformed: the account is itself one that came by a provider.
        :raises AccountsAlreadyLinked, LinkedElsewhere, TooManyAccountLinks: other links are in the way.
        :raises LoginOutdated: the login that asks ended meanwhile, as when somebody took the account over.
        :raises StormpathError: no account can be made of what the provider told.
        """
        if not account.directory.is_cloud:
            raise AccountLinkMalformed(developer_message=f"The Account came by {account.directory.provider_id!r}.")
        known = self._known(provider_id, identity)
        with atomic():
            made = self._link(known or self._new(provider_id, identity), account)  # which locks the account
            if (asks := origin.current().session) and not sessions.is_there(asks):
                raise LoginOutdated
            if account.email_verification_status != VERIFIED and _is_theirs(account, identity):
                account.verify()
            return made

    def unlink(self, account: Account, provider_id: str) -> None:
        """Let nobody log in to an account by a provider any more, and commit. Their account by the provider stays.

        :raises ResourceNotFound: nobody did.
        :raises LastWayIn: there would be no way to log in to it.
        """
        offered = {config.provider_id for config in self.login_providers()} - {provider_id}
        release()
        with atomic():
            account_link.lock(account.id)
            link = self._links(account).get(provider_id)
            if link is None:
                raise ResourceNotFound(developer_message=f"{account.email!r} has no link with {provider_id!r}.")
            if not account.has_password and not offered & self._ways(account).keys():
                raise LastWayIn
            link.delete()

    def take_over(self, provider_id: str, identity: Identity, account: Account) -> AccountLink:
        """Give an account whose address nobody confirmed to who proved to a provider that it is theirs, and commit.

        Whoever made it may be somebody else: its password, its logins, what was mailed, its links and its API keys are
        worth nothing from here on. Then it is linked as by `link`, with the same errors.

        :raises LoginOutdated: it is no such account, or not any more; or the provider did not verify the address.
        :raises AccountDisabled: it is DISABLED, and stays so.
        """
        known = self._known(provider_id, identity)
        with atomic() as current:
            by_provider = known or self._new(provider_id, identity)
            account_link.lock(account.id, by_provider.id)
            current.refresh(account)
            self._check_unproved(account, identity)
            account.hand_over()
            return self._link(by_provider, account)

    def _known(self, provider_id: str, identity: Identity) -> Account | None:
        """Return the account that somebody has by a provider; what is read next is not older than the next lock."""
        known = self.find_provider_account(provider_id, identity)
        release()
        return known

    def _new(self, provider_id: str, identity: Identity) -> Account:
        """Make what somebody has by a provider. Its link lets them in; without it, they are let in as anybody is."""
        made = self.provider_account(provider_id, identity, registration_workflow_enabled=False)
        if made.email_verification_status != VERIFIED and made.directory.account_creation_policy.verifies:
            made.status = UNVERIFIED
            made.save()
        return made

    def _link(self, by_provider: Account, account: Account) -> AccountLink:
        """Link, or confirm the link that there is."""
        try:
            return AccountLink.join(account, by_provider, is_confirmed=True)
        except AccountsAlreadyLinked as error:
            link: Any = error.link
            if link.confirmed_at is not None:
                raise
            link.confirm()
            found: AccountLink = link
            return found

    def _check_unproved(self, account: Account, identity: Identity) -> None:
        is_ours = account.directory.is_cloud and not administration.is_administrators(account.directory)
        is_unproved = account.email_verification_status != VERIFIED and account in self.accounts
        if not (is_ours and is_unproved and _is_theirs(account, identity)):
            raise LoginOutdated
        if account.status == DISABLED:
            raise AccountDisabled

    def _ways(self, account: Account) -> dict[str, AccountLink]:
        """Return the links that somebody can log in to an account by: the id of the provider -> the link."""
        is_open = (Account.status != DISABLED, Directory.status == ENABLED, AccountStoreMapping.admits(Account.id))
        return self._links(account, counts(self), *is_open)

    def _links(self, account: Account, *conditions: sa.ColumnElement[bool]) -> dict[str, AccountLink]:
        """Return its links with accounts that came by the application's providers, and meet conditions."""
        mapping = AccountStoreMapping
        rows = session.execute(
            sa.select(Directory.provider_id, AccountLink)
            .join(Account, Account.id == AccountLink.other_id(account.id))
            .join(Directory, Directory.id == Account.directory_id)
            .join(mapping, mapping.directory_id == Directory.id)
            .where(AccountLink.of(account.id), Directory.provider_id != Provider.STORMPATH)
            .where(mapping.application_id == self.id, *conditions)
            .execution_options(populate_existing=True)
        )
        return dict(list(rows))


def _is_theirs(account: Account, identity: Identity) -> bool:
    """Tell whether a provider verified that the address of an account is theirs."""
    return identity.is_email_verified is True and names.is_same_mailbox(identity.email or "", account.email)
