"""OutboxMessage: a mail that waits, or left. It is written with the change that it tells of."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .. import clock, names, origin, signals, translation
from ..database import UTCDateTime, exact_text, session
from ..errors import MailQuotaExceeded
from ..settings import settings
from ..transactions import announce
from . import event
from .base import Base, Id, new_id

if TYPE_CHECKING:
    from .account import Account
    from .application import Application
    from .directory import Directory
    from .email_holder import EmailHolder

#: What a mail is about. The first five have a template in each directory.
VERIFICATION, VERIFICATION_SUCCESS, WELCOME = "verification", "verification_success", "welcome"
RESET, RESET_SUCCESS = "reset", "reset_success"
EMAIL_CHANGE, EMAIL_CHANGED, ACCOUNT_EXISTS, TEST = "email_change", "email_changed", "account_exists", "test"
PASSWORD_CHANGED = "password_changed"  # noqa: S105 - by its owner, who knew the one before
INVITATION = "invitation"  # to the console
#: What a mail of another kind would say, for whoever writes its template; its link opens nothing.
PREVIEW = "preview"

#: No mail yet: what a stranger asked for, in the row's address. Whoever sends mails looks whether there is somebody to
#: mail to (`Application.answer`), so that the stranger cannot tell by the time it takes.
RESET_REQUEST, VERIFICATION_REQUEST, OWNER_NOTICE = "reset_request", "verification_request", "owner_notice"
REQUESTS = frozenset({RESET_REQUEST, VERIFICATION_REQUEST, OWNER_NOTICE})

#: Whether it is still to be sent, was sent, or never will be.
QUEUED, SENT, FAILED = "QUEUED", "SENT", "FAILED"


class OutboxMessage(Base):
    """A mail to one person. What it says is made when it is sent; a link in it, of the nonce, which is then wiped."""

    __tablename__ = "stormpath_outbox_messages"
    __table_args__ = (sa.Index(None, "status", "due_at"), sa.Index(None, "address_key", "kind", "created_at"))

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(32))
    #: None: the mail is about nobody's account, as a test.
    account_id: Mapped[str | None] = mapped_column(
        Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"), index=True
    )
    application_id: Mapped[str | None] = mapped_column(
        Id, sa.ForeignKey("stormpath_applications.id", ondelete="CASCADE"), index=True
    )
    address: Mapped[str] = mapped_column(sa.String(names.LONGEST))
    address_key: Mapped[str] = mapped_column(exact_text(names.LONGEST))
    #: The reader's language; None: the site's own.
    language: Mapped[str | None] = mapped_column(sa.String(16))
    #: JSON: what the mail tells that is in no other row. No secret.
    parameters: Mapped[str] = mapped_column(sa.Text)
    #: What the token in its link is made of; None: it has none, or has left.
    nonce: Mapped[str | None] = mapped_column(exact_text(64))
    status: Mapped[str] = mapped_column(sa.String(16))
    attempts: Mapped[int]
    #: When it is tried next. Whoever tries it moves this ahead first, so that nobody else does meanwhile.
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    claimed_by: Mapped[str | None] = mapped_column(exact_text(64))
    last_error: Mapped[str | None] = mapped_column(sa.String(500))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    #: When the link in it is dead, and nobody needs the mail; None: it has none.
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    account: Mapped["Account | None"] = relationship(viewonly=True)
    application: Mapped["Application | None"] = relationship(viewonly=True)

    @property
    def data(self) -> dict[str, Any]:
        """The parameters, parsed."""
        found: dict[str, Any] = json.loads(self.parameters)
        return found

    @property
    def directory(self) -> "Directory | None":
        """The directory whose template it follows; None where it is about nobody's account."""
        return self.account.directory if self.account else None


def queue(
    kind: str,
    account: "EmailHolder",
    *,
    application_id: str | None = None,
    address: str | None = None,
    nonce: str | None = None,
    life: timedelta | None = None,
    **parameters: Any,
) -> None:
    """Add a mail to the transaction that is open; it leaves after the commit, and never if that is rolled back.

    :param address: where it goes; None: the account's own address.
    :param nonce, life: of the token in its link, and how long that is good.
    """
    to = address or account.email
    _write(
        kind,
        to,
        account_id=account.id,
        application_id=application_id,
        address_key=names.key(to),
        parameters=json.dumps(parameters),
        nonce=nonce,
        expires_at=clock.now() + life if life else None,
    )


