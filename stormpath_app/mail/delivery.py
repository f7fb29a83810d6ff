"""What becomes of mails that wait: each is claimed, rendered, sent and settled, one after the other.

A claim is one UPDATE that moves `due_at` ahead, and names the state that was seen: it is the same on every database, no
lock is held while a mail server talks, and what a worker leaves that died is due again after `LEASE`.
"""

import os
import random
import secrets
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from .. import clock, current
from ..database import session
from ..errors import NotReady, TokenRefused
from ..models import OutboxMessage, retention
from ..models.message import FAILED, PREVIEW, QUEUED, REQUESTS, SENT
from ..transactions import atomic, release
from . import preview, rendering, transport
from .rendered import RenderedMail
from .transport import MailDelayed, MailNotSent, MailRefused

#: How long a mail is for the worker that claimed it; more than one may take (`transport.MAIL_TIMEOUT`).
LEASE = timedelta(minutes=5)
#: After a failure that may pass; the second pause is twice the first, and so on.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
#: How long a mail is tried that has no link in it which could die.
PATIENCE = timedelta(days=3)


@dataclass(frozen=True)
class Outcome:
    """What became of one try. `error`: why it was not sent; `due_at`: when it is tried again, if it is QUEUED."""

    message_id: str
    kind: str
    address: str
    status: str
    error: str | None = None
    due_at: datetime | None = None


def deliver(message_id: str) -> str | None:
    """Send one mail now. For a queue of the host's own, which calls it after the commit, in an app context.

    Return what is true of it then: "SENT", "FAILED", or "QUEUED", which is to be tried again, by this or by
    `flask stormpath mail send`. None: there is no such mail any more; a stranger's request became another mail, of
    which the queue is told like of any. What others send now, or sent, is left alone.
    """
    app = current.app()
    with app.app_context():  # a session of its own: the caller's may be in the middle of something
        nobody_has_it = sa.or_(OutboxMessage.due_at <= clock.now(), OutboxMessage.claimed_by.is_(None))
        if outcome := _try(message_id, nobody_has_it):
            return outcome.status
        status: str | None = session.scalar(sa.select(OutboxMessage.status).where(OutboxMessage.id == message_id))
        return status


def deliver_due() -> Iterator[Outcome]:
    """Send each mail that is due, the longest waiting first, and yield what became of it. Workers share them."""
    app = current.app()
    while True:
        with app.app_context():
            is_due = OutboxMessage.due_at <= clock.now()
            message_id = session.scalar(_first_of(OutboxMessage.id).where(is_due))
            if message_id is None:
                return
            outcome = _try(message_id, is_due)
        if outcome:  # None: another worker was quicker
            yield outcome


def next_due() -> datetime | None:
    """Return when a mail is to be tried next; None: none waits."""
    found: datetime | None = session.scalar(_first_of(OutboxMessage.due_at))
    return found


def count_due() -> int:
    """Return how many mails are due."""
    conditions = (OutboxMessage.status == QUEUED, OutboxMessage.due_at <= clock.now())
    return session.scalar(sa.select(sa.func.count()).select_from(OutboxMessage).where(*conditions)) or 0


def retry(message_ids: Iterable[str]) -> int:
    """Let mails be tried again at once, and commit; return how many. One that failed cannot where it has a link."""
    again = sa.or_(
        sa.and_(OutboxMessage.status == QUEUED, OutboxMessage.claimed_by.is_(None)),
        sa.and_(OutboxMessage.status == FAILED, OutboxMessage.expires_at.is_(None)),
    )
    with atomic():
        return sum(
            _update(message_id, again, status=QUEUED, due_at=clock.now(), attempts=0) for message_id in message_ids
        )


def prune() -> int:
    """Delete the mails that are done with and older than MESSAGE_RETENTION, and commit; return how many.

    The last day's stay in any case: MAIL_QUOTA counts them.
    """
    return sum(retention.MAILS.prune())


# --- One try ---


def _try(message_id: str, condition: sa.ColumnElement[bool]) -> Outcome | None:
    """Claim a mail that waits, if the condition holds, and try to send it. None: it was not for us."""
    worker = f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"
    with atomic():
        claim = {"due_at": clock.now() + LEASE, "claimed_by": worker, "attempts": OutboxMessage.attempts + 1}
        if not _update(message_id, sa.and_(OutboxMessage.status == QUEUED, condition), **claim):
            return None
    message = session.get(OutboxMessage, message_id)
    if message is None:  # its account was deleted just now
        return None
    what = (message_id, message.kind, message.address)
    attempts, ends = message.attempts, message.expires_at or message.created_at + PATIENCE
    try:
        if message.kind in REQUESTS:
            _answer(message)
            return None  # the mail, if it is one, waits now in its place
        mail = _render(message)
        release()  # no connection to the database is held meanwhile
        _send(mail, message_id)
    except MailNotSent as error:
        session.rollback()
        outcome = Outcome(*what, *_after_failure(error, attempts, ends))
    else:
        outcome = Outcome(*what, SENT)
    _settle(outcome, worker)
    return outcome


