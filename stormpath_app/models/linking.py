"""What becomes of a login by a provider: whose account is logged in then, as the account linking policy has it."""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from .. import names
from ..database import session
from ..errors import (
    AccountsAlreadyLinked,
    Conflict,
    DirectoryDisabled,
    GroupDisabled,
    LinkedElsewhere,
    PropertyError,
    TooManyAccountLinks,
)
from ..providers import Identity
from ..transactions import atomic
from .account import Account
from .account_link import AccountLink
from .account_linking_policy import EMAIL, AccountLinkingPolicy
from .account_store_mapping import AccountStoreMapping
from .base import ENABLED, VERIFIED
from .directory import Directory
from .provider import Provider

if TYPE_CHECKING:
    from .account_store_holder import AccountStoreHolder

#: What leaves somebody with the account that they have by their provider, and nothing else.
_IN_THE_WAY = (PropertyError, AccountsAlreadyLinked, LinkedElsewhere, TooManyAccountLinks, Conflict)


def account_to_enter(application: "AccountStoreHolder", account: Account, identity: Identity) -> Account:
    """Return the account that is logged in when this one comes by its provider: a linked one, or itself.

    The policy may link it with an account of the default account store, which may be made for it; that commits. An
    address that is not verified on both sides links nothing.

    :raises DirectoryDisabled, GroupDisabled: the linked account is not let in.
    """
    if linked := _linked(application, account):
        return linked
    policy = application.account_linking_policy
    if not policy.is_enabled or not _is_proved(account, identity):
        return account
    store = _store(application)
    if store is None:
        return account
    try:
        with atomic():
            found = _partner(application, store, policy, account)
            if found:
                AccountLink.join(found, account)
            return found or account
    except _IN_THE_WAY:  # such as another request of the same person's
        return _linked(application, account) or account


def links_by_itself(application: "AccountStoreHolder", account: Account, identity: Identity) -> bool:
    """Tell whether who comes for the first time is linked with the account that has their address, without a page."""
    policy, store = application.account_linking_policy, _store(application)
    is_verified = identity.is_email_verified is True and account.email_verification_status == VERIFIED
    is_there = store is not None and account.directory_id == store.id
    return policy.is_enabled and policy.matching_property == EMAIL and is_verified and is_there


def counts(application: "AccountStoreHolder") -> sa.ColumnElement[bool]:
    """Return the condition for the links that count: confirmed ones; where the policy is ENABLED, all."""
    policy = AccountLinkingPolicy
    is_enabled = sa.exists().where(policy.id == application.id, policy.status == ENABLED)
    return sa.or_(AccountLink.confirmed_at.is_not(None), is_enabled)


def _linked(application: "AccountStoreHolder", account: Account) -> Account | None:
    """Return the linked account, of the first of the application's account stores that has one and lets it in."""
    mapping, is_open = AccountStoreMapping, Directory.status == ENABLED
    is_admitted = mapping.admits(Account.id)
    row = session.execute(
        sa.select(Account, is_open.label("is_open"), is_admitted.label("is_admitted"))
        .select_from(AccountLink)
        .join(Account, Account.id == AccountLink.other_id(account.id))
        .join(Directory, Directory.id == Account.directory_id)
        .join(mapping, mapping.directory_id == Directory.id)
        .where(
            *(AccountLink.of(account.id), counts(application), Directory.provider_id == Provider.STORMPATH),
            *(mapping.application_id == application.id, mapping.holds(Account.id)),
        )
        .order_by(sa.and_(is_open, is_admitted).desc(), mapping.list_index, mapping.id)
        .limit(1)
    ).first()
    if row is None:
        return None
    if not row.is_open or not row.is_admitted:
        raise GroupDisabled if row.is_open else DirectoryDisabled
    found: Account = row.Account
    return found


def _store(application: "AccountStoreHolder") -> Directory | None:
    """Return the default account store, if it is an ENABLED directory whose accounts are its own."""
    mapping = application.default_account_store_mapping
    store = mapping and mapping.account_store
    return store if isinstance(store, Directory) and store.is_cloud and store.is_open else None


def _is_proved(account: Account, identity: Identity) -> bool:
    is_verified = identity.is_email_verified is True and account.email_verification_status == VERIFIED
    return is_verified and names.is_same_mailbox(identity.email or "", account.email)


def _partner(
    application: "AccountStoreHolder", store: Directory, policy: AccountLinkingPolicy, account: Account
) -> Account | None:
    """Return the account of the default account store to link with; None: there is to be none."""
    found = store.find_account(account.email)
    if found is None:
        return _provision(application, store, account) if policy.provisions else None
    is_theirs = found.email_verification_status == VERIFIED and names.is_same_mailbox(found.email, account.email)
    return found if policy.matching_property == EMAIL and is_theirs else None


def _provision(application: "AccountStoreHolder", store: Directory, account: Account) -> Account:
    """Make the account of somebody who came by a provider. It has no password."""
    made = Account(
        directory_id=store.id,
        directory=store,
        email=account.email,
        given_name=account.given_name,
        middle_name=account.middle_name,
        surname=account.surname,
        email_verification_status=VERIFIED,
    )
    made.came_through = application
    made.save()
    return made
