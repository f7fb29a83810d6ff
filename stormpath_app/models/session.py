"""AccountSession: one login of one account on one device."""

import base64
import contextlib
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from .. import clock, origin, tokens, user_agents
from ..database import UTCDateTime, exact_text, session
from ..settings import settings
from ..transactions import atomic, beside, short_of_patience
from . import event
from .base import Base, Id, new_id

#: A login is told to have been active at most this often, in seconds.
SEEN_EVERY = 60
#: A secret that was replaced stays good for so long: other tabs of its browser are asking with it too.
GRACE = timedelta(seconds=30)
#: A login's secret is replaced so often at most, so that any older one is recognised in milliseconds.
MOST_ROTATIONS = 10_000


class AccountSession(Base):
    """A login that lasts. Its token is `<id>.<secret>`; the database keeps only the secret's SHA-256.

    The secret of a remembered login is replaced when the browser comes back after it was closed. Its successor is
    computed (HMAC-SHA256 of the old one): whoever has an old secret can be given the newest, and be recognised by it.
    """

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
    #: Whether it opens the console, and nothing else; other logins never do.
    is_console: Mapped[bool] = mapped_column(server_default=sa.false())
    #: How often the secret was replaced, and when last.
    rotations: Mapped[int] = mapped_column(server_default="0")
    rotated_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    #: When the password was given on this device; None: the login was restored since, or began without one.
    authenticated_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    address: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(255))

    @property
    def device(self) -> str:
        """What it is on, in words: "Firefox on Windows", as far as the browser tells."""
        return user_agents.device(self.user_agent)

    @property
    def is_current(self) -> bool:
        """Whether it is the login that asks."""
        return self.id == origin.current().session

    def end(self) -> None:
        """End the login, and commit: its cookies are worth nothing. Where it has ended already, nothing happens."""
        identity: Any = sa.inspect(self).identity  # its row may be gone
        accounts = Base.metadata.tables["stormpath_accounts"]
        known = sa.select(AccountSession.account_id, accounts.c.directory_id, AccountSession.user_agent)
        with atomic():
            row = session.execute(known.join(accounts).where(AccountSession.id == identity[0])).mappings().first()
            if row and end(AccountSession.id == identity[0], AccountSession.account_id == row["account_id"]):
                event.record("session.ended", **row)

    @classmethod
    def start(
        cls, account_id: str, application_id: str, *, remembered: bool, fresh: bool = True, is_console: bool = False
    ) -> str:
        """Add a session to the transaction that is open; return its token, which is told this once."""
        now, who, secret = clock.now(), origin.current(), secrets.token_urlsafe(32)
        connection, session_id = session.connection(), new_id()
        if expired := connection.scalars(_EXPIRED, {"whose": account_id, "now": now}).all():
            connection.execute(_END, {"ended": expired})
        started = {
            "id": session_id,
            "account_id": account_id,
            "application_id": application_id,
            "token_hash": _digest(secret),
            "created_at": now,
            "last_seen_at": now,
            "expires_at": now + (settings.ADMIN_LIFETIME if is_console else settings.SESSION_LIFETIME),
            "remembered": remembered,
            "is_console": is_console,
            "rotations": 0,
            "authenticated_at": now if fresh else None,
            "address": event.printable(who.address, 45),
            "user_agent": event.printable(who.user_agent, 255),
        }
        connection.execute(_START, started)
        return f"{session_id}.{secret}"


# Built once, and without the ORM's unit of work: a login should cost little beside its hash.
_LOGINS: Any = AccountSession.__table__
_START = sa.insert(_LOGINS)
# Looked up first: on MySQL a DELETE also locks the place where no row is, and those who write there lock each other.
_EXPIRED = sa.select(_LOGINS.c.id).where(
    _LOGINS.c.account_id == sa.bindparam("whose"), _LOGINS.c.expires_at < sa.bindparam("now")
)
_END = (
    sa.delete(_LOGINS)
    .where(_LOGINS.c.id.in_(sa.bindparam("ended", expanding=True)))
    .execution_options(stormpath_about=())  # they let nobody in any more
)
_ROTATE = (
    sa.update(_LOGINS)
    .where(_LOGINS.c.id == sa.bindparam("session_id"), _LOGINS.c.token_hash == sa.bindparam("old"))
    .values(
        token_hash=sa.bindparam("new"),
        rotations=_LOGINS.c.rotations + 1,
        rotated_at=sa.bindparam("now"),
        last_seen_at=sa.bindparam("now"),
        authenticated_at=None,
    )
)
_TOKEN_HASH = sa.select(_LOGINS.c.token_hash).where(_LOGINS.c.id == sa.bindparam("session_id"))


def split(token: str) -> tuple[str, str] | None:
    """Return the id and the secret of a token; None for what was never one."""
    session_id, dot, secret = token.partition(".")
    if not dot or len(session_id) != 22 or len(secret) > 64 or not token.isascii() or "\0" in token:
        return None
    return session_id, secret


def seal(token: str) -> str:
    """Return what the session cookie holds: the token and a seal, so that no copy of the remembered cookie is one."""
    return token + _computed(token, tokens.keys(_SEAL)[0])


def unseal(value: str) -> tuple[str, bool]:
    """Return the token that a cookie holds, and whether it is sealed."""
    token, found = value[:-_COMPUTED], value[-_COMPUTED:]
    if len(token) == _TOKEN and value.isascii():
        for key in tokens.keys(_SEAL):
            if hmac.compare_digest(found, _computed(token, key)):
                return token, True
    return value, False


