"""The log, read: events by what they are, whom they are about, who acted and from where, the newest first.

No question scans without bound. One condition that an index answers (`_LANES`) leads, in the order of time; where
others are beside it, so many events are looked at and no more, and who asks is told how far that was.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from ..database import session
from .account import Account
from .application import Application
from .base import first_id, made_at
from .directory import Directory
from .event import OF_THE_APP, AuditEvent, unindexed

#: What filters of the console stand for.
ERRORS = ("*.failed", "*.refused", "*.replayed")
SECURITY = (*ERRORS, "password.*", "password_reset.*", "account.signed_out", "session.*", "api_key.*")
CHANGES = (
    *("*.created", "*.updated", "*.deleted", "*.restored", "*.mapped", "*.unmapped"),
    *("*.group_added", "*.group_removed"),
    *("*.locked_down", "*.expired", "*.passwords_expired", "*.limited", "*.invited", "*.joined", "*.exported"),
    *("account.unlocked", "account.signed_out", "session.ended", "password.changed"),
)
APP = (f"{OF_THE_APP}*",)

#: What is changed on the page of a directory, and of an application, beside what is in them.
OF_A_DIRECTORY = (
    "directory.*",
    "password_policy.*",
    "account_creation_policy.*",
    "account_schema.*",
    "email_template.*",
)
OF_AN_APPLICATION = ("application.*", "account_store.*")

#: How many events are looked at for one page, and counted at most.
MOST_LOOKED_AT, MOST_COUNTED = 20_000, 10_000
#: How many kinds there may be that a pattern is compared with: a host can invent them without end.
_MOST_KINDS = 300


@dataclass(frozen=True)
class Question:
    """What is asked of the log; None, or nothing: all. `kinds`: names, with `*` for any letters; one of them will do.

    `result`: a second list of such patterns, one of which must fit too. `directory_ids`: events of these directories
    alone; `without`: none of these directories. `until`: what was before this moment.
    """

    kinds: tuple[str, ...] = ()
    result: tuple[str, ...] = ()
    account_id: str | None = None
    target_id: str | None = None
    actor_id: str | None = None
    address: str | None = None
    interface: str | None = None
    application_id: str | None = None
    directory_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    directory_ids: Collection[str] | None = None
    without: Collection[str] = ()


@dataclass(frozen=True)
class Found:
    """A page of events, the newest first. `older`: behind which id the next page begins; None: this is the last.

    `looked_until`: where looking ended before the page was full, as it was long enough; the next page goes on there.
    """

    events: list[AuditEvent]
    older: str | None = None
    looked_until: datetime | None = None


#: The attributes of a question that have an index, those first of which there are fewest events.
_LANES = ("account_id", "target_id", "actor_id", "address")
#: More kinds, or more directories, than these are no lanes but a condition.
_MOST_LANES = 60
#: How many events are looked at for a page, first and then.
_STEPS = (500, MOST_LOOKED_AT)


def find(question: Question, *, before: str | None = None, limit: int = 25) -> Found:
    """Return a page of the events that are asked for.

    :param before: the id that the page before ended with.
    """
    search = _Search(question)
    bounds = [*search.bounds, *([AuditEvent.id < before] if before else [])]
    floor = None
    for most in _STEPS:
        floor = search.floor(bounds, most)
        ids = search.ids(bounds, floor, limit + 1)
        if floor is None or len(ids) > limit:
            break
    page = sorted(ids, reverse=True)[:limit]
    rows = session.scalars(sa.select(AuditEvent).where(AuditEvent.id.in_(page)).order_by(AuditEvent.id.desc()))
    if len(ids) > limit:
        return Found(list(rows), page[-1])
    return Found(list(rows), floor, made_at(floor) if floor else None)


def count(question: Question) -> tuple[int, bool]:
    """Return how many events are asked for, and whether there may be more: some are counted, and no more."""
    search = _Search(question)
    floor = search.floor(search.bounds, MOST_LOOKED_AT)
    found = search.count(search.bounds, floor, MOST_COUNTED + 1)
    return min(found, MOST_COUNTED), floor is not None or found > MOST_COUNTED


def kinds() -> list[str]:
    """Return the kinds of events there are, each once, found by leaps over the index."""
    event = orm.aliased(AuditEvent)
    leaps = sa.select(sa.func.min(AuditEvent.kind).label("kind")).cte("leaps", recursive=True)
    next_kind = sa.select(sa.func.min(event.kind)).where(event.kind > leaps.c.kind).scalar_subquery()
    leaps = leaps.union_all(sa.select(next_kind).where(leaps.c.kind.is_not(None)))
    found = session.scalars(sa.select(leaps.c.kind).limit(_MOST_KINDS)).all()
    return [kind for kind in found if kind is not None]


class _Search:
    """What leads (`lanes`, of which each event is in one), what is looked at beside it, and between which ids."""

    def __init__(self, question: Question) -> None:
        asked = {name: getattr(question, name) for name in (*_LANES, "interface", "application_id", "directory_id")}
        conditions = {name: value for name, value in asked.items() if value is not None}
        self.lanes: list[sa.ColumnElement[bool]] = [sa.true()]
        wanted = _kinds(question)
        leading = next((name for name in (*_LANES, "directory_id") if name in conditions), None)
        if leading is not None and (leading in _LANES or wanted is None):
            self.lanes = [getattr(AuditEvent, leading) == conditions.pop(leading)]
        elif wanted is not None and len(wanted) <= _MOST_LANES:
            self.lanes, wanted = [AuditEvent.kind == kind for kind in wanted], None
        elif question.directory_ids is not None and len(question.directory_ids) <= _MOST_LANES:
            self.lanes = [AuditEvent.directory_id == id_ for id_ in question.directory_ids]
            question = replace(question, directory_ids=None)
        self._rest = [unindexed(getattr(AuditEvent, name)) == value for name, value in conditions.items()]
        if wanted is not None:
            self._rest.append(unindexed(AuditEvent.kind).in_(wanted))
        if question.directory_ids is not None:
            self._rest.append(unindexed(AuditEvent.directory_id).in_(question.directory_ids))
        if question.without:
            self._rest.append(unindexed(AuditEvent.directory_id).not_in(question.without))
        self.bounds = []
        if question.since is not None:
            self.bounds.append(AuditEvent.id >= first_id(question.since))
        if question.until is not None:
            self.bounds.append(AuditEvent.id < first_id(question.until))

    def floor(self, bounds: list[sa.ColumnElement[bool]], most: int) -> str | None:
        """Return the id down to which no more events than that are looked at; None: all can be."""
        if not self._rest or not self.lanes:
            return None
        share = max(1, most // len(self.lanes))
        last = [
            sa.select(AuditEvent.id).where(lane, *bounds).order_by(AuditEvent.id.desc()).offset(share - 1).limit(1)
            for lane in self.lanes
        ]
        return max(_all_of(last), default=None)

    def ids(self, bounds: list[sa.ColumnElement[bool]], floor: str | None, limit: int) -> list[str]:
        """Return the ids of the last events, so many of each lane."""
        return _all_of(self._last(bounds, floor, limit))

    def count(self, bounds: list[sa.ColumnElement[bool]], floor: str | None, most: int) -> int:
        """Return how many events there are, so many of each lane at most."""
        each = self._last(bounds, floor, most)
        return session.scalar(sa.select(sa.func.count()).select_from(_together(each).subquery())) or 0 if each else 0

    def _last(self, bounds: list[sa.ColumnElement[bool]], floor: str | None, limit: int) -> list[sa.Select[Any]]:
        where = [*self._rest, *bounds, *([AuditEvent.id >= floor] if floor else [])]
        return [
            sa.select(AuditEvent.id).where(lane, *where).order_by(AuditEvent.id.desc()).limit(limit)
            for lane in self.lanes
        ]


def _all_of(statements: list[sa.Select[Any]]) -> list[str]:
    return list(session.scalars(_together(statements))) if statements else []


def _together(statements: list[sa.Select[Any]]) -> sa.CompoundSelect[Any]:
    # An ORDER BY of each one's own needs a statement around it.
    return sa.union_all(*(sa.select(statement.subquery().c.id) for statement in statements))


def _kinds(question: Question) -> list[str] | None:
    """Return the kinds that are asked for; None: all."""
    asked = [patterns for patterns in (question.kinds, question.result) if patterns]
    if not asked:
        return None
    if asked == [question.kinds] and not any("*" in pattern for pattern in question.kinds):
        return sorted({*question.kinds, *(OF_THE_APP + kind for kind in question.kinds)})
    return [kind for kind in kinds() if all(_fits(kind, patterns) for patterns in asked)]


def _fits(kind: str, patterns: Iterable[str]) -> bool:
    """Tell whether a kind is like one of the patterns; the app's own may be asked for as the app calls them."""
    names = {kind, kind.removeprefix(OF_THE_APP)}
    return any(re.fullmatch(_regex(pattern), name) for pattern in patterns for name in names)


def _regex(pattern: str) -> str:
    return "[^\n]*".join(map(re.escape, re.split(r"\*+", pattern)))


# --- Names ---


def names_for(events: Iterable[AuditEvent]) -> dict[str, str]:
    """Return what the accounts, directories and applications of a page of events are called now, by their ids."""
    found: dict[str, str] = {}
    events = list(events)
    for model, name, ids in (
        (Account, Account.email, {id_ for each in events for id_ in (each.account_id, each.actor_id)}),
        (Directory, Directory.name, {each.directory_id for each in events}),
        (Application, Application.name, {each.application_id for each in events}),
    ):
        if wanted := ids - {None}:
            rows = session.execute(sa.select(model.id, name).where(model.id.in_(wanted)))
            found.update((row[0], row[1]) for row in rows)
    return found
