"""What is forgotten in time: old events and mails, links that are dead, logins that ended by themselves, counters."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from .. import clock, throttle
from ..database import session
from ..settings import settings
from ..transactions import atomic
from . import deleted_account
from .base import first_id
from .deleted_account import DeletedAccount
from .event import AuditEvent
from .message import QUEUED, OutboxMessage
from .one_time_token import OneTimeToken
from .session import AccountSession
from .used_state import UsedState

#: How many rows are looked at and deleted in one transaction: nobody waits for a lock for long.
BATCH = 1000


@dataclass(frozen=True)
class Kept:
    """Rows of a table that are kept for some time. `old`: returns the condition for those that are not kept longer."""

    name: str
    key: Any
    old: Callable[[], sa.ColumnElement[bool]]

    def count(self) -> int:
        """Return how many are old."""
        return session.scalar(sa.select(sa.func.count()).select_from(self.key.table).where(self.old())) or 0

    def prune(self) -> Iterator[int]:
        """End what is old, and commit with each batch; yield how many it had."""
        old = self.old()
        last: str | None = None
        while True:
            further = [self.key > last] if last is not None else []
            batch = sa.select(self.key).where(old, *further).order_by(self.key).limit(BATCH)
            if not (found := session.scalars(batch).all()):
                return
            last = found[-1]
            with atomic():  # what was used meanwhile is looked at again
                done: Any = session.connection().execute(self.end().where(self.key.in_(found), old))
            yield int(done.rowcount)

    def end(self) -> Any:
        """Return the statement that ends the rows which it is given."""
        return sa.delete(self.key.table)


def _old_events() -> sa.ColumnElement[bool]:
    return AuditEvent.id < first_id(clock.now() - settings.EVENT_RETENTION)


def _old_mails() -> sa.ColumnElement[bool]:
    # The last day's stay in any case: MAIL_QUOTA counts them.
    before = clock.now() - max(settings.MESSAGE_RETENTION, timedelta(days=1))
    return sa.and_(OutboxMessage.status != QUEUED, OutboxMessage.created_at < before)


def _dead_tokens() -> sa.ColumnElement[bool]:
    return OneTimeToken.expires_at <= clock.now()


def _used_states() -> sa.ColumnElement[bool]:
    return UsedState.expires_at <= clock.now()


def _ended_logins() -> sa.ColumnElement[bool]:
    now = clock.now()
    return sa.or_(
        AccountSession.expires_at <= now,
        AccountSession.created_at <= now - settings.SESSION_LIFETIME,
        AccountSession.last_seen_at <= now - settings.COOKIE_DURATION,
    )


def _forgotten_counters() -> sa.ColumnElement[bool]:
    return throttle.attempts.c.forget_at <= clock.now()


def _old_copies() -> sa.ColumnElement[bool]:
    return DeletedAccount.deleted_at <= clock.now() - deleted_account.KEPT


def _column(model: Any) -> Any:
    return model.__table__.c.id


#: All of it, in the order that it is forgotten in.
KEPT = (
    Kept("events", _column(AuditEvent), _old_events),
    Kept("mails", _column(OutboxMessage), _old_mails),
    Kept("dead links", _column(OneTimeToken), _dead_tokens),
    Kept("used states", UsedState.__table__.c.digest, _used_states),
    Kept("ended logins", _column(AccountSession), _ended_logins),
    Kept("copies of deleted accounts", _column(DeletedAccount), _old_copies),
    Kept("counters of wrong passwords", throttle.attempts.c.key, _forgotten_counters),
)
MAILS = KEPT[1]
