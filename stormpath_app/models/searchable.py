"""Searchable: how each kind of attribute is searched and sorted by. A model's `searchable` has one for each name."""

import re
import sys
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, ClassVar, NamedTuple

import sqlalchemy as sa

from .. import names
from ..errors import InvalidQueryValue, UnsupportedQueryValue
from .query import Pattern, numbers, pattern, times


class Criterion(NamedTuple):
    """What an attribute must be like.

    `term`: what the search text then has in it, so that the index of texts can be asked; `indexed`: whether an index
    of the column itself answers; `key`: what those found are sorted by, where nobody asks for another order.
    """

    condition: sa.ColumnElement[bool]
    term: str | None = None
    indexed: bool = False
    key: Any = None


NOTHING = Criterion(sa.false(), indexed=True)


class Searchable:
    """A kind of attribute."""

    #: Whether it is asked for by the names of its parts, with a dot, as custom data is, and not by its own.
    has_parts: ClassVar[bool] = False

    def criterion(self, model: Any, name: str, value: Any) -> Criterion:
        """Return what the attribute must be like.

        :raises InvalidQueryValue, UnsupportedQueryValue, RangeReversed: nothing could be like it.
        """
        raise NotImplementedError

    def keys(self, model: Any, name: str) -> tuple[Any, ...]:
        """Return what is sorted by. Each database has another place for NULL: so one that may be is said before."""
        return (getattr(model, name),)


class Words(Searchable):
    """A text: whatever its case, whole unless there are wildcards. Accents count.

    :param key: the column with the key of the text, as `names.key` makes it; "" where there is none.
    :param indexed: whether the column has an index.
    """

    def __init__(self, key: str, *, indexed: bool = False) -> None:
        self._key = key
        self._indexed = indexed

    def criterion(self, model: Any, name: str, value: Any) -> Criterion:
        """Compare keys: a whole one and a beginning by the index of the column, others by that of the search text."""
        wanted = read_words(model, name, value)
        if wanted is None:
            return NOTHING
        column, (text, before, behind) = getattr(model, self._key), wanted
        if not text:
            return Criterion(column != "")
        if before:
            end = "" if behind else names.FIELD
            return Criterion(like(column, ANY, text, ANY if behind else ""), names.unmarked(text) + end)
        term = None if self._indexed else names.FIELD + names.unmarked(text)
        if behind:
            return Criterion(starts_with(column, text), term, self._indexed, column if self._indexed else None)
        return Criterion(column == text, term, self._indexed)

    def keys(self, model: Any, _name: str) -> tuple[Any, ...]:
        """Return the column of the key."""
        return (getattr(model, self._key),)


class Description(Searchable):
    """A long text, the first field of the search text: whatever its case and accents."""

    def criterion(self, model: Any, name: str, value: Any) -> Criterion:
        """Look into the field alone."""
        wanted = read_words(model, name, value, lambda text: names.part(text).strip())
        if wanted is None:
            return NOTHING
        text, before, behind = wanted
        parts = (ANY if before else "", names.unmarked(text), ANY if behind else "")
        # Behind the description, the name stands between the two marks.
        in_it = like(model.search_text, names.FIELD, *parts, names.FIELD, ANY, names.FIELD)
        return Criterion(sa.and_(model.description.is_not(None), in_it))

    def keys(self, model: Any, _name: str) -> tuple[Any, ...]:
        """Return the search text, which begins with the description."""
        return (sa.func.coalesce(model.search_text, ""),)


class Status(Searchable):
    """One word of a few, whatever its case."""

    def __init__(self, *allowed: str) -> None:
        self._allowed = allowed

    def criterion(self, model: Any, name: str, value: Any) -> Criterion:
        """Compare the whole word."""
        if not isinstance(value, str) or value.upper() not in self._allowed:
            raise UnsupportedQueryValue(model.thing, name, allowed=", ".join(self._allowed))
        return Criterion(getattr(model, name) == value.upper())


class Moment(Searchable):
    """A time, in any precision, or a range of times.

    :param indexed: whether the column has an index.
    """

    def __init__(self, *, indexed: bool = False) -> None:
        self._indexed = indexed

    def criterion(self, model: Any, name: str, value: Any) -> Criterion:
        """Compare with the beginning of the range, and with its end, which does not belong to it."""
        low, high = times(model.thing, name, value)
        column = getattr(model, name)
        ends = [column.is_not(None)]
        ends += [column >= low] if low else []
        ends += [column < high] if high else []
        return Criterion(sa.and_(*ends), indexed=self._indexed, key=column if self._indexed else None)

    def keys(self, model: Any, name: str) -> tuple[Any, ...]:
        """Return the time; what never was comes first."""
        column = getattr(model, name)
        return (sa.case((column.is_(None), 0), else_=1), column) if column.nullable else (column,)


class Number(Searchable):
    """A number, or a range of numbers."""

    def criterion(self, model: Any, name: str, value: Any) -> Criterion:
        """Compare with both ends."""
        low, high, with_low, with_high = numbers(model.thing, name, value)
        column, ends = getattr(model, name), []
        if low is not None:
            ends.append(column >= _whole(low, ROUND_CEILING) if with_low else column > _whole(low, ROUND_FLOOR))
        if high is not None:
            ends.append(column <= _whole(high, ROUND_FLOOR) if with_high else column < _whole(high, ROUND_CEILING))
        return Criterion(sa.and_(sa.true(), *ends))


def read_words(model: Any, name: str, value: Any, whole: Callable[[str], str] = names.key) -> Pattern | None:
    """Return the pattern of a key that is meant; None where no key could be so.

    :param whole: returns the key of a whole text.
    :raises InvalidQueryValue: it is no text, or says nothing.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidQueryValue(model.thing, name)
    text, before, behind = pattern(value.strip())
    if not names.can_be_sought(text):
        return None
    if not before and not behind:
        text = whole(text)
        return Pattern(text) if text else None
    key = names.part(text)
    # At an end that is one of the name's too there is no blank.
    key = key if before else key.lstrip()
    key = key if behind else key.rstrip()
    return Pattern(key, before, behind) if key or not text else None


#: Stands for any text, in `like`; what is a text there has no wildcards.
ANY = None


def like(column: Any, *parts: str | None) -> sa.ColumnElement[bool]:
    """Return the condition that a column is made of these parts, one after the other."""
    escaped = ("%" if part is ANY else _WILDCARDS.sub(r"/\g<0>", part) for part in parts)
    matches: sa.ColumnElement[bool] = column.like("".join(escaped), escape="/")
    return matches


def starts_with(column: Any, text: str) -> sa.ColumnElement[bool]:
    """Return the condition that a column begins so, in a form that every database has an index for."""
    end = _following(text)
    return sa.and_(column >= text, column < end) if end else column >= text


def _following(text: str) -> str:
    """Return the least text that is greater than all that begin so; "" where there is none."""
    text = text.rstrip(chr(sys.maxunicode))
    if not text:
        return ""
    last = ord(text[-1]) + 1
    return text[:-1] + chr(0xE000 if last == 0xD800 else last)  # past the halves of pairs, which are no letters


def _whole(number: Decimal, rounding: str) -> int:
    """Return the nearest whole number on one side, no greater than what a column holds."""
    return int(min(max(number, -_MOST), _MOST).to_integral_value(rounding))


_WILDCARDS = re.compile("[%_/]")
_MOST = Decimal(2**31 - 1)
