"""AuditEvent: what happened, to whom, by whom and from where. Written with the change, never changed."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .. import clock, names, origin
from ..database import UTCDateTime, exact_text, session
from ..errors import PropertyError
from ..transactions import atomic
from .base import Base, Id, Resource, new_id
from .custom_data_text import dump, load
from .unsaved import changed

#: What the kinds of a host's own events begin with, so that none passes for one of ours.
OF_THE_APP = "app."
#: Longest JSON of what a host tells with an event, in bytes.
LARGEST = 8000
#: Longest text that is kept of a value, before and after a change.
LONGEST_VALUE = 200
#: Longest reason, and longest kind of a host's, in letters.
LONGEST_REASON, LONGEST_KIND = 500, 60


class AuditEvent(Base):
    """One line of the log. It outlives what it tells of, so it points by id and not by foreign key."""

    __tablename__ = "stormpath_audit_events"
    # Each ends in the id, which is in the order of time: what is found is sorted.
    __table_args__ = tuple(
        sa.Index(None, column, "id")
        for column in ("account_id", "actor_id", "target_id", "directory_id", "kind", "address")
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    #: Such as "login.failed": the thing, then what became of it.
    kind: Mapped[str] = mapped_column(sa.String(64))
    application_id: Mapped[str | None] = mapped_column(Id)
    directory_id: Mapped[str | None] = mapped_column(Id)
    #: The account that it is about, or that the target belongs to.
    account_id: Mapped[str | None] = mapped_column(Id)
    #: The account that acted; None: nobody known, or not a person.
    actor_id: Mapped[str | None] = mapped_column(Id)
    #: Its e-mail address at that time.
    actor_name: Mapped[str | None] = mapped_column(sa.String(names.LONGEST))
    #: What was changed: "account", "group", "api_key", with its id and what people knew it by.
    target_kind: Mapped[str | None] = mapped_column(sa.String(32))
    target_id: Mapped[str | None] = mapped_column(exact_text(25))
    target_name: Mapped[str | None] = mapped_column(sa.String(names.LONGEST))
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

    @property
    def changes(self) -> dict[str, list[Any] | None]:
        """What was changed: attribute -> [before, after]; None of an event from before the log told values."""
        told = self.data.get("changed", {})
        return dict(told) if isinstance(told, Mapping) else dict.fromkeys(told)

    @property
    def reason(self) -> str | None:
        """Why, in the words of who acted; None: they gave none."""
        found: str | None = self.data.get("reason")
        return found


def record(
    kind: str,
    connection: sa.Connection | None = None,
    /,
    *,
    target: Resource | None = None,
    account_id: str | None = None,
    directory_id: str | None = None,
    application_id: str | None = None,
    **details: Any,
) -> None:
    """Add an event to the transaction that is open, or to that of `connection`. No secret may be among the details.

    :param target: what was changed.
    """
    who = origin.current()
    if reason := printable(who.reason, LONGEST_REASON):
        details["reason"] = reason
    event = {
        "id": new_id(),
        "at": clock.now(),
        "kind": kind,
        "account_id": account_id,
        "directory_id": directory_id,
        "application_id": application_id,
        "actor_id": who.actor,
        "actor_name": printable(who.actor_name, names.LONGEST),
        "target_kind": target and target_kind(target),
        "target_id": target and target.id,
        "target_name": target and printable(target.title, names.LONGEST),
        "interface": who.interface,
        "address": printable(who.address, 45),
        "user_agent": printable(who.user_agent, 255),
        "details": json.dumps(details),
    }
    (connection or session.connection()).execute(_RECORD, event)


def target_kind(resource: Resource | type[Resource]) -> str:
    """Return what the log calls a kind of resource: "account", "api_key"."""
    return resource.thing.lower().replace(" ", "_")


# --- Before and after ---


def changes(resource: Resource, what: Mapping[str, tuple[Any, Any]] | None = None) -> dict[str, Any]:
    """Return what the log tells of what was set and is not written yet: attribute -> [before, after].

    Nothing but what `create` takes is told, so no hash and no key; custom data is told by its keys alone, elsewhere.

    :param what: as `changed` returned it; None: all that was set.
    """
    what = changed(resource) if what is None else what
    told = {name: _told_name(name) for name in what}
    told = {name: public for name, public in sorted(told.items()) if public in resource.writable - {"password"}}
    before = dict.fromkeys(told) if resource.is_new else _stored(resource, told)
    both = {public: (before[name], what[name][1]) for name, public in told.items()}
    return {public: _pair(*values) for public, values in both.items() if values != (None, None)}


def _told_name(name: str) -> str:
    """Return what people call an attribute: columns that read as a default where they are None have another name."""
    return name.removeprefix("own_").removeprefix("chosen_")


def _stored(resource: Resource, attributes: Collection[str]) -> dict[str, Any]:
    """Return what the database has: what was set may never have been read, and in memory is what others replaced."""
    if not attributes:
        return {}
    model: Any = type(resource)
    stored = sa.select(*(getattr(model, name) for name in attributes)).where(model.id == resource.id)
    return dict(zip(attributes, session.execute(stored).first() or [None] * len(attributes), strict=True))


def _pair(before: Any, after: Any) -> list[Any]:
    """Return both values as JSON has them; of long texts, the part where they begin to differ."""
    start = 0
    if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > LONGEST_VALUE:
        differ = (at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
        start = max(0, next(differ, min(len(before), len(after))) - 20)
    return [_plain(before, start), _plain(after, start)]


def _plain(value: Any, start: int = 0) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        part = value[start : start + LONGEST_VALUE]
        return ("…" if start else "") + part + ("…" if start + LONGEST_VALUE < len(value) else "")
    return value


# --- A host's own events ---

_KIND = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")


def log(account: Resource | None, kind: str, data: Mapping[str, Any] | None = None) -> None:
    """Add an event of the host's, and commit; inside `atomic()`, with the rest.

    :param account: whom it is about; None: nobody.
    :raises ValueError, TypeError: it is none that can be kept.
    """
    if not isinstance(kind, str) or not _KIND.fullmatch(kind) or len(kind) > LONGEST_KIND:
        raise ValueError(
            f"{kind!r} is no kind of event: write it like 'invoice.paid', in small letters, digits and '_' with dots"
            f" between the words, {LONGEST_KIND} characters at most."
        )
    if account is not None and not isinstance(account, Resource):
        raise TypeError(f"An event is about an Account, or None; {account!r} is neither.")
    told = _as_json(kind, {} if data is None else data)
    whose = {} if account is None else {"account_id": account.id, "directory_id": account["directory"].id}
    with atomic():
        record(OF_THE_APP + kind, target=account, **whose, data=told)


def _as_json(kind: str, data: Any) -> Any:
    try:
        text = dump("Event", "data", data) if isinstance(data, Mapping) else ""
    except PropertyError:
        text = ""
    if not text:
        raise TypeError(f"What the event {kind!r} tells must be a dictionary of what JSON knows; {data!r} is not.")
    if len(text.encode()) > LARGEST:
        raise ValueError(f"What the event {kind!r} tells has more than {LARGEST} bytes as JSON.")
    return load(text)


# --- What was written ---


def unindexed(column: Any) -> Any:
    """Return a column for a condition beside one that an index is to answer.

    SQLite, which knows nothing of how many there are, would take the index of kinds, and look at all logins for one
    account's.
    """
    return sa.func.coalesce(column, "")


def of_account(account_id: str, kinds: Iterable[str], *, before: str | None, limit: int) -> list[AuditEvent]:
    """Return the last events of these kinds about an account, newest first; none of what its app alone keeps with it.

    :param before: the id of the event whose forerunners are asked for.
    """
    wanted = sa.select(AuditEvent).where(
        AuditEvent.account_id == account_id,
        unindexed(AuditEvent.kind).in_(kinds),
        *(AuditEvent.details.not_like(beginning) for beginning in _CUSTOM_DATA_ALONE),
    )
    if before is not None:
        wanted = wanted.where(AuditEvent.id < before)
    return list(session.scalars(wanted.order_by(AuditEvent.id.desc()).limit(limit)))


#: How the details begin where nothing else was changed; and how they did, in the first logs.
_CUSTOM_DATA_ALONE = ('{"custom_data": %', '{"changed": ["custom_data"]%')

_EVENTS: Any = AuditEvent.__table__
_RECORD = sa.insert(_EVENTS)


def printable(value: str | None, longest: int) -> str | None:
    """Return what a client told about itself as one line that any database and log can hold."""
    return "".join(letter if letter.isprintable() else " " for letter in value)[:longest] if value else None
