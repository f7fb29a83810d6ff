"""After a restore: what was good when the backup was made may have ended since, and is good no more."""

from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from .. import clock
from ..database import session
from ..transactions import atomic
from . import event
from .api_key import ApiKey
from .base import DISABLED, ENABLED
from .event import AuditEvent
from .message import FAILED, QUEUED, OutboxMessage
from .one_time_token import OneTimeToken
from .retention import BATCH, Kept
from .session import AccountSession

_WHY = "It waited in the backup that the database was restored from: it may have left before, and was not sent again."


class _Mails(Kept):
    """Mails that wait: they stay to be read of, and are not sent."""

    def end(self) -> Any:
        """Return the statement that gives them up."""
        return sa.update(self.key.table).values(status=FAILED, last_error=_WHY, nonce=None, claimed_by=None)


def voided() -> tuple[Kept, ...]:
    """Return what must end, of rows that are there at this moment: logins, mailed links, and mails that wait.

    Again, it goes on where it was.
    """
    logins, links, mails = map(_are_there, (AccountSession, OneTimeToken, OutboxMessage))
    return (
        Kept("logins", AccountSession.__table__.c.id, lambda: logins),
        Kept("mailed links", OneTimeToken.__table__.c.id, lambda: links),
        _Mails("mails that waited", OutboxMessage.__table__.c.id, lambda: mails & (OutboxMessage.status == QUEUED)),
    )


def _are_there(model: Any) -> sa.ColumnElement[bool]:
    """Return the condition for rows that were made until now, by whichever clock: this machine's may be behind."""
    newest = session.scalar(sa.select(sa.func.max(model.created_at)))
    return cast("sa.ColumnElement[bool]", model.created_at <= max(clock.now(), newest or clock.now()))


def newest_event() -> datetime | None:
    """Return when the log ends, which is about when the backup was made; None: it is empty."""
    return session.scalar(sa.select(AuditEvent.at).order_by(AuditEvent.id.desc()).limit(1))


def count_api_keys() -> int:
    """Return how many API keys are enabled, of whomever."""
    return session.scalar(sa.select(sa.func.count()).select_from(ApiKey).where(ApiKey.status == ENABLED)) or 0


def api_keys(limit: int = BATCH) -> list[ApiKey]:
    """Return the first of those, by id."""
    enabled = sa.select(ApiKey).where(ApiKey.status == ENABLED).order_by(ApiKey.id).limit(limit)
    return list(session.scalars(enabled))


def disable_api_keys() -> int:
    """Disable all API keys, and commit with each; return how many."""
    disabled = 0
    while found := api_keys():
        for key in found:
            key.status = DISABLED
            key.save()
        disabled += len(found)
        session.expunge_all()
    return disabled


def record(counts: dict[str, int]) -> None:
    """Write into the log that the database was restored and what ended, and commit."""
    with atomic():
        event.record("database.restored", counts=counts)
