"""Stormpath's collections: the resources of one kind that belong to something, and the search for some of them."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar, overload

import sqlalchemy as sa

from .. import names
from ..errors import InvalidQueryValue, ResourceNotFound, UnknownProperty, UnsupportedOrder
from . import search_text
from .base import Resource
from .listing import Listing, Search
from .query import orders, snake
from .searchable import NOTHING, Criterion, Searchable

_PAGE = 100
#: PostgreSQL thinks for seconds about a hundred comparisons with custom data, for minutes about some hundreds.
_MOST_CRITERIA = 20

R = TypeVar("R", bound=Resource)


class Page(NamedTuple, Generic[R]):
    """Some of a collection, one after the other, and whether there are others before and after them."""

    items: list[R]
    has_before: bool
    has_after: bool


class Collection(Generic[R]):
    """Resources that meet conditions. It is asked anew each time, and each verb that narrows it returns another one.

    Iterated in pages of one statement each, in the order they were created; counted by `len`, exactly.
    """

    def __init__(
        self, model: type[R], *conditions: sa.ColumnElement[bool], create: Callable[..., R] | None = None
    ) -> None:
        self._model = model
        self._conditions = conditions
        self._create = create
        self._search = Search()

    # --- One of them ---

    def create(self, properties: Mapping[str, Any] | None = None, **more: Any) -> R:
        """Create one from a dictionary, keywords, or both, and commit.

        :raises StormpathError: it cannot be created so; nothing is written.
        """
        if self._create is None:
            raise TypeError(f"{self._model.__name__} resources are created elsewhere.")
        return self._create(properties, **more)

    def get(self, href: str) -> R:
        """Return the one with this href or id.

        :raises ResourceNotFound: none of this collection has it.
        """
        found = self._model.get(href)
        if found not in self:
            raise ResourceNotFound(developer_message=f"This collection has no {self._model.thing} {href!r}.")
        return found

    def first(self, wanted: Mapping[str, Any]) -> R | None:
        """Return the first that `search` finds; None where it finds none, or is not told what to look for."""
        found = self.search(wanted)
        if not found._search.criteria and not found._search.terms:
            return None
        return next(iter(found.limit(1)), None)

    def __contains__(self, resource: object) -> bool:
        return isinstance(resource, self._model) and self._listing.has(resource.id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._model.__name__}>"  # nothing is read for it

    # --- Some of them ---

    def among(self, ids: sa.Select[Any]) -> "Collection[R]":
        """Return those whose id the statement selects; none can be created among them."""
        narrowed = self._with()
        narrowed._conditions, narrowed._create = (*self._conditions, self._model.id.in_(ids)), None
        return narrowed

    def head(self, number: int) -> "Collection[R]":
        """Return the first so many that are found, in no order: what is asked of them next costs no more than that."""
        found = sa.select(self._listing.ids(number).subquery().c.id)  # MySQL has no LIMIT in such a subquery itself
        return Collection(self._model, *self._conditions).among(found)

    def search(self, wanted: str | Mapping[str, Any]) -> "Collection[R]":
        """Return those that a text is in, or whose attributes are like the values of a dictionary, as with `query`.

        A text is looked for in all names, whatever its case and accents; one of one or two letters must begin a name.
        Sorted by `order`, the first 1000 found are.

        :raises UnknownProperty: there is no such attribute to search by.
        :raises InvalidQueryValue, UnsupportedQueryValue, RangeReversed: a value is none for its attribute.
        """
        if not isinstance(wanted, str | Mapping):
            raise InvalidQueryValue(self._model.thing, "q")
        return self._containing(wanted) if isinstance(wanted, str) else self.query(**wanted)

    def query(self, /, **attributes: Any) -> "Collection[R]":
        """Return those whose attributes are all like these: `surname="org*"`, `created_at="[2015-01,2016)"`.

        `q`, `limit`, `offset` and `order_by` are the verbs `search`, `limit`, `offset` and `order`. Names may be
        written as Stormpath's service had them (`givenName`).

        :raises UnknownProperty: there is no such attribute to search by.
        :raises InvalidQueryValue, UnsupportedQueryValue, RangeReversed: a value is none for its attribute.
        """
        found = self
        for name, value in attributes.items():
            verb = {"q": "search", "limit": "limit", "offset": "offset", "order_by": "order"}.get(snake(name))
            if not verb and len(found._search.criteria) == _MOST_CRITERIA:
                raise InvalidQueryValue(self._model.thing, name)
            found = getattr(found, verb)(value) if verb else found._meeting(self._criterion(snake(name), value))
        return found

    def order(self, *clauses: str) -> "Collection[R]":
        """Return them sorted: `order("surname desc")`, `order("surname", "given_name desc")`, or one text with commas.

        :raises InvalidOrder, UnsupportedOrder: a clause is not written so, or nothing is sorted by the attribute.
        """
        read = orders(self._model.thing, *clauses)
        for each in read:
            kind = self._kind(each.name)
            if kind is None:
                raise UnsupportedOrder(self._model.thing, each.name)
            kind.keys(self._model, each.name)  # what is wrong with the name is told here
        return self._with(orders=read)

    def limit(self, number: int) -> "Collection[R]":
        """Return the first so many, of whatever else is asked for."""
        return self._with(limit=self._whole("limit", number, 1))

    def offset(self, number: int) -> "Collection[R]":
        """Return them without the first so many."""
        return self._with(offset=self._whole("offset", number, 0))

    # --- As a list ---

    def __iter__(self) -> Iterator[R]:
        return self._read()

    def __reversed__(self) -> Iterator[R]:
        return reversed(self[:]) if self._search.has_window else self._read(backwards=True)

    def __len__(self) -> int:
        return self._listing.total()

    def __bool__(self) -> bool:
        return self.count(at_most=1) > 0

    def count(self, at_most: int | None = None) -> int:
        """Count them, no further than `at_most`: that costs little, however many there are."""
        return self._listing.total(at_most)

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> list[R]: ...

    def __getitem__(self, index: int | slice) -> R | list[R]:
        """Return the one at a place, or a list of those at several, in one statement; from the end, too."""
        if isinstance(index, slice):
            return self._slice(index)
        found = self._slice(slice(index, index + 1 if index != -1 else None))
        if not found:
            raise IndexError(f"This collection has no {self._model.thing} at {index}.")
        return found[0]

    def _slice(self, wanted: slice) -> list[R]:
        start, stop = wanted.start, wanted.stop
        if wanted.step not in {None, 1}:
            places = range(len(self))[wanted]
            some = self._between(min(places), max(places) + 1) if places else []
            return some[:: wanted.step]
        if (start or 0) < 0 and (stop is None or stop < 0) and not self._search.has_window:
            return self._from_the_end(-start, -(stop or 0))
        if (start or 0) < 0 or (stop or 0) < 0:
            start, stop, _step = wanted.indices(len(self))
        return self._between(start or 0, stop)

    def _between(self, start: int, stop: int | None) -> list[R]:
        """Return those from one place of the window to another; None: to its end."""
        limit = self._search.limit
        stop = limit if stop is None else stop if limit is None else min(stop, limit)
        if stop is not None and stop <= start:
            return []
        rows = self._listing.rows(None if stop is None else stop - start, offset=self._search.offset + start)
        return [row.resource for row in rows]

    def _from_the_end(self, first: int, last: int) -> list[R]:
        if first <= last:
            return []
        rows = self._listing.rows(first - last, offset=last, backwards=True)
        return [row.resource for row in reversed(rows)]

    def _read(self, *, backwards: bool = False) -> Iterator[R]:
        listing, offset, left, after = self._listing, self._search.offset, self._search.limit, None
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            rows = listing.rows(size, offset=offset, after=after, backwards=backwards)
            yield from (row.resource for row in rows)
            if len(rows) < size:
                return
            offset, left, after = 0, None if left is None else left - size, rows[-1].place

    def page(
        self, size: int, *, after: str | None = None, before: str | None = None, from_the_end: bool = False
    ) -> Page[R]:
        """Return so many, from the first on, in one statement or two; however far from the first, at the same cost.

        :param after, before: the id of the one that the page follows, or ends before; where it is not there, or is
            the last that way, the page is the first.
        :param from_the_end: the last is the first.
        """
        listing = self._listing
        beside = before if after is None else after
        place = listing.place(beside) if beside is not None and names.can_be_stored(beside) else None
        goes_back = place is not None and after is None
        rows = listing.rows(size + 1, after=place, backwards=goes_back != from_the_end)
        if place is not None and not rows:
            return self.page(size, from_the_end=from_the_end)
        items = [row.resource for row in rows[:size]]
        has_more, came_from = len(rows) > size, place is not None
        if goes_back:
            return Page(items[::-1], has_more, came_from)
        return Page(items, came_from, has_more)

    # --- What is asked for ---

    @property
    def _listing(self) -> Listing[R]:
        return Listing(self._model, self._conditions, self._search)

    def _with(self, **changes: Any) -> "Collection[R]":
        other = copy.copy(self)
        other._search = self._search._replace(**changes)
        return other

    def _meeting(self, criterion: Criterion) -> "Collection[R]":
        return self._with(criteria=(*self._search.criteria, criterion))

    def _containing(self, text: str) -> "Collection[R]":
        if not text.strip():
            return self
        if not hasattr(self._model, "search_text"):
            raise InvalidQueryValue(self._model.thing, "q")
        term = search_text.sought(text)
        return self._meeting(NOTHING) if term is None else self._with(terms=(*self._search.terms, term))

    def _criterion(self, name: str, value: Any) -> Criterion:
        kind = self._kind(name)
        if kind is None:
            raise UnknownProperty(self._model.thing, name)
        return kind.criterion(self._model, name, value)

    def _kind(self, name: str) -> Searchable | None:
        first, dot, _rest = name.partition(".")
        kind = self._model.searchable.get(first)
        return kind if kind is not None and kind.has_parts == bool(dot) else None

    def _whole(self, name: str, number: int, least: int) -> int:
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise InvalidQueryValue(self._model.thing, name)
        return number
