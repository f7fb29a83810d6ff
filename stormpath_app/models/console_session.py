"""Who is asking for a page of the console: its one statement, beside that of a site's pages."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam

from .. import clock
from ..database import session
from ..errors import NoRole
from ..settings import settings
from ..transactions import read
from . import active_session, kept, session as sessions
from .account import Account
from .account_store_mapping import AccountStoreMapping
from .administration import APPLICATION_KEY, DIRECTORY_KEY
from .administrator import Administrator, AdministratorLimit, console
from .application import Application
from .base import ENABLED
from .directory import Directory
from .group_membership import known_groups
from .member import enabled_groups
from .session import AccountSession


class ConsoleSession(NamedTuple):
    """A login to the console that is alive, and the administrator whose it is.

    `expires_at`: when it ends, whatever happens; `token`: what its cookie has.
    """

    administrator: Administrator
    id: str
    token: str
    last_seen_at: datetime
    expires_at: datetime
    authenticated_at: datetime | None


_LOGIN = AccountSession.__table__.c
_FIND = (
    sa.select(
        _LOGIN.token_hash,
        _LOGIN.last_seen_at,
        _LOGIN.created_at,
        _LOGIN.expires_at,
        _LOGIN.authenticated_at,
        enabled_groups(Account.id).scalar_subquery(),
        AdministratorLimit.directory_ids,
        *active_session.LOADED_COLUMNS,
    )
    .join_from(AccountSession, Account, Account.id == AccountSession.account_id)
    .join(Directory, Directory.id == Account.directory_id)
    .join(AccountStoreMapping, AccountStoreMapping.store_id == Directory.id)
    .join(
        Application,
        sa.and_(Application.id == AccountStoreMapping.application_id, Application.id == AccountSession.application_id),
    )
    .outerjoin(AdministratorLimit, AdministratorLimit.account_id == Account.id)
    .where(
        AccountSession.id == bindparam("session_id"),
        AccountSession.is_console,
        Account.status == ENABLED,
        Directory.status == ENABLED,
        Directory.name_key == DIRECTORY_KEY,
        Application.status == ENABLED,
        Application.name_key == APPLICATION_KEY,
    )
)


def start(account: Account) -> str:
    """Add a login to the console to the transaction that is open, and return its token, which is told this once.

    :raises NoRole: the account has none.
    :raises LoginOutdated: it was changed or closed since it was read.
    """
    if Administrator.of(account) is None:
        raise NoRole
    return active_session.start(account, console(), remembered=False, is_console=True)


def find(token: str) -> ConsoleSession | None:
    """Return the login to the console that a token stands for; None where it is none, or any more.

    The session, the account, its role, the directory, its mapping and the application must all be alive at this moment.
    """
    parts = sessions.split(token)
    row = parts and _first({"session_id": parts[0]})
    if not parts or row is None:
        return None
    token_hash, last_seen_at, created_at, expires_at, authenticated_at, groups, limit, *columns = row
    if not sessions.is_digest(token_hash, parts[1]):
        return None
    expires_at = min(expires_at, created_at + settings.ADMIN_LIFETIME)
    if clock.now() >= min(expires_at, last_seen_at + settings.ADMIN_IDLE):
        return None
    values = dict(zip(active_session.LOADED, columns, strict=True))
    known_groups()[values["id"]] = groups
    found = Administrator.read(kept.loaded(Account, values), groups, limit)
    if found is None:
        return None
    return ConsoleSession(found, parts[0], token, last_seen_at, expires_at, authenticated_at)


def _first(wanted: dict[str, str]) -> Any:
    """Ask by the transaction that is open; where none is, by a connection alone, which spares the page one."""
    here = session()
    if here.in_transaction():
        return here.connection().execute(_FIND, wanted).first()
    return read(lambda connection: connection.execute(_FIND, wanted).first())
