"""Kept: rows that pages ask for again and again, read once for many requests; and resources that are made of them."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm.attributes import instance_state

from .. import cache
from ..database import UTCDateTime, attach, session
from ..transactions import has_written, read

R = TypeVar("R")


def columns(model: type) -> dict[str, sa.Column[Any]]:
    """Return the columns of a model that are loaded with it, by the names of their attributes."""
    attributes: Any = sa.inspect(model).column_attrs
    return {attribute.key: attribute.columns[0] for attribute in attributes if not attribute.deferred}


def moments(*selected: sa.ColumnElement[Any]) -> tuple[int, ...]:
    """Return the places of those that are moments."""
    return tuple(place for place, column in enumerate(selected) if isinstance(column.type, UTCDateTime))


def loaded(model: type[R], values: dict[str, Any]) -> R:
    """Return the resource as the session would have loaded it from these values; one that it has already stays.

    What was left out loads when it is asked for.
    """
    mapper: Any = sa.inspect(model)
    found: R = mapper.class_manager.new_instance()
    found.__dict__.update(values)
    # SQLAlchemy's make_transient_to_detached, where nothing is expired.
    instance_state(found).key = mapper.identity_key_from_primary_key((values["id"],))
    return attach(found)


def ask(region: cache.Region, key: str, load: Callable[[sa.Connection], cache.Row | None]) -> cache.Row | None:
    """Return the row that is kept under a key, or the one that is there now; None: there is none."""
    if has_written():  # the session sees what nobody else does yet
        return load(session.connection())
    look = cache.Look(region, key)
    if look.row is not None:
        return look.row
    row = read(load)
    if row is not None:
        look.keep(row)
    return row


class Lookup(Generic[R]):
    """Finds resources of one model, each by a key. `conditions`: which one it is, with parameters that `find` gets."""

    def __init__(self, region: str, model: type[R], *conditions: sa.ColumnExpressionArgument[bool]) -> None:
        self._name, self._model, self._conditions = region, model, conditions

    @cached_property
    def _columns(self) -> dict[str, sa.Column[Any]]:
        return columns(self._model)  # when all models are there

    @cached_property
    def _statement(self) -> sa.Select[Any]:
        return sa.select(*self._columns.values()).where(*self._conditions)

    @cached_property
    def _region(self) -> cache.Region:
        return cache.Region(self._name, moments=moments(*self._columns.values()), statement=self._statement)

    def find(self, key: str, **wanted: str) -> R | None:
        """Return the resource; None where there is none."""

        def load(connection: sa.Connection) -> cache.Row | None:
            row = connection.execute(self._statement, wanted).first()
            return None if row is None else tuple(row)

        row = ask(self._region, key, load)
        return None if row is None else loaded(self._model, dict(zip(self._columns, row, strict=True)))
