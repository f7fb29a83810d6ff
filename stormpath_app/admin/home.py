"""The first page of the console: how the site is, what needs somebody, and what happened last."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from .. import clock, throttle
from ..database import session
from ..models import (
    DISABLED,
    UNVERIFIED,
    Account,
    AccountStoreMapping,
    Application,
    Directory,
    Group,
    OutboxMessage,
    event_log,
    statistics,
)
from ..models.administration import OWNER, VIEWER
from ..models.administrator import INVITATION_LIFE
from ..models.event_log import Question
from ..models.message import QUEUED
from ..models.statistics import FAILURES, LOGINS, REGISTRATIONS, RESETS, Numbers
from ..translation import gettext as _, mark, ngettext
from . import charts, log, messages, pages, scope
from .base import ConsoleView
from .gate import needs
from .pages import count
from .session import administrator

#: The periods that can be chosen, in days.
PERIODS = {"1": mark("24 h"), "7": mark("7 d"), "30": mark("30 d"), "90": mark("90 d")}
_DEFAULT = "30"
#: So many recent events are shown, and things that need attention counted.
_RECENT, _MOST = 8, 1000
#: A mail that waits longer than this waits for nobody.
_PATIENCE = timedelta(minutes=15)


class Figure(NamedTuple):
    """One of the five numbers. `change`: in per cent against the period before, None: that cannot be told."""

    name: str
    value: str
    change: float | None
    tone: str


class Item(NamedTuple):
    """What needs somebody's attention, and where to look."""

    tone: str
    icon: str
    title: str
    text: str
    verb: str
    url: str | None


class HomeView(ConsoleView):
    """How the site is."""

    icon = "home"

    @expose("/")
    @needs(VIEWER)
    def index(self) -> ResponseReturnValue:
        """Show it."""
        chosen = request.args.get("days", "")
        chosen = chosen if chosen in PERIODS else _DEFAULT
        apart = scope.apart()
        limits = None if administrator.directory_ids is None else scope.ids()
        numbers = statistics.numbers(int(chosen), directory_ids=limits, without=apart)
        recent = event_log.find(log.in_scope(Question()), limit=_RECENT)
        rows = _rows(numbers, by_hour=chosen == "1")
        return self.render(
            "stormpath_admin/home.html",
            periods=[(_(label), url_for(".index", days=key), key == chosen) for key, label in PERIODS.items()],
            period=_(PERIODS[chosen]),
            by_hour=chosen == "1",
            figures=_figures(numbers),
            rows=rows,
            chart=charts.lines(rows, _chart_label(rows, by_hour=chosen == "1")),
            whole_since=numbers.whole_since,
            is_quiet=not any(numbers.total(kind) for kind in (LOGINS, FAILURES, REGISTRATIONS)),
            has_accounts=bool(scope.accounts().count(1)),
            items=list(_items(numbers)),
            lines=log.lines(recent.events),
        )


# --- Numbers ---


def _figures(numbers: Numbers) -> list[Figure]:
    def counted(name: str, kind: str, *, more_is: str = "") -> Figure:
        now, before = numbers.total(kind), numbers.total_before(kind)
        change = None if not before else 100 * (now - before) / before
        worse = more_is if change is not None and change >= 25 else ""
        return Figure(name, f"{now:,}", change, worse)

    active, before = numbers.active, numbers.active_before
    change = None if not active or not before else 100 * (active - before) / before
    return [
        Figure(_("Active accounts a day"), "–" if active is None else f"{active:,.0f}", change, ""),
        counted(_("New accounts"), REGISTRATIONS),
        counted(_("Logins"), LOGINS),
        counted(_("Failed logins"), FAILURES, more_is="bad"),
        counted(_("Password resets"), RESETS, more_is="warn"),
    ]


def _rows(numbers: Numbers, *, by_hour: bool) -> list[charts.Row]:
    return [
        charts.Row(
            f"{now.begins_at:%H:%M}" if by_hour else _day(now.begins_at),
            now.counts.get(LOGINS, 0),
            now.counts.get(FAILURES, 0),
            before.counts.get(LOGINS, 0),
        )
        for now, before in zip(numbers.points, numbers.before, strict=True)
    ]


_MONTHS = (
    *(mark("Jan"), mark("Feb"), mark("Mar"), mark("Apr"), mark("May"), mark("Jun")),
    *(mark("Jul"), mark("Aug"), mark("Sep"), mark("Oct"), mark("Nov"), mark("Dec")),
)


def _day(at: Any) -> str:
    """Return a day as short as a chart wants it: "21 Oct"."""
    return _("%(day)s %(month)s", day=at.day, month=_(_MONTHS[at.month - 1]))


