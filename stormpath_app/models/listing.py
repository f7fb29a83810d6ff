"""Listing: the statements that find, count and page through the resources of a collection."""

import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from ..database import session
from . import search_text
from .base import Resource
from .query import Order
from .searchable import Criterion

#: A search in texts that is sorted by something sorts the first so many that it finds.
CANDIDATES = 1000
# Fewer than these are read one by one, rather than looked for among all that an index of texts finds.
_FEW = 2000

R = TypeVar("R", bound=Resource)


class Search(NamedTuple):
    """What is looked for. `terms`: what search texts must have in them."""

    criteria: tuple[Criterion, ...] = ()
    terms: tuple[str, ...] = ()
    orders: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0

    @property
    def has_window(self) -> bool:
        """Whether it is for a part of what it finds."""
        return self.limit is not None or self.offset > 0


class Key(NamedTuple):
    """What a listing is sorted by."""

    column: Any
    descending: bool = False


class Row(NamedTuple):
    """A resource, and its place in the listing."""

    resource: Any
    place: tuple[Any, ...]


class Listing(Generic[R]):
    """The resources of one kind that meet conditions and a search, in an order in which no two have one place."""

    def __init__(self, model: type[R], conditions: Sequence[sa.ColumnElement[bool]], search: Search) -> None:
        self._model: Any = model
        self._conditions = conditions
        self._search = search
        self._terms = (*search.terms, *(each.term for each in search.criteria if each.term is not None))

    # --- Reading ---

    def rows(
        self, count: int | None, *, offset: int = 0, after: tuple[Any, ...] | None = None, backwards: bool = False
    ) -> list[Row]:
        """Return resources from a place on, in one statement.

        :param count: so many at most; None: all.
        :param after: the place of the row before; None: from the first on.
        :param backwards: from the last on, towards the first.
        """
        keys = [Key(key.column, key.descending != backwards) for key in self._keys]
        statement = self._sorted(keys, self._rows, *(key.column for key in keys))
        if after is not None:
            statement = statement.where(_behind(keys, after))
        rows = session.execute(_window(statement, count, offset))
        return [Row(resource, tuple(place)) for resource, *place in rows]

    def ids(self, at_most: int) -> sa.Select[Any]:
        """Return a statement for the ids of so many of them, whichever come first."""
        return _window(self._found(self._rows.id), at_most, 0)

    def place(self, resource_id: str) -> tuple[Any, ...] | None:
        """Return the place of the resource with this id, in one statement; None: it is not among them."""
        columns = [key.column for key in self._keys]
        found = session.execute(self._found(*columns).where(self._rows.id == resource_id)).first()
        return None if found is None else tuple(found)

    def total(self, at_most: int | None = None) -> int:
        """Count them, in one statement; no further than `at_most`."""
        limit = min((each for each in (self._search.limit, at_most) if each is not None), default=None)
        if limit is None and not self._search.offset and not self._is_capped:
            return session.scalar(self._found(sa.func.count())) or 0
        some = _window(self._found(self._rows.id), limit, self._search.offset)
        return session.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0

    def has(self, resource_id: str) -> bool:
        """Tell whether the resource with this id is among them."""
        row_id, search = self._rows.id, self._search
        if search.has_window:
            ids = _window(self._sorted(self._keys, row_id), search.limit, search.offset).subquery()
            statement = sa.select(ids.c.id).where(ids.c.id == resource_id)
        else:  # one row is looked at, and where it can be, no index of texts
            statement = (self._found if self._is_capped else self._each)(row_id).where(row_id == resource_id)
        return session.scalar(statement) is not None

    # --- What is found ---

    @property
    def _is_capped(self) -> bool:
        return bool(self._terms and self._search.orders)

    @cached_property
    def _rows(self) -> Any:
        """The model; where a search in texts is sorted: the first that it finds, as if the table had no others."""
        if not self._is_capped:
            return self._model
        unsorted = search_text.NUMBER if self._asks_index else self._model.id
        first = self._texts(*self._model.__table__.c).order_by(unsorted).limit(CANDIDATES)
        return aliased(self._model, first.subquery())

    @cached_property
    def _keys(self) -> list[Key]:
        """Return what it is sorted by. A search for the beginning of a name comes in its order, which an index has."""
        rows, orders = self._rows, self._search.orders
        if not orders and self._terms:
            return [Key(search_text.NUMBER if self._asks_index else rows.id)]
        if not orders:
            key = next((each.key for each in self._search.criteria if each.key is not None), None)
            if key is not None:
                return [Key(key), Key(rows.id)]
            orders = self._model.natural_order
        kinds = [(self._model.searchable[each.name.partition(".")[0]], each) for each in orders]
        keys = [Key(column, each.descending) for kind, each in kinds for column in kind.keys(rows, each.name)]
        return [*keys, Key(rows.id, orders[-1].descending if orders else False)]

    def _sorted(self, keys: list[Key], *what: Any) -> sa.Select[Any]:
        return self._found(*what).order_by(*(key.column.desc() if key.descending else key.column for key in keys))

    def _found(self, *what: Any) -> sa.Select[Any]:
        return sa.select(*what).select_from(self._rows) if self._is_capped else self._texts(*what)

    def _texts(self, *what: Any) -> sa.Select[Any]:
        return self._indexed(*what) if self._asks_index else self._each(*what)

    def _each(self, *what: Any) -> sa.Select[Any]:
        """Return a statement that looks at the texts themselves; PostgreSQL has an index of its own for that."""
        if self._is_in_trigrams:
            texts = search_text.trigrams(self._model, self._terms)
        else:
            texts = search_text.contains(self._model, self._search.terms)
        return sa.select(*what).select_from(self._model).where(*self._filters, *texts)

    def _indexed(self, *what: Any) -> sa.Select[Any]:
        return search_text.found_in_index(self._model, self._index_terms, sa.select(*what)).where(*self._filters)

    @property
    def _filters(self) -> list[sa.ColumnElement[bool]]:
        filters = [*self._conditions, *(each.condition for each in self._search.criteria)]
        if not self._conditions and any(each.indexed for each in self._search.criteria):
            # The indexes are of one directory after the other: so each is named.
            filters += search_text.in_all_directories(self._model)
        return filters

    # --- Which way is quicker ---

    @property
    def _is_in_trigrams(self) -> bool:
        on_postgresql = session.connection().dialect.name == "postgresql"
        return on_postgresql and self._model.__tablename__ == search_text.INDEXED

    @property
    def _index_terms(self) -> tuple[str, ...]:
        return tuple(term for term in self._terms if search_text.is_long_enough(term))

    @cached_property
    def _asks_index(self) -> bool:
        """Whether SQLite's index of texts is asked; in a collection of few, it may find too many of all the others."""
        return bool(self._index_terms) and search_text.has_index(self._model) and not self._are_few

    @property
    def _are_few(self) -> bool:
        conditions = [*self._conditions, *(each.condition for each in self._search.criteria if each.indexed)]
        if not conditions:
            return False
        some = sa.select(self._model.id).where(*conditions).limit(_FEW + 1)
        return (session.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0) <= _FEW


def _window(statement: sa.Select[Any], limit: int | None, offset: int) -> sa.Select[Any]:
    """Limit a statement, by numbers that a database can count to."""
    statement = statement if limit is None else statement.limit(min(limit, sys.maxsize))
    return statement.offset(min(offset, sys.maxsize)) if offset else statement


def _behind(keys: list[Key], place: tuple[Any, ...]) -> sa.ColumnElement[bool]:
    """Return the condition for what comes behind a place.

    The bound of the first key is said for itself: an index needs it, and makes nothing of an alternative.
    """
    ways: list[sa.ColumnElement[bool]] = []
    same: list[sa.ColumnElement[bool]] = []
    for (column, descending), value in zip(keys, place, strict=True):
        if value is not None:  # nothing is less than NULL, or greater
            ways.append(sa.and_(*same, column < value if descending else column > value))
        same.append(column == value)
    if len(keys) == 1:
        return ways[0]
    column, descending = keys[0]
    return sa.and_(column <= place[0] if descending else column >= place[0], sa.or_(*ways))
