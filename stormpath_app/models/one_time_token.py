"""OneTimeToken: a link in a mail that does one thing, once, for one account and one address."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .. import clock, names, tokens
from ..database import UTCDateTime, exact_text, session
from .base import DISABLED, Base, Id, new_id

if TYPE_CHECKING:
    from .account import Account
    from .application import Application
    from .email_holder import EmailHolder

#: What a token is for.
RESET, VERIFICATION, EMAIL_CHANGE = "reset", "verification", "email_change"
INVITATION = "invitation"  # of an administrator

_KEY = "one-time token"  # what our keys are for
_LETTERS = 43  # of a token: 256 bits


class OneTimeToken(Base):
    """A token that was mailed. The database has its SHA-256 alone; using it deletes the row.

    All of an account die with a new password, address or status, and each with the next one for the same purpose.
    """

    __tablename__ = "stormpath_one_time_tokens"
    __table_args__ = (sa.Index(None, "account_id", "purpose"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    purpose: Mapped[str] = mapped_column(sa.String(16))
    account_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"))
    #: Through which it was asked for; None: no application, but the directory itself.
    application_id: Mapped[str | None] = mapped_column(
        Id, sa.ForeignKey("stormpath_applications.id", ondelete="CASCADE"), index=True
    )
    #: Where it was mailed to: of an EMAIL_CHANGE, the new address.
    address: Mapped[str] = mapped_column(sa.String(names.LONGEST))
    token_hash: Mapped[str] = mapped_column(exact_text(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)

    account: Mapped["Account"] = relationship(viewonly=True)
    application: Mapped["Application | None"] = relationship(viewonly=True)


@dataclass(frozen=True, repr=False)
class Issued:
    """A token that was just made. `nonce`: what `raw` makes it of again, while its mail waits."""

    token: str
    nonce: str


def issue(purpose: str, account: "EmailHolder", address: str, life: timedelta, application_id: str | None) -> Issued:
    """Add a token to the transaction that is open, in the place of the one before. It is stored nowhere itself."""
    nonce, now = secrets.token_urlsafe(32), clock.now()
    token = _computed(nonce, tokens.keys(_KEY)[0])
    end(account.id, purpose)
    row = {
        "id": new_id(),
        "purpose": purpose,
        "account_id": account.id,
        "application_id": application_id,
        "address": address,
        "token_hash": digest(token),
        "created_at": now,
        "expires_at": now + life,
    }
    session.connection().execute(_ISSUE, row)
    return Issued(token, nonce)


def raw(nonce: str) -> str | None:
    """Return the token of a nonce, under whichever key it was issued; None: it is dead."""
    candidates = {digest(token): token for token in (_computed(nonce, key) for key in tokens.keys(_KEY))}
    found = session.scalar(
        sa.select(OneTimeToken.token_hash).where(
            OneTimeToken.token_hash.in_(list(candidates)), OneTimeToken.expires_at > clock.now()
        )
    )
    return candidates[found] if found else None


def digest(token: object) -> str:
    """Return what the database, and a browser's session, have of a token; of what never was one, what nothing has."""
    if not isinstance(token, str) or len(token) != _LETTERS or not token.isascii():
        return ""
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def hash_of(token: object) -> str:
    """Return the hash of a token, be it the row that has it or what a link has."""
    return token.token_hash if isinstance(token, OneTimeToken) else digest(token)


def find(purpose: str, token_hash: str) -> OneTimeToken | None:
    """Return the token with this hash that can be used now; None where there is none.

    Its account is as it is in the database at this moment: not disabled, and, unless its address is what changes, with
    the address that the token was mailed to.
    """
    statement = (
        sa.select(OneTimeToken)
        .where(
            OneTimeToken.token_hash == token_hash,
            OneTimeToken.purpose == purpose,
            OneTimeToken.expires_at > clock.now(),
        )
        .execution_options(populate_existing=True)
    )
    found = session.scalar(statement)
    if found is None or found.account.status == DISABLED:
        return None
    return found if purpose == EMAIL_CHANGE or found.address == found.account.email else None


def use(token: OneTimeToken) -> bool:
    """Use a token up, in the transaction that is open. False: somebody else did meanwhile, or it died."""
    return _delete(OneTimeToken.id == token.id, OneTimeToken.expires_at > clock.now()) == 1


def end(account_id: str, *purposes: str) -> None:
    """Let an account's tokens die, in the transaction that is open: those for these purposes; none given: all.

    They are looked up first: a DELETE would lock, on MySQL, what it looks at.
    """
    whose = [OneTimeToken.account_id == account_id]
    if purposes:
        whose.append(OneTimeToken.purpose.in_(purposes))
    if found := session.scalars(sa.select(OneTimeToken.id).where(*whose)).all():
        _delete(OneTimeToken.id.in_(found))


def _delete(*conditions: sa.ColumnElement[bool]) -> int:
    delete = sa.delete(OneTimeToken).where(*conditions).execution_options(synchronize_session=False)
    done: Any = session.execute(delete)
    return int(done.rowcount)


def _computed(nonce: str, key: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, nonce.encode("ascii"), "sha256")).rstrip(b"=").decode("ascii")


_ISSUE = sa.insert(OneTimeToken)
