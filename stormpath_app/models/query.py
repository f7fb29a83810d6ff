"""The grammar of searches: texts with wildcards, ranges, times in any precision, and the clauses of an order.

It knows no database: `searchable.py` makes conditions of what is read here.
"""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from ..errors import InvalidOrder, InvalidQueryValue, RangeReversed

_RANGE = re.compile(r"\s*(?P<opens>[\[(])(?P<low>[^,\[\]()]*)(?P<comma>,(?P<high>[^,\[\]()]*))?(?P<closes>[\])])\s*")
_STAMP = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)"
    r"(T(?P<hour>\d\d)(:(?P<minute>\d\d)(:(?P<second>\d\d)(\.(?P<fraction>\d{1,6}))?)?)?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_LONGEST_PART = {"hour": timedelta(hours=1), "minute": timedelta(minutes=1), "second": timedelta(seconds=1)}


def snake(name: str) -> str:
    """Return the name of an attribute as Python has it: `givenName` is `given_name`. Keys of custom data stay."""
    first, dot, rest = name.partition(".")
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", first).lower() + dot + rest


# --- Texts ---


class Pattern(NamedTuple):
    """A text to look for. `before`, `behind`: whether anything may stand there."""

    text: str
    before: bool = False
    behind: bool = False


def pattern(value: str) -> Pattern:
    """Read `v`, `v*`, `*v` or `*v*`. A star anywhere else is a letter like any other."""
    if value == "*":
        return Pattern("", before=True, behind=True)
    before, behind = value.startswith("*"), value.endswith("*")
    return Pattern(value[before : len(value) - behind], before, behind)


# --- Ranges ---


class Range(NamedTuple):
    """A range as it was written: what is "" is open. `with_low`, `with_high`: whether the ends belong to it."""

    low: str
    high: str
    with_low: bool
    with_high: bool


class Numbers(NamedTuple):
    """A range of numbers; None: open."""

    low: Decimal | None
    high: Decimal | None
    with_low: bool
    with_high: bool


class Times(NamedTuple):
    """A range of moments, from `low` and before `high`; None: open."""

    low: datetime | None
    high: datetime | None


def written_range(value: object) -> Range | None:
    """Read `[from,to]`, `(from,to)`, a mixture, or `[one]`; None where it is no range at all."""
    found = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    low, with_low, with_high = found["low"].strip(), found["opens"] == "[", found["closes"] == "]"
    if found["comma"] is None:  # a single one is the range from itself to itself
        return Range(low, low, with_low, with_high) if low and with_low and with_high else None
    return Range(low, found["high"].strip(), with_low, with_high)


def numbers(thing: str, name: str, value: object) -> Numbers:
    """Read a number, or a range of them.

    :raises InvalidQueryValue, RangeReversed: it is none, or ends before it starts.
    """
    found = written_range(value)
    if found is None:
        one = _number(thing, name, value)
        return Numbers(one, one, with_low=True, with_high=True)
    low, high = (_number(thing, name, end) if end else None for end in found[:2])
    if low is not None and high is not None and high < low:
        raise RangeReversed(thing, name)
    return Numbers(low, high, found.with_low, found.with_high)


def _number(thing: str, name: str, value: object) -> Decimal:
    try:
        written = str(value)
        number = Decimal(written) if len(written) < 64 and written.isascii() and "_" not in written else Decimal("nan")
    except (InvalidOperation, ValueError) as error:  # a whole number that Python does not write
        raise InvalidQueryValue(thing, name) from error
    if not number.is_finite() or number.adjusted() > 308:  # what no database counts to
        raise InvalidQueryValue(thing, name)
    return number


def times(thing: str, name: str, value: object) -> Times:
    """Read a moment or a range of moments: a stamp in any precision stands for the whole of its period.

    Also a `date`, a `datetime`, or a pair of these (or of stamps): from the first, before the second; None is open.
    What names no time zone is UTC.

    :raises InvalidQueryValue, RangeReversed: it is none, or ends before it starts.
    """
    if isinstance(value, tuple) and len(value) == 2:
        return _between(thing, name, *value, with_low=True, with_high=False)
    found = written_range(value)
    if found is None:
        return Times(*_period(thing, name, value))
    return _between(thing, name, found.low or None, found.high or None, with_low=found[2], with_high=found[3])


def _between(thing: str, name: str, low: Any, high: Any, *, with_low: bool, with_high: bool) -> Times:
    first = None if low is None else _period(thing, name, low)
    last = None if high is None else _period(thing, name, high)
    if first and last and last[0] < first[0]:
        raise RangeReversed(thing, name)
    # A period begins with itself and ends before the next: an end that does not belong to it is left out as a whole.
    return Times(first and first[0 if with_low else 1], last and last[1 if with_high else 0])


def _period(thing: str, name: str, value: Any) -> tuple[datetime, datetime]:
    """Return when a stamp's period begins, and when the next does."""
    try:
        if isinstance(value, datetime):
            moment = value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
            return moment, moment + timedelta(microseconds=1)
        if isinstance(value, date):
            value = value.isoformat()
        return _stamped(_STAMP.fullmatch(value.strip()))
    except (ValueError, OverflowError, AttributeError, TypeError) as error:
        raise InvalidQueryValue(thing, name) from error


def _stamped(found: re.Match[str] | None) -> tuple[datetime, datetime]:
    if found is None:
        raise ValueError
    given = [part for part in _PARTS if found[part]]
    year, month, day = (int(found[part] or 1) for part in _PARTS[:3])
    hour, minute, second = (int(found[part] or 0) for part in _PARTS[3:])
    begins = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - its zone comes below
    if found["fraction"]:
        begins += timedelta(microseconds=int(found["fraction"].ljust(6, "0")))
        ends = begins + timedelta(microseconds=10 ** (6 - len(found["fraction"])))
    else:
        ends = _next(begins, given[-1])
    zone = datetime.strptime(found["zone"] or "Z", "%z").tzinfo
    return begins.replace(tzinfo=zone).astimezone(UTC), ends.replace(tzinfo=zone).astimezone(UTC)


def _next(moment: datetime, part: str) -> datetime:
    """Return when the next year, month, day, hour, minute or second begins."""
    if part == "year":
        return moment.replace(year=moment.year + 1)
    if part == "month":
        return (moment + timedelta(days=31)).replace(day=1)
    return moment + _LONGEST_PART.get(part, timedelta(days=1))


# --- Orders ---


#: A database sorts by no more than so many hundreds, and each costs.
_MOST_ORDERS = 20


class Order(NamedTuple):
    """A clause of an order: the name of an attribute in snake_case, and the direction."""

    name: str
    descending: bool = False


def orders(thing: str, *clauses: str) -> tuple[Order, ...]:
    """Read clauses such as "surname", "surname desc" or "surname, givenName desc".

    :raises InvalidOrder: one of them is none.
    """
    parts = [part for clause in clauses for part in str(clause).split(",")]
    if len(parts) > _MOST_ORDERS:
        raise InvalidOrder(thing, parts[_MOST_ORDERS].strip())
    return tuple(_order(thing, part) for part in parts)


def _order(thing: str, clause: str) -> Order:
    name, *direction = clause.split() or [""]
    if not name or len(direction) > 1 or "".join(direction).lower() not in {"", "asc", "desc"}:
        raise InvalidOrder(thing, clause.strip())
    return Order(snake(name), "".join(direction).lower() == "desc")