def _chart_label(rows: list[charts.Row], *, by_hour: bool) -> str:
    logins = [row.logins for row in rows]
    said = (
        mark("Logins per hour, %(first)s to %(last)s: between %(least)s and %(most)s. The table below has every value.")
        if by_hour
        else mark(
            "Logins per day, %(first)s to %(last)s: between %(least)s and %(most)s. The table below has every value."
        )
    )
    least, most = f"{min(logins):,}", f"{max(logins):,}"
    return _(said, first=rows[0].name, last=rows[-1].name, least=least, most=most)


# --- What needs attention ---


def _items(numbers: Numbers) -> Iterator[Item]:
    """Yield what needs somebody, the worst first; each is asked for within bounds."""
    yield from _failures(numbers)
    yield from _closed_stores()
    if administrator.may(OWNER):
        yield from _warnings()
        yield from _invitations()
    yield from _mails()
    yield from _locked()


def _failures(numbers: Numbers) -> Iterator[Item]:
    now, before = numbers.total(FAILURES), numbers.total_before(FAILURES)
    if before is not None and now >= max(50, 3 * before):
        yield Item(
            "bad",
            "shield",
            ngettext("%(number)s login failed", "%(number)s logins failed", now, number=f"{now:,}"),
            _("There were %(before)s in the period before.", before=f"{before:,}"),
            _("Show"),
            url_for("stormpath_admin.log.index", kind="login.failed"),
        )


def _closed_stores() -> Iterator[Item]:
    """Yield the applications whose new accounts have no place to go."""
    closed = (
        sa.select(Application.id, Application.name)
        .join(AccountStoreMapping, AccountStoreMapping.application_id == Application.id)
        .join(Directory, Directory.id == AccountStoreMapping.directory_id)
        .outerjoin(Group, Group.id == AccountStoreMapping.group_id)
        .where(
            AccountStoreMapping.is_default_account_store.is_(True),
            sa.or_(Directory.status == DISABLED, Group.status == DISABLED),
            Directory.id.in_(scope.ids()),
        )
    )
    for application_id, name in session.execute(closed.limit(5)):
        yield Item(
            "bad",
            "apps",
            _("Nobody can register at %(application)s", application=name),
            _("Its default account store is disabled."),
            _("Open"),
            log.page_of("application", application_id),
        )


def _warnings() -> Iterator[Item]:
    found = [
        problem for problem in current_app.extensions["stormpath"].check() if problem.level in {"warning", "deploy"}
    ]
    if found:
        yield Item(
            "warn",
            "sliders",
            ngettext("Deploy check: %(count)s warning", "Deploy check: %(count)s warnings", len(found)),
            found[0].sentence,
            _("Open"),
            url_for("stormpath_admin.settings.index"),
        )


def _invitations() -> Iterator[Item]:
    """Yield how many administrators were invited so long ago that their link is dead."""
    late = sa.select(Account.id).where(
        Account.directory_id.in_(scope.apart()),
        Account.status == UNVERIFIED,
        Account.created_at < clock.now() - INVITATION_LIFE,
    )
    if number := pages.number(late, _MOST):
        yield Item(
            "",
            "users",
            ngettext("%(number)s invitation has run out", "%(number)s invitations have run out", number, number=number),
            _("Nobody took it up: send it again, or remove the administrator."),
            _("Show"),
            url_for("stormpath_admin.administrators.index"),
        )


def _mails() -> Iterator[Item]:
    if failed := messages.number("failed"):
        yield Item(
            "warn",
            "mail",
            ngettext("%(number)s mail failed", "%(number)s mails failed", failed, number=count(failed)),
            _("Each says why, and can be tried again."),
            _("Show"),
            url_for("stormpath_admin.messages.index_view", show="failed"),
        )
    if administrator.directory_ids is None:
        waiting = sa.select(OutboxMessage.id).where(
            OutboxMessage.status == QUEUED, OutboxMessage.due_at < clock.now() - _PATIENCE
        )
        if number := pages.number(waiting, _MOST):
            yield Item(
                "bad",
                "send",
                ngettext("%(number)s mail is not sent", "%(number)s mails are not sent", number, number=count(number)),
                _("Nobody sends the mails that wait: is a worker running?"),
                _("Show"),
                url_for("stormpath_admin.messages.index_view", show="waiting"),
            )


def _locked() -> Iterator[Item]:
    locked = scope.accounts().among(throttle.locked_accounts()).count(_MOST)
    if locked:
        yield Item(
            "warn",
            "lock",
            ngettext("%(number)s account is locked", "%(number)s accounts are locked", locked, number=count(locked)),
            _("By wrong passwords. Each lock ends by itself."),
            _("Show"),
            url_for("stormpath_admin.accounts.index_view", show="locked"),
        )
