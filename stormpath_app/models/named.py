"""Named: what an application, a directory and a group have alike."""

from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, declared_attr, deferred, mapped_column, validates

from .. import names
from ..database import exact_text, session
from ..errors import AlreadyExists, InvalidFormat
from . import search_text
from .base import DISABLED, ENABLED, Key, Resource, status
from .custom_data_holder import CustomDataHolder
from .searchable import Description, Status, Words


class Named(CustomDataHolder):
    """A resource with a name, which may be written in any case, a description and a status."""

    __abstract__ = True
    writable = frozenset({"name", "description", "status", "custom_data"})
    readable: ClassVar[tuple[str, ...]] = ("name", "description", "status")
    searchable: ClassVar[dict[str, Any]] = {
        **Resource.searchable,
        "name": Words("name_key", indexed=True),
        "description": Description(),
        "status": Status(ENABLED, DISABLED),
    }
    #: In characters.
    longest_description: ClassVar[int] = 1000

    name: Mapped[str] = mapped_column(sa.String(names.LONGEST))
    name_key: Mapped[str] = mapped_column(Key)
    status: Mapped[str] = mapped_column(sa.String(16), default=ENABLED)

    @declared_attr
    @classmethod
    def description(cls) -> Mapped[str | None]:
        """What it is for."""
        return mapped_column(sa.String(cls.longest_description))

    @declared_attr
    @classmethod
    def search_text(cls) -> Mapped[str | None]:
        """What it is searched in: the description, and the name."""
        return deferred(mapped_column(exact_text()))

    @property
    def title(self) -> str:
        """The name."""
        return self.name

    @validates("name")
    def _check_name(self, _key: str, value: object) -> str:
        name = names.text(self.thing, "name", value, required=True) or ""
        if self.id_in(name):  # it would pass for the one of that href
            raise InvalidFormat(self.thing, "name")
        self.name_key = names.key(name)
        return name

    @validates("description")
    def _check_description(self, _key: str, value: object) -> str | None:
        return names.text(self.thing, "description", value, longest=self.longest_description, lines=True)

    @validates("status")
    def _check_status(self, _key: str, value: object) -> str:
        return status(self.thing, value)

    def taken(self) -> AlreadyExists | None:
        """Return the error for a name that another one has; None where it is free."""
        cls = type(self)
        other = sa.select(cls.id).where(cls.name_key == self.name_key, cls.id != self.id, *self._neighbours())
        return AlreadyExists(self.thing, "name") if session.scalar(other) else None

    def _neighbours(self) -> tuple[sa.ColumnElement[bool], ...]:
        """Return what those meet whose names it cannot have."""
        return ()


def searched(named: Named) -> dict[str, str]:
    """Return the column that is searched, as it must be."""
    described = names.part(named.description or "")[: named.longest_description]
    return {"search_text": names.search_text(described, named.name_key)}


search_text.follow(Named, frozenset({"name", "description"}), searched)
