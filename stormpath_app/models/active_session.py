"""Who is asking: the one statement of a signed-in page."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam

from .. import clock, names
from ..database import session
from ..errors import LoginOutdated
from ..settings import settings
from .account import Account
from .account_store_mapping import AccountStoreMapping
from .application import Application
from .base import ENABLED
from .directory import Directory
from .session import AccountSession, is_same, split


class ActiveSession(NamedTuple):
    """A login that is alive: its account, and what is needed to keep and end it."""

    account: Account
    id: str
    remembered: bool
    last_seen_at: datetime


# Built once: what a statement costs to build and to compile is most of what a page would pay for it.
_FIND = (
    sa.select(
        Account,
        AccountSession.token_hash,
        AccountSession.remembered,
        AccountSession.last_seen_at,
    )
    .join_from(AccountSession, Account, Account.id == AccountSession.account_id)
    .join(Directory, Directory.id == Account.directory_id)
    .join(Application, Application.id == AccountSession.application_id)
    .join(
        AccountStoreMapping,
        (AccountStoreMapping.application_id == Application.id) & (AccountStoreMapping.directory_id == Directory.id),
    )
    .where(
        AccountSession.id == bindparam("session_id"),
        AccountSession.expires_at > bindparam("now"),
        AccountSession.last_seen_at > bindparam("oldest"),
        Account.status == ENABLED,
        Directory.status == ENABLED,
        Application.status == ENABLED,
        Application.name_key == bindparam("application"),
    )
)


# What must still be true when a login is written, and stay true until it is: a password may have been changed, or an
# account disabled, while the hash was being computed. The rows are locked where a database can.
_ADMITS = (
    sa.select(Account.id)
    .join(Directory, Directory.id == Account.directory_id)
    .join(AccountStoreMapping, AccountStoreMapping.directory_id == Directory.id)
    .join(Application, Application.id == AccountStoreMapping.application_id)
    .where(
        Account.id == bindparam("account_id"),
        Account.password_modified_at.is_not_distinct_from(bindparam("password_modified_at")),
        Account.status == ENABLED,
        Directory.status == ENABLED,
        Application.status == ENABLED,
        Application.id == bindparam("application_id"),
    )
    .with_for_update(read=True)
)


def start(account: Account, application: Application, *, remembered: bool) -> str:
    """Add a login of the account to the transaction that is open, and return its token, which is told this once.

    :raises LoginOutdated: the account was changed or closed since it was read, or is not one of the application's.
    """
    known = {
        "account_id": account.id,
        "password_modified_at": account.password_modified_at,
        "application_id": application.id,
    }
    if session.scalar(_ADMITS, known) is None:
        raise LoginOutdated
    return AccountSession.start(account.id, application.id, remembered=remembered)


def find(token: str) -> ActiveSession | None:
    """Return the login that a token stands for; None where it is none, or any more.

    Session, account, directory, mapping and application must all be alive, at this very moment.
    """
    parts = split(token)
    if parts is None:
        return None
    session_id, digest = parts
    now = clock.now()
    row = session.execute(
        _FIND,
        {
            "session_id": session_id,
            "now": now,
            "oldest": now - settings.COOKIE_DURATION,
            "application": names.key(settings.APPLICATION),
        },
    ).first()
    if row is None or not is_same(digest, row.token_hash):
        return None
    return ActiveSession(row[0], session_id, row.remembered, row.last_seen_at)