def withhold(
    kind: str, account: "EmailHolder", *, application_id: str | None, address: str, life: timedelta, why: str
) -> None:
    """Add a mail that never leaves to the transaction that is open: MAIL_QUOTA counts it like one that does."""
    _write(
        kind,
        address,
        account_id=account.id,
        application_id=application_id,
        address_key=names.key(address),
        parameters="{}",
        status=FAILED,
        last_error=why,
        expires_at=clock.now() + life,  # what has a link is never tried again
    )


def request(kind: str, login: str, application_id: str) -> None:
    """Add what a stranger asks for to the transaction that is open; of nothing that could be a name, nobody's."""
    who = origin.current()
    asked_from = {
        "address": event.printable(who.address, 45),
        "user_agent": event.printable(who.user_agent, 255),
        "interface": who.interface,
    }
    asked = login if names.can_be_stored(login) else ""
    _write(kind, asked, application_id=application_id, address_key="", parameters=json.dumps(asked_from))


def of_account(account_id: str, *, before: str | None = None, limit: int) -> list[OutboxMessage]:
    """Return the last mails to an account, newest first.

    :param before: the id of the mail whose forerunners are asked for.
    """
    wanted = sa.select(OutboxMessage).where(OutboxMessage.account_id == account_id)
    if before is not None:
        wanted = wanted.where(OutboxMessage.id < before)
    return list(session.scalars(wanted.order_by(OutboxMessage.id.desc()).limit(limit)))


def find_of_account(account_id: str, message_id: str) -> OutboxMessage | None:
    """Return the mail to an account with this id; None where there is none."""
    return session.scalar(
        sa.select(OutboxMessage).where(OutboxMessage.id == message_id, OutboxMessage.account_id == account_id)
    )


def waiting() -> tuple[int, float]:
    """Return how many mails wait, and for how many seconds the oldest does."""
    number, oldest = session.execute(
        sa.select(sa.func.count(), sa.func.min(OutboxMessage.created_at)).where(OutboxMessage.status == QUEUED)
    ).one()
    return number, (clock.now() - oldest).total_seconds() if oldest else 0.0


def take(asked: OutboxMessage) -> bool:
    """Take a request away, in the transaction that is open. False: somebody else did."""
    take = sa.delete(OutboxMessage).where(OutboxMessage.id == asked.id).execution_options(synchronize_session=False)
    taken: Any = session.execute(take)
    return int(taken.rowcount) == 1


def _write(kind: str, address: str, **columns: Any) -> None:
    now, message_id = clock.now(), new_id()
    row = {
        "id": message_id,
        "kind": kind,
        "address": address,
        "language": translation.locale(),
        "status": QUEUED,
        "attempts": 0,
        "due_at": now,
        "created_at": now,
        **columns,
    }
    session.connection().execute(_QUEUE, row)
    announce(signals.message_queued, lambda: {"message_id": message_id, "kind": kind})


def check_quota(kind: str, account: "EmailHolder", address: str | None = None) -> None:
    """Accept one more mail of a kind to an address, or for an account. Whoever asks has locked the account.

    :param address: where it goes; None: the account's own address.
    :raises MailQuotaExceeded: there were as many as there may be; those that came stay good.
    """
    now, key = clock.now(), names.key(address or account.email)
    for unit, most in settings.MAIL_QUOTA.items():
        conditions = (
            sa.or_(OutboxMessage.address_key == key, OutboxMessage.account_id == account.id),
            OutboxMessage.kind == kind,
            OutboxMessage.created_at > now - _WINDOWS[unit],
        )
        if (session.scalar(sa.select(sa.func.count()).where(*conditions)) or 0) >= most:
            raise MailQuotaExceeded


_WINDOWS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_QUEUE = sa.insert(OutboxMessage)
