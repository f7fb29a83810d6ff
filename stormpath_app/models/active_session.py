"""Who is asking: the one statement of a signed-in page."""

import contextlib
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.exc import SQLAlchemyError

from .. import cache, clock, names
from ..database import session
from ..direct import Direct
from ..errors import LoginOutdated
from ..settings import settings
from ..transactions import beside, has_written
from . import event, kept, session as sessions
from .account import Account
from .account_store_mapping import AccountStoreMapping
from .application import Application
from .base import ENABLED
from .directory import Directory
from .group_membership import known_groups
from .member import enabled_groups
from .session import GRACE, MOST_ROTATIONS, AccountSession


class ActiveSession(NamedTuple):
    """A login that is alive: its account, and what is needed to keep and end it.

    `token`: what its cookies hold from now on; another one than was shown, where that one was replaced.
    """

    account: Account
    id: str
    token: str
    remembered: bool
    last_seen_at: datetime
    expires_at: datetime
    authenticated_at: datetime | None
    rotations: int
    rotated_at: datetime | None

    @property
    def account_id(self) -> str:
        """The account's id, which it can tell even where a host's session ended and took all attributes along."""
        return str(sa.inspect(self.account).identity[0])  # type: ignore[index]

    @property
    def unconfirmed_since(self) -> datetime | None:
        """When the token was made, while nobody has come with it: the answer that brought it may have been lost."""
        return self.rotated_at if self.rotated_at and self.last_seen_at <= self.rotated_at else None

    def may_rotate(self, now: datetime) -> bool:
        """Tell whether the token may be replaced now: not while its predecessor is still good, and not without end."""
        if self.rotated_at is not None and now - self.rotated_at < GRACE:
            return False
        return self.remembered and self.rotations < MOST_ROTATIONS


class Replay(NamedTuple):
    """A token that was replaced, shown again although its successor is in use: somebody has a copy."""

    id: str
    account_id: str
    directory_id: str


_LOGIN = AccountSession.__table__.c
#: The attributes of the account that every page gets: its columns but the deferred ones.
LOADED = kept.columns(Account)
LOADED_COLUMNS = list(LOADED.values())
_OF_LOGIN = (
    _LOGIN.token_hash,
    _LOGIN.remembered,
    _LOGIN.last_seen_at,
    _LOGIN.created_at,
    _LOGIN.expires_at,
    _LOGIN.authenticated_at,
    _LOGIN.rotations,
    _LOGIN.rotated_at,
    enabled_groups(Account.id).scalar_subquery(),
)

# Of plain columns: a row that is made an object in the ORM's general way costs a page more than the database does.
_FIND = Direct(
    sa.select(*_OF_LOGIN, *LOADED_COLUMNS)
    .join_from(AccountSession, Account, Account.id == AccountSession.account_id)
    .join(Directory, Directory.id == Account.directory_id)
    .join(AccountStoreMapping, AccountStoreMapping.directory_id == Directory.id)
    # The application that is asked; the login may have begun at another.
    .join(Application, Application.id == AccountStoreMapping.application_id)
    .where(
        AccountSession.id == bindparam("session_id"),
        ~AccountSession.is_console,
        Account.status == ENABLED,
        Directory.status == ENABLED,
        AccountStoreMapping.admits(Account.id),
        Application.status == ENABLED,
        Application.name_key == bindparam("application"),
    )
    .limit(sa.literal_column("1"))  # several stores may let the account in
)
_SESSIONS = cache.Region(
    "sessions",
    about=len(_OF_LOGIN) + list(LOADED).index("id"),
    moments=kept.moments(*_OF_LOGIN, *LOADED_COLUMNS),
    statement=_FIND.statement,
)


# What must still be true when a login is written, and stay true until it is: a password may have been changed, or an
# account disabled, while the hash was being computed. The rows are locked where a database can.
_ADMITS = (
    sa.select(Account.id)
    # From the top down, as they are locked by who changes them.
    .select_from(Application)
    .join(AccountStoreMapping, AccountStoreMapping.application_id == Application.id)
    .join(Directory, Directory.id == AccountStoreMapping.directory_id)
    .join(Account, Account.directory_id == Directory.id)
    .where(
        Account.id == bindparam("account_id"),
        Account.password_modified_at.is_not_distinct_from(bindparam("password_modified_at")),
        Account.must_change_password == bindparam("must_change_password"),
        Account.status == ENABLED,
        Directory.status == ENABLED,
        AccountStoreMapping.admits(Account.id),
        Application.status == ENABLED,
        Application.id == bindparam("application_id"),
    )
    .with_for_update(read=True)
)


