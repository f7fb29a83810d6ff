"""Stormpath's collections: the resources of one kind that belong to something."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from ..database import session
from ..errors import ResourceNotFound
from .base import Resource

_PAGE = 100

R = TypeVar("R", bound=Resource)


class Collection(Generic[R]):
    """Resources that meet a condition: iterated in pages, in the order they were created; counted by `len`."""

    def __init__(
        self, model: type[R], *conditions: sa.ColumnElement[bool], create: Callable[..., R] | None = None
    ) -> None:
        self._model = model
        self._conditions = conditions
        self._create = create

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
        if session.scalar(self._select(self._model.id).where(self._model.id == found.id)) is None:
            raise ResourceNotFound(developer_message=f"This collection has no {self._model.thing} {href!r}.")
        return found

    def among(self, ids: sa.Select[Any]) -> "Collection[R]":
        """Return those whose id the statement selects; none can be created among them."""
        return Collection(self._model, *self._conditions, self._model.id.in_(ids))

    def __iter__(self) -> Iterator[R]:
        after = ""
        while page := session.scalars(
            self._select(self._model).where(self._model.id > after).order_by(self._model.id).limit(_PAGE)
        ).all():
            yield from page
            after = page[-1].id

    def __len__(self) -> int:
        return session.scalar(self._select(sa.func.count())) or 0

    def _select(self, *what: Any) -> sa.Select[Any]:
        return sa.select(*what).select_from(self._model).where(*self._conditions)
