"""Who is asking: the one statement of a signed-in page."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.util import identity_key

from .. import clock, names
from ..database import database, session
from ..errors import LoginOutdated
from ..settings import settings
from .account import Account
from .account_store_mapping import AccountStoreMapping
from .application import Application
from .base import ENABLED
from .directory import Directory
from .group_membership import told
from .member import enabled_groups
from .session import AccountSession, is_same, split


class ActiveSession(NamedTuple):
    """A login that is alive: its account, and what is needed to keep and end it."""

    account: Account
    id: str
    remembered: bool
    last_seen_at: datetime


_MAPPER = sa.inspect(Account)
_LOGIN = AccountSession.__table__.c
#: The attributes of the account that every page gets: its columns but the deferred ones.
_LOADED = [attribute.key for attribute in _MAPPER.column_attrs if not attribute.deferred]

# Built once, and of plain columns: what a statement costs to build and to compile, and its row to be made an object in
# the ORM's general way, is most of what a page would pay for it.
_FIND = (
    sa.select(
        _LOGIN.token_hash,
        _LOGIN.remembered,
        _LOGIN.last_seen_at,
        _LOGIN.expires_at,
        enabled_groups(Account.id).scalar_subquery(),
        *(_MAPPER.attrs[key].columns[0] for key in _LOADED),
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
    row = _first({"session_id": session_id, "application": names.key(settings.APPLICATION)})
    if row is None:
        return None
    token_hash, remembered, last_seen_at, expires_at, groups, *values = row
    now = clock.now()
    if not is_same(digest, token_hash) or now >= expires_at or now - last_seen_at >= settings.COOKIE_DURATION:
        return None
    account = _account(dict(zip(_LOADED, values, strict=True)))
    told()[account.id] = groups
    return ActiveSession(account, session_id, remembered, last_seen_at)


def _first(wanted: dict[str, str]) -> Any:
    """Ask by the transaction that is open; where none is, by a connection alone, which spares the page one."""
    current = session()
    if current.in_transaction():
        return current.connection().execute(_FIND, wanted).first()
    with database.engine.connect() as connection:
        return connection.execute(_FIND, wanted).first()


def _account(values: dict[str, Any]) -> Account:
    """Return the account as the session would have loaded it from these values; one that it has already stays."""
    current = session()
    known: Account | None = current.identity_map.get(identity_key(Account, values["id"]))
    if known is not None:
        return known
    account: Account = _MAPPER.class_manager.new_instance()
    account.__dict__.update(values)
    make_transient_to_detached(account)  # what was left out loads when it is asked for
    current.add(account)
    return account