def start(
    account: Account, application: Application, *, remembered: bool, fresh: bool = True, is_console: bool = False
) -> str:
    """Add a login of the account to the transaction that is open, and return its token, which is told this once.

    :param fresh: whether the password was given just now.
    :param is_console: whether it opens the console, and nothing else.
    :raises LoginOutdated: the account was changed or closed since it was read, or is not one of the application's.
    """
    known = {
        "account_id": account.id,
        "password_modified_at": account.password_modified_at,
        "must_change_password": account.must_change_password,  # a host's own code lets in whom it likes
        "application_id": application.id,
    }
    if session.connection().scalar(_ADMITS, known) is None:
        raise LoginOutdated
    how = {"remembered": remembered, "fresh": fresh, "is_console": is_console}
    return AccountSession.start(account.id, application.id, **how)


def find(token: str) -> ActiveSession | Replay | None:
    """Return the login that a token stands for; None where it is none, or any more.

    Session, account, directory, mapping and application must all be alive, at this very moment; where the account store
    is a group, that too, with the account in it. A login that began at one application is good at each that lets the
    account in.
    """
    parts = sessions.split(token)
    if parts is None:
        return None
    wanted = {"session_id": parts[0], "application": names.key(settings.APPLICATION)}
    if has_written():  # it sees what nobody else does yet
        written = session.connection().execute(_FIND.statement, wanted).first()
        return None if written is None else _judge(*parts, written)
    look = cache.Look(_SESSIONS, _key(**wanted))
    if look.row is not None and _goes_on(parts[1], look.row):
        return _let_in(*parts, look.row)
    row = _FIND.first(wanted)  # not in the session, whose transaction may show what was
    if row is None:
        return None
    look.keep(row)
    return _judge(*parts, row)


def forgetting(session_id: str) -> Callable[[], None]:
    """Return a function, for when there is no app context, that forgets what is kept of a login, which was seen now."""
    return partial(cache.keeper().drop, _SESSIONS, _key(session_id, names.key(settings.APPLICATION)))


def _key(session_id: str, application: str) -> str:
    return f"{session_id} {application}"


def _goes_on(secret: str, row: Any) -> bool:
    """Tell whether a row lets a token in as it is; whatever else is to be decided, the database decides."""
    return sessions.is_digest(row[0], secret) and not _has_run_out(row)


def _has_run_out(row: Any) -> bool:
    _token_hash, _remembered, last_seen_at, created_at, expires_at, *_more = row
    now = clock.now()
    ends_at = min(expires_at, created_at + settings.SESSION_LIFETIME, last_seen_at + settings.COOKIE_DURATION)
    return bool(now >= ends_at)


def _judge(session_id: str, secret: str, row: Any) -> ActiveSession | Replay | None:
    token_hash, _remembered, last_seen_at, *more = row
    _created_at, _expires_at, _authenticated_at, rotations, rotated_at, *_groups_and_account = more
    if _has_run_out(row):
        return None
    newest = sessions.newest(secret, token_hash, rotations)
    if newest is None:
        return None  # who learns an id can guess, and ends nothing by it
    times, in_force = newest
    if times > 1 or (times and clock.now() - rotated_at >= GRACE and last_seen_at > rotated_at):
        values = _account_values(row)
        return Replay(session_id, values["id"], values["directory_id"])
    return _let_in(session_id, in_force, row)


def _let_in(session_id: str, secret: str, row: Any) -> ActiveSession:
    _token_hash, remembered, last_seen_at, created_at, expires_at, authenticated_at, rotations, rotated_at, *more = row
    values = _account_values(row)
    known_groups()[values["id"]] = more[0]
    expires_at = min(expires_at, created_at + settings.SESSION_LIFETIME)
    known = (remembered, last_seen_at, expires_at, authenticated_at, rotations, rotated_at)
    return ActiveSession(kept.loaded(Account, values), session_id, f"{session_id}.{secret}", *known)


def _account_values(row: Any) -> dict[str, Any]:
    return dict(zip(LOADED, row[len(_OF_LOGIN) :], strict=True))


def end(replay: Replay) -> None:
    """End the login that somebody has a copy of, and record it: now, in a transaction of its own."""
    with contextlib.suppress(SQLAlchemyError), beside() as connection:
        this = AccountSession.id == replay.id, AccountSession.account_id == replay.account_id
        if connection.execute(sa.delete(AccountSession).where(*this)).rowcount:
            who: dict[str, Any] = {"account_id": replay.account_id, "directory_id": replay.directory_id}
            event.record("login.replayed", connection, **who)
