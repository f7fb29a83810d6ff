"""The table that accounts are found by their custom data in: a row for each text, number or moment in it.

It is written with the custom data, in the same transaction. What is stored encrypted is not in it.
"""

import re
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import sqlalchemy as sa

from .. import encryption, names
from ..database import UTCDateTime, exact_text, metadata
from ..errors import InvalidQueryValue, PropertyError, UnsupportedOrder
from . import query
from .base import Id
from .custom_data_rows import upsert
from .custom_data_text import check_key, is_unicode
from .searchable import ANY, NOTHING, Criterion, Searchable, like, starts_with

#: As many are found of one top-level key at most: those that come first.
MOST_LEAVES = 1000
#: Of a text, and of a path, so many characters count.
LONGEST = 255

leaves = sa.Table(
    "stormpath_custom_data_leaves",
    metadata,
    sa.Column("owner_id", Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", exact_text(LONGEST), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    # The key and those inside it, with dots between; what is in a list has the list's.
    sa.Column("path", exact_text(LONGEST), nullable=False),
    # A text without its case; of a number, what sorts it among the others.
    sa.Column("text_key", exact_text(LONGEST), nullable=False),
    sa.Column("number", sa.Double),
    sa.Column("moment", UTCDateTime),
    sa.Index(None, "path", "text_key"),
    sa.Index(None, "path", "number"),
    sa.Index(None, "path", "moment"),
)

_FORGET = sa.delete(leaves).where(
    leaves.c.owner_id == sa.bindparam("whose"),
    leaves.c.key == sa.bindparam("which"),
    leaves.c.position >= sa.bindparam("beyond"),
)
#: What begins the text of a number.
_NUMBER = "!"
_SIGN, _ALL = 1 << 63, (1 << 64) - 1
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?")


def write(
    connection: sa.Connection, owner_id: str, values: Mapping[str, Any], removed: Iterable[str], *, is_first: bool
) -> None:
    """Let an account be found by these values of its top-level keys, and no more by what they and others had before.

    :param is_first: nothing was there before.
    """
    is_found = not encryption.is_on()
    found = {key: list(rows(key, value)) if is_found else [] for key, value in sorted(values.items())}
    written = [{"owner_id": owner_id, "key": key, **row} for key, several in found.items() for row in several]
    if written:
        connection.execute(upsert(leaves, connection.dialect.name), written)
    # After all are there: on MySQL a DELETE also locks the place behind, where others may be about to write.
    beyond = {**{key: len(several) for key, several in found.items()}, **dict.fromkeys(removed, 0)}
    if not is_first:
        left = [{"whose": owner_id, "which": key, "beyond": beyond[key]} for key in sorted(beyond)]
        connection.execute(_FORGET, left)


def rows(key: str, value: Any) -> Iterator[dict[str, Any]]:
    """Yield what a top-level key's value can be found by, as rows without their owner."""
    found = ((path, columns) for path, leaf in _leaves(key, value) if (columns := _columns(leaf)))
    for position, (path, columns) in enumerate(islice(found, MOST_LEAVES)):
        yield {"position": position, "path": path, **columns}


def fold(text: str) -> str:
    """Return what a text is compared by: without its case, and as far as it counts."""
    return names.part(text)[:LONGEST]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if len(path) > LONGEST:
        return
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _leaves(f"{path}.{key}", inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from _leaves(path, inside)
    else:
        yield path, value


def _columns(leaf: Any) -> dict[str, Any] | None:
    """Return how a leaf can be found; None where it cannot."""
    if isinstance(leaf, bool):
        return {"text_key": str(leaf).lower(), "number": None, "moment": None}
    if isinstance(leaf, str):
        return {"text_key": fold(leaf), "number": None, "moment": _moment(leaf)}
    try:
        return None if leaf is None else {"text_key": _sorted(leaf), "number": float(leaf), "moment": None}
    except OverflowError:  # a whole number that no database can compare
        return None


def _sorted(number: float) -> str:
    """Return a text that sorts as the number does, and before letters; behind a blank, which is nothing to MySQL."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", number + 0.0))
    return f"{_NUMBER}{bits ^ (_ALL if bits >> 63 else _SIGN):016x}"


def _moment(text: str) -> datetime | None:
    if not _MOMENT.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# --- Finding ---


class InCustomData(Searchable):
    """What is in an account's custom data, by its key and those inside it: `custom_data.address.city`.

    A text is looked for as in other attributes, whatever its case; a text that is a number also finds numbers. Others
    are found by ranges, of numbers or of times: `[0,100)`, `[2015,2016]`; or by a number, True, False, a date or a pair
    of dates themselves. In a list, one that is so is enough.
    """

    has_parts = True

    def criterion(self, model: Any, name: str, value: Any) -> Criterion:
        """Look for the ids of the accounts with such a leaf."""
        _key, path = _place(model.thing, name)
        found = _condition(model.thing, name, value)
        if found is None or not names.can_be_stored(path):
            return NOTHING
        owners = sa.select(leaves.c.owner_id).where(leaves.c.path == path, found)
        return Criterion(model.id.in_(owners), indexed=True)

    def keys(self, model: Any, name: str) -> tuple[Any, ...]:
        """Return the least value there: those who have none come first, then numbers, then texts."""
        key, path = _place(model.thing, name)
        if not names.can_be_stored(path):
            raise UnsupportedOrder(model.thing, name)
        mine = (leaves.c.owner_id == model.id) & (leaves.c.key == key) & (leaves.c.path == path)
        return (sa.func.coalesce(sa.select(sa.func.min(leaves.c.text_key)).where(mine).scalar_subquery(), ""),)


def _place(thing: str, name: str) -> tuple[str, str]:
    """Return the top-level key, and the whole path, of a name such as `custom_data.address.city`."""
    path = name.partition(".")[2]
    return check_key(thing, path.partition(".")[0]), path


def _condition(thing: str, name: str, value: Any) -> sa.ColumnElement[bool] | None:
    """Return what a leaf meets that has this value; None where no leaf can."""
    if isinstance(value, bool):
        return leaves.c.text_key == str(value).lower()
    if isinstance(value, int | float):
        return _numbers(query.numbers(thing, name, value))
    if isinstance(value, date | tuple):
        return _times(query.times(thing, name, value))
    if not isinstance(value, str):
        raise InvalidQueryValue(thing, name)
    if query.written_range(value):
        return _in_range(thing, name, value)
    if "\0" in value or not is_unicode(value):
        return None
    return _text(query.pattern(value)) | _same_number(thing, name, value)


def _in_range(thing: str, name: str, value: str) -> sa.ColumnElement[bool]:
    """Return what a number or a moment in a range meets: `[2015,2016]` is one of both."""
    try:
        number = _numbers(query.numbers(thing, name, value))
    except InvalidQueryValue:  # times, or nothing at all
        return _times(query.times(thing, name, value))
    try:
        return number | _times(query.times(thing, name, value))
    except PropertyError:  # numbers that are no years
        return number


def _same_number(thing: str, name: str, value: str) -> sa.ColumnElement[bool]:
    try:
        return _numbers(query.numbers(thing, name, value))
    except InvalidQueryValue:  # it is none
        return sa.false()


def _numbers(wanted: query.Numbers) -> sa.ColumnElement[bool]:
    number = leaves.c.number
    conditions: list[sa.ColumnElement[bool]] = [number.is_not(None)]
    if wanted.low is not None:
        low = _float(wanted.low)
        conditions.append(number >= low if wanted.with_low else number > low)
    if wanted.high is not None:
        high = _float(wanted.high)
        conditions.append(number <= high if wanted.with_high else number < high)
    return sa.and_(*conditions)


def _float(number: Decimal) -> float:
    """Return the nearest number that databases can compare."""
    return min(max(float(number), -sys.float_info.max), sys.float_info.max)


def _times(wanted: query.Times) -> sa.ColumnElement[bool]:
    conditions: list[sa.ColumnElement[bool]] = [leaves.c.moment.is_not(None)]
    if wanted.low is not None:
        conditions.append(leaves.c.moment >= wanted.low)
    if wanted.high is not None:
        conditions.append(leaves.c.moment < wanted.high)
    return sa.and_(*conditions)


def _text(wanted: query.Pattern) -> sa.ColumnElement[bool]:
    text, column = fold(wanted.text), leaves.c.text_key
    if not text and wanted.before:
        return sa.true()  # a star alone: whatever it is
    if wanted.before:
        found = like(column, ANY, text, ANY if wanted.behind else "")
    else:
        found = starts_with(column, text) if wanted.behind else column == text
    if not wanted.before and not text.startswith(_NUMBER):
        return found  # and not a word more: SQLite would rather look for all that are no number
    return found & leaves.c.number.is_(None)
