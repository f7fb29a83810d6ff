"""AccountSession: one login of one account on one device."""

import contextlib
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from .. import clock, origin
from ..database import UTCDateTime, exact_text, session
from ..settings import settings
from . import event
from .base import Base, Id, new_id

#: A login is told to have been active at most this often, in seconds.
SEEN_EVERY = 60


class AccountSession(Base):
    """A login that lasts. Its token is `<id>.<secret>`; the database keeps only the secret's SHA-256."""

    __tablename__ = "stormpath_account_sessions"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    account_id: Mapped[str] = mapped_column(sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"), index=True)
    application_id: Mapped[str] = mapped_column(
        sa.ForeignKey("stormpath_applications.id", ondelete="CASCADE"), index=True
    )
    token_hash: Mapped[str] = mapped_column(exact_text(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    #: Whether the browser keeps the login when it closes.
    remembered: Mapped[bool]
    address: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(255))

    @classmethod
    def start(cls, account_id: str, application_id: str, *, remembered: bool) -> str:
        """Add a session to the transaction that is open; return its token, which is told this once."""
        now, who, secret = clock.now(), origin.current(), secrets.token_urlsafe(32)
        connection, session_id = session.connection(), new_id()
        connection.execute(_END_EXPIRED, {"whose": account_id, "now": now})  # those that ended by themselves
        started = {
            "id": session_id,
            "account_id": account_id,
            "application_id": application_id,
            "token_hash": _digest(secret),
            "created_at": now,
            "last_seen_at": now,
            "expires_at": now + settings.SESSION_LIFETIME,
            "remembered": remembered,
            "address": event.printable(who.address, 45),
            "user_agent": event.printable(who.user_agent, 255),
        }
        connection.execute(_START, started)
        return f"{session_id}.{secret}"


# Built once, and without the ORM's unit of work: a login should cost little beside its hash.
_LOGINS: Any = AccountSession.__table__
_START = sa.insert(_LOGINS)
_END_EXPIRED = sa.delete(_LOGINS).where(
    _LOGINS.c.account_id == sa.bindparam("whose"), _LOGINS.c.expires_at < sa.bindparam("now")
)


def split(token: str) -> tuple[str, str] | None:
    """Return the id and the secret's digest of a token; None for what was never one."""
    session_id, dot, secret = token.partition(".")
    if not dot or len(session_id) != 22 or len(secret) > 64 or not token.isascii() or "\0" in token:
        return None
    return session_id, _digest(secret)


def is_same(digest: str, token_hash: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(digest, token_hash)


def end(*conditions: sa.ColumnElement[bool]) -> None:
    """Delete the sessions that meet the conditions, in the transaction that is open."""
    session.execute(sa.delete(AccountSession).where(*conditions).execution_options(synchronize_session=False))


def seen(engine: sa.Engine, session_id: str, now: datetime, unless_since: datetime) -> None:
    """Write that a session was active, in a transaction of its own; best effort, as nobody waits for it."""
    statement = (
        sa.update(AccountSession)
        .where(AccountSession.id == session_id, AccountSession.last_seen_at < unless_since)
        .values(last_seen_at=now)
    )
    with contextlib.suppress(SQLAlchemyError), engine.begin() as connection:
        connection.execute(statement)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
