"""Charts, drawn on the server as SVG: no script, no style inside, and each with its numbers in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, log10

from markupsafe import Markup, escape

from ..translation import gettext as _, ngettext

_HEIGHT, _STEPS, _STEP = 200, 4, 10
#: So many places below the chart are named.
_NAMED = 5


@dataclass(frozen=True)
class Row:
    """What happened in one hour or day. `name`: of the time, as "21 Oct"."""

    name: str
    logins: int
    failures: int
    logins_before: int


def lines(rows: Sequence[Row], label: str) -> Markup:
    """Draw logins as a line over its area, those of the period before dashed, and failures.

    The outer drawing places what is text, at per cent; the inner one stretches.
    """
    top = _top(max((max(row.logins, row.failures, row.logins_before) for row in rows), default=0))
    wide = _STEP * max(len(rows) - 1, 1)

    def path(values: Sequence[int]) -> str:
        return "L".join(f"{_STEP * at} {_HEIGHT - _HEIGHT * value / top:.1f}" for at, value in enumerate(values))

    logins = path([row.logins for row in rows])
    marks = [
        f'<text class="y" x="-12" y="{4 + _HEIGHT * at // _STEPS}">{top * (_STEPS - at) // _STEPS:,}</text>'
        for at in range(_STEPS + 1)
    ]
    marks += [
        f'<text x="{100 * _STEP * at / wide:.2f}%" y="222">{escape(rows[at].name)}</text>' for at in _named(len(rows))
    ]
    grid = "".join(f"M0 {_HEIGHT * at // _STEPS}H{wide}" for at in range(_STEPS + 1))
    parts = [
        f'<path class="grid" d="{grid}"/>',
        f'<path class="area" d="M{logins}V{_HEIGHT}H0Z"/>',
        f'<path class="past" d="M{path([row.logins_before for row in rows])}"/>',
        f'<path class="fail" d="M{path([row.failures for row in rows])}"/>',
        f'<path d="M{logins}"/>',
    ]
    for at, row in enumerate(rows):
        begin, end = max(0, _STEP * at - _STEP // 2), min(wide, _STEP * at + _STEP // 2)
        title = escape(f"{row.name}: {_said(row.logins, row.failures)}")
        parts.append(f'<rect x="{begin}" width="{end - begin}" height="{_HEIGHT}"><title>{title}</title></rect>')
    inner = f'<svg viewBox="0 0 {wide} {_HEIGHT}" width="100%" height="{_HEIGHT}" preserveAspectRatio="none">'
    whole = f'<svg class="sp-chart" role="img" aria-label="{escape(label)}">'
    return Markup(whole + "".join(marks) + inner + "".join(parts) + "</svg></svg>")  # noqa: S704 - all text in it is escaped


def _top(most: int) -> int:
    """Return where the scale ends: a number that is whole in steps, not far above the most there is."""
    if most <= _STEPS:
        return _STEPS
    unit: int = 10 ** int(log10(most))
    return next(top for times in (1, 2, 4, 6, 8, 12) if (top := times * unit) >= most and top % _STEPS == 0)


def _named(number: int) -> list[int]:
    """Return which of so many places are named: some, as far from each other as can be, the last among them."""
    if number <= _NAMED:
        return list(range(number))
    apart = (number - 1) / (_NAMED - 1)
    return [round(apart * at) for at in range(_NAMED)]


def _said(logins: int, failures: int) -> str:
    told = ngettext("%(count)s login", "%(count)s logins", logins)
    failed = _("%(count)s failed", count=failures)
    return f"{told}, {failed}"


def spark(logins: Sequence[int], failures: Sequence[int]) -> Markup:
    """Draw a bar for each day, the failures on top in their colour; a stump where nothing was."""
    most = max((sum(pair) for pair in zip(logins, failures, strict=True)), default=0) or 1
    paths = {"none": "", "good": "", "fail": ""}
    for at, (good, bad) in enumerate(zip(logins, failures, strict=True)):
        x = 1 + 3 * at
        high, higher = 24 - ceil(20 * good / most), 24 - ceil(20 * (good + bad) / most)
        if not good and not bad:
            paths["none"] += f"M{x} 24V22"
        if good:
            paths["good"] += f"M{x} 24V{high}"
        if bad:
            paths["fail"] += f"M{x} {high}V{higher}"
    label = _("%(told)s in %(days)s days", told=_said(sum(logins), sum(failures)), days=len(logins))
    drawn = "".join(f'<path class="{name}" d="{path}"/>' for name, path in paths.items() if path)
    begin = f'<svg class="sp-spark" viewBox="0 0 {3 * len(logins)} 24" role="img" aria-label="{escape(label)}">'
    return Markup(begin + drawn + "</svg>")  # noqa: S704 - all text in it is escaped


def heat(days: Sequence[int], today: date) -> Markup:
    """Draw a square for each day, a column for each week, stronger where there were more logins; the last is today."""
    first = today - timedelta(days=len(days) - 1)
    begin, most = first.weekday(), max(days, default=0) or 1
    paths = dict.fromkeys(("l0", "l1", "l2", "l3", "l4"), "")
    for at, number in enumerate(days):
        week, day = divmod(begin + at, 7)
        strength = ceil(4 * number / most)
        paths[f"l{strength}"] += f"M{11 * week} {4.5 + 11 * day}h9"
    weeks = (begin + len(days) + 6) // 7
    label = _("Days with logins: %(some)s of the last %(all)s", some=sum(map(bool, days)), all=len(days))
    drawn = "".join(f'<path class="{name}" d="{path}"/>' for name, path in paths.items() if path)
    whole = f'<svg viewBox="0 0 {11 * weeks - 2} 75" role="img" aria-label="{escape(label)}">'
    return Markup(f'<div class="sp-heat">{whole}{drawn}</svg></div>')  # noqa: S704 - all text in it is escaped