def newest(secret: str, token_hash: str, rotations: int) -> tuple[int, str] | None:
    """Return how often a secret was replaced, and the one that is in force; None for one that never was the login's.

    :param rotations: how far back to look. (Beyond a change of SECRET_KEY only the last predecessor is recognised.)
    """
    if is_digest(token_hash, secret):
        return 0, secret
    for key in tokens.keys(_SUCCESSOR):
        found = secret
        for times in range(1, rotations + 1):
            found = _computed(found, key)
            if is_digest(token_hash, found):
                return times, found
    return None


def rotate(token: str, now: datetime, account_id: str | None = None) -> str | None:
    """Replace a token by its successor, in a transaction of its own; return the one that is in force then.

    Of requests that come with one token at once, one writes, and all get what it wrote. None: it could not be written
    now, and the token is as good as before; or the login was ended meanwhile.

    :param account_id: whose login it is, where that is known: what is kept of others stays.
    """
    session_id, _dot, secret = token.partition(".")
    wanted = {
        "session_id": session_id,
        "old": _digest(secret),
        "new": _digest(_computed(secret, tokens.keys(_SUCCESSOR)[0])),
        "now": now,
    }
    try:
        with beside() as connection:
            about = None if account_id is None else [account_id]
            connection.execute(_ROTATE, wanted, execution_options={"stormpath_about": about})
            token_hash = connection.scalar(_TOKEN_HASH, {"session_id": session_id})
    except SQLAlchemyError:
        return None
    found = token_hash and newest(secret, token_hash, rotations=1)
    return f"{session_id}.{found[1]}" if found else None


def end(*conditions: sa.ColumnElement[bool]) -> int:
    """Delete the sessions that meet the conditions, in the transaction that is open. Return how many there were.

    Where one of them names the account, what is kept of others stays (`cache.changes`).
    """
    delete = sa.delete(AccountSession).where(*conditions).execution_options(synchronize_session=False)
    ended: Any = session.execute(delete)
    return int(ended.rowcount)


def have_not_run_out() -> sa.ColumnElement[bool]:
    """Return the condition for logins that their age has not ended."""
    now, known = clock.now(), AccountSession
    of_sites = sa.and_(
        ~known.is_console,
        known.created_at > now - settings.SESSION_LIFETIME,
        known.last_seen_at > now - settings.COOKIE_DURATION,
    )
    of_console = sa.and_(
        known.is_console,
        known.created_at > now - settings.ADMIN_LIFETIME,
        known.last_seen_at > now - settings.ADMIN_IDLE,
    )
    return sa.and_(known.expires_at > now, sa.or_(of_sites, of_console))


def count_alive() -> int:
    """Return how many logins have not run out, those of the console included."""
    return session.scalar(sa.select(sa.func.count()).select_from(AccountSession).where(have_not_run_out())) or 0


def is_there(login_id: str) -> bool:
    """Tell whether a login was not ended, as the database has it now and not when this transaction began."""
    this = sa.select(AccountSession.id).where(AccountSession.id == login_id)
    return session.scalar(this.with_for_update()) is not None


def alive(account_id: str) -> list[AccountSession]:
    """Return an account's logins that have not run out, the one that was active last first."""
    return list(
        session.scalars(
            sa.select(AccountSession)
            .where(AccountSession.account_id == account_id, have_not_run_out())
            .order_by(AccountSession.last_seen_at.desc(), AccountSession.id.desc())
        )
    )


def end_found(*conditions: sa.ColumnElement[bool]) -> None:
    """Delete the sessions that meet the conditions, in the transaction that is open; mostly there are none.

    They are looked up first: a DELETE would lock, on MySQL, what it looks at.
    """
    if found := session.scalars(sa.select(AccountSession.id).where(*conditions)).all():
        end(AccountSession.id.in_(found))


def seen(engine: sa.Engine, session_id: str, now: datetime, unless_since: datetime) -> None:
    """Write that a session was active, in a transaction of its own; best effort, as nobody waits for it."""
    statement = (
        sa.update(AccountSession)
        .where(AccountSession.id == session_id, AccountSession.last_seen_at < unless_since)
        .values(last_seen_at=now)
        .execution_options(stormpath_about=())  # it lets nobody in, or out
    )
    with contextlib.suppress(SQLAlchemyError), engine.connect() as connection, short_of_patience(connection):
        connection.execute(statement)
        connection.commit()


def confirm(session_id: str, rotated_at: datetime) -> None:
    """Write that a successor has come back: from now on, who comes with its predecessor has a copy.

    It is not left until the response is out, which the client can delay. What cannot be written now is at its next
    request.
    """
    # Later than the rotation, whatever the clock of this machine says.
    seen_at = max(clock.now(), rotated_at + timedelta.resolution)
    with contextlib.suppress(SQLAlchemyError), beside() as connection:
        connection.execute(_CONFIRM, {"session_id": session_id, "rotated": rotated_at, "seen": seen_at})


_CONFIRM = (
    sa.update(_LOGINS)
    .where(
        _LOGINS.c.id == sa.bindparam("session_id"),
        _LOGINS.c.rotated_at == sa.bindparam("rotated"),
        _LOGINS.c.last_seen_at <= sa.bindparam("rotated"),
    )
    .values(last_seen_at=sa.bindparam("seen"))
    .execution_options(stormpath_about=())  # what is kept lets in nobody but who has the successor
)

_SUCCESSOR, _SEAL = "remembered device: successor", "remembered device: seal"  # what our keys are for
_COMPUTED = 43  # letters: as many as a secret that was drawn has
_TOKEN = 22 + len(".") + _COMPUTED


def _computed(value: str, key: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, value.encode("ascii"), "sha256")).rstrip(b"=").decode("ascii")


def is_digest(token_hash: str, secret: str) -> bool:
    """Tell, in the same time for all, whether this is the secret that the database has the hash of."""
    return hmac.compare_digest(token_hash, _digest(secret))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
