"""AuditEvent: what happened, to whom, by whom and from where. Written with the change, never changed."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .. import clock, origin
from ..database import UTCDateTime, session
from .base import Base, Id, new_id


class AuditEvent(Base):
    """One line of the log. It outlives what it tells of, so it points by id and not by foreign key."""

    __tablename__ = "stormpath_audit_events"
    __table_args__ = (sa.Index(None, "account_id", "id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    #: Such as "login.failed": the thing, then what became of it.
    kind: Mapped[str] = mapped_column(sa.String(64))
    application_id: Mapped[str | None] = mapped_column(Id)
    directory_id: Mapped[str | None] = mapped_column(Id)
    account_id: Mapped[str | None] = mapped_column(Id)
    #: The account that acted; None: nobody known, or not a person.
    actor_id: Mapped[str | None] = mapped_column(Id)
    interface: Mapped[str] = mapped_column(sa.String(16))
    address: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(255))
    #: JSON.
    details: Mapped[str] = mapped_column(sa.Text)

    @property
    def data(self) -> dict[str, Any]:
        """The details, parsed."""
        found: dict[str, Any] = json.loads(self.details)
        return found


def record(
    kind: str,
    connection: sa.Connection | None = None,
    /,
    *,
    account_id: str | None = None,
    directory_id: str | None = None,
    application_id: str | None = None,
    **details: Any,
) -> None:
    """Add an event to the transaction that is open, or to that of `connection`. No secret may be among the details."""
    who = origin.current()
    event = {
        "id": new_id(),
        "at": clock.now(),
        "kind": kind,
        "account_id": account_id,
        "directory_id": directory_id,
        "application_id": application_id,
        "actor_id": who.actor,
        "interface": who.interface,
        "address": printable(who.address, 45),
        "user_agent": printable(who.user_agent, 255),
        "details": json.dumps(details),
    }
    (connection or session.connection()).execute(_RECORD, event)


def of_account(account_id: str, kinds: Iterable[str], *, before: str | None, limit: int) -> list[AuditEvent]:
    """Return the last events of these kinds about an account, newest first; none of what its app alone keeps with it.

    :param before: the id of the event whose forerunners are asked for.
    """
    wanted = sa.select(AuditEvent).where(
        AuditEvent.account_id == account_id,
        AuditEvent.kind.in_(kinds),
        AuditEvent.details.not_like(_OF_THE_APP),
    )
    if before is not None:
        wanted = wanted.where(AuditEvent.id < before)
    return list(session.scalars(wanted.order_by(AuditEvent.id.desc()).limit(limit)))


_OF_THE_APP = '{"changed": ["custom_data"]%'

_EVENTS: Any = AuditEvent.__table__
_RECORD = sa.insert(_EVENTS)


def printable(value: str | None, longest: int) -> str | None:
    """Return what a client told about itself as one line that any database and log can hold."""
    return "".join(letter if letter.isprintable() else " " for letter in value)[:longest] if value else None
