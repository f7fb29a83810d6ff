"""FormerPassword: what an account's password was before, so that it is not used again."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .. import clock
from ..database import UTCDateTime, exact_text, session
from .base import Base, Id, new_id

#: So many passwords can be kept from being used again, the one in force among them.
MOST = 25


class FormerPassword(Base):
    """The hash of a password that was replaced. It is kept while the directory prevents reuse."""

    __tablename__ = "stormpath_former_passwords"
    __table_args__ = (sa.Index(None, "account_id", "id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    account_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"))
    password_hash: Mapped[str] = mapped_column(exact_text(128))
    replaced_at: Mapped[datetime] = mapped_column(UTCDateTime)


def hashes(account_id: str, count: int) -> list[str]:
    """Return the hashes of the last so many passwords that were replaced, newest first."""
    return [password_hash for _id, password_hash in _former(account_id)[:count]]


def keep(account_id: str, replaced: str) -> None:
    """Add the hash of a password to the transaction that is open, and forget the oldest beyond MOST."""
    row = {"id": new_id(), "account_id": account_id, "password_hash": replaced, "replaced_at": clock.now()}
    session.connection().execute(_KEEP, row)
    forget(account_id, all_but=MOST - 1)


def forget(account_id: str, *, all_but: int = 0) -> None:
    """Forget the former passwords of an account but the newest, in the transaction that is open.

    They are looked up first: a DELETE would lock, on MySQL, what it looks at.
    """
    if old := [former_id for former_id, _hash in _former(account_id)[all_but:]]:
        session.connection().execute(_FORGET, {"old": old})


def _former(account_id: str) -> list[tuple[str, str]]:
    """Return id and hash of each, newest first."""
    return [(row.id, row.password_hash) for row in session.execute(_NEWEST, {"account_id": account_id})]


_NEWEST = (
    sa.select(FormerPassword.id, FormerPassword.password_hash)
    .where(FormerPassword.account_id == sa.bindparam("account_id"))
    .order_by(FormerPassword.id.desc())
)
_KEEP = sa.insert(FormerPassword)
_FORGET = sa.delete(FormerPassword).where(FormerPassword.id.in_(sa.bindparam("old", expanding=True)))