def _answer(asked: OutboxMessage) -> None:
    """Look whether there is somebody to mail to what a stranger asked for.

    :raises MailDelayed: it cannot be looked now.
    """
    application: Any = asked.application  # one that is deleted takes it along
    try:
        application.answer(asked)
    except Exception as error:
        current_app.logger.exception("The request %s (%s) cannot be answered.", asked.id, asked.kind)
        raise MailDelayed(f"It cannot be answered: {type(error).__name__}") from error


def _render(message: OutboxMessage) -> RenderedMail:
    """Return what is to be sent now.

    :raises MailRefused: its link is dead. :raises MailDelayed: it cannot be written, which somebody may mend.
    """
    if message.expires_at and message.expires_at <= clock.now():
        before = f" Before that: {message.last_error}" if message.last_error else ""
        raise MailRefused(f"The link in it expired before it could be sent.{before}")
    try:
        return preview.render(message) if message.kind == PREVIEW else rendering.render(message)
    except TokenRefused as error:
        raise MailRefused("The link in it is dead: it was used or replaced, or the account was changed.") from error
    except NotReady as error:
        raise MailDelayed(" ".join(error.problems)) from error
    except Exception as error:  # a template of the host's, which may be anything; the other mails are to leave
        current_app.logger.exception("The mail %s (%s) cannot be rendered.", message.id, message.kind)
        raise MailDelayed(f"It cannot be rendered: {type(error).__name__}: {error}") from error


def _send(mail: RenderedMail, message_id: str) -> None:
    try:
        transport.send(mail, message_id)
    except MailNotSent:
        raise
    except Exception as error:  # what a host's Flask-Mail, or its configuration, may do
        current_app.logger.exception("The mail %s cannot be sent.", message_id)
        raise MailDelayed(f"It cannot be sent: {type(error).__name__}: {error}") from error


def _after_failure(error: MailNotSent, attempts: int, ends: datetime) -> tuple[str, str, datetime | None]:
    """Return the status after a try that failed, why, and when it is tried again."""
    now = clock.now()
    if isinstance(error, MailRefused) or now >= ends:
        return FAILED, str(error), None
    pause = min(FIRST_PAUSE * 2 ** min(attempts - 1, 10), LONGEST_PAUSE)
    # What failed together is not tried together again. The last try is at the end, and tells that it is reached.
    return QUEUED, str(error), min(now + pause * random.uniform(0.75, 1), max(ends, now + FIRST_PAUSE / 2))  # noqa: S311 - no secret


def _settle(outcome: Outcome, worker: str) -> None:
    """Write what became of a mail. One that was sent is written down whoever has it now, and however long it takes."""
    known: dict[str, Any] = {"status": outcome.status, "last_error": outcome.error, "claimed_by": None}
    if outcome.status == QUEUED:
        known["due_at"] = outcome.due_at
    else:
        known["nonce"] = None
    if outcome.status == SENT:
        known["sent_at"] = clock.now()
    condition = sa.true() if outcome.status == SENT else OutboxMessage.claimed_by == worker
    for pause in (0.2, 1, 5) if outcome.status == SENT else ():
        with suppress(SQLAlchemyError):
            _write(outcome, condition, known)
            return
        time.sleep(pause)  # what is not written down would be sent again
    _write(outcome, condition, known)


def _write(outcome: Outcome, condition: sa.ColumnElement[bool], known: dict[str, Any]) -> None:
    with atomic():
        _update(outcome.message_id, condition, **known)
    what = f"The mail {outcome.message_id} ({outcome.kind})"
    if outcome.status == SENT:
        current_app.logger.info("%s was sent.", what)
    elif outcome.status == FAILED:
        current_app.logger.error("%s will not be sent: %s", what, outcome.error)
    else:
        current_app.logger.warning("%s is tried again at %s: %s", what, outcome.due_at, outcome.error)


def _update(message_id: str, condition: sa.ColumnElement[bool], **known: Any) -> int:
    statement = sa.update(OutboxMessage).where(OutboxMessage.id == message_id, condition).values(**known)
    done: Any = session.execute(statement, execution_options=_BY_ITSELF)
    return int(done.rowcount)


def _first_of(column: Any) -> sa.Select[Any]:
    """Return the statement for a column of the mail that is due first."""
    return sa.select(column).where(OutboxMessage.status == QUEUED).order_by(OutboxMessage.due_at).limit(1)


_BY_ITSELF = {"synchronize_session": False}
