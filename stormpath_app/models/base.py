"""What every resource has: an id, a href, two times, and one way to be saved and deleted."""

import secrets
import string
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from .. import clock, names
from ..database import UTCDateTime, exact_text, metadata, session
from ..errors import (
    ChangedMeanwhile,
    Conflict,
    OutOfRange,
    PointedAt,
    ReadOnly,
    ResourceNotFound,
    StormpathError,
    UnknownProperty,
    UnsupportedValue,
    WrongType,
)
from ..settings import settings
from ..transactions import atomic
from . import references
from .query import Order
from .searchable import Moment, Searchable
from .unsaved import SavedAlone, changed, write

ENABLED, DISABLED, UNVERIFIED = "ENABLED", "DISABLED", "UNVERIFIED"
UNKNOWN, VERIFIED = "UNKNOWN", "VERIFIED"  # beside UNVERIFIED, of an e-mail address

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase  # in the order of their bytes
_ID_LENGTH = 22  # what 128 bits need in base 62

Id = exact_text(_ID_LENGTH)
Key = exact_text(names.LONGEST)


def new_id() -> str:
    """Return a new id: 22 letters and digits, in the order of time (microseconds), with 74 random bits behind."""
    return _spelled(_microseconds(clock.now()) << 74 | secrets.randbits(74))


def first_id(at: datetime) -> str:
    """Return the id that no id made at this moment, or later, is less than: so ids are found by time."""
    return _spelled(_microseconds(at) << 74)


def made_at(new: str) -> datetime:
    """Return the moment that an id was made at."""
    number = 0
    for letter in new:
        number = number * 62 + _DIGITS.index(letter)
    return _EPOCH + timedelta(microseconds=number >> 74)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _microseconds(at: datetime) -> int:
    return max(0, (at - _EPOCH) // timedelta(microseconds=1))


def _spelled(number: int) -> str:
    letters = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, 62)
        letters.append(_DIGITS[digit])
    return "".join(reversed(letters))


class Base(DeclarativeBase):
    """The tables of resources, and of what belongs to them."""

    metadata = metadata


class Resource(Base, SavedAlone):
    """A thing with a href. `thing`: its name in error texts; `collection`: its part of the href."""

    __abstract__ = True
    thing: ClassVar[str]
    collection: ClassVar[str]
    #: What `create` takes, and `resource["name"] = value`; anything else is a typing error.
    writable: ClassVar[frozenset[str]] = frozenset()
    #: What `dict(resource)` tells, beside its href and its two times: plain values, no secret.
    readable: ClassVar[tuple[str, ...]] = ()
    #: What `resource["name"]` gives beside those: other resources, and collections of them.
    links: ClassVar[frozenset[str]] = frozenset()
    #: What collections are searched and sorted by: the name of an attribute, and its kind.
    searchable: ClassVar[Mapping[str, Searchable]] = {"created_at": Moment(), "modified_at": Moment()}
    #: The order of collections that ask for none; none either: as they were created.
    natural_order: ClassVar[tuple[Order, ...]] = ()

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    modified_at: Mapped[datetime] = mapped_column(UTCDateTime, onupdate=lambda: clock.now())  # noqa: PLW0108 - tests hold it
    version: Mapped[int]

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        """Count versions, so that a change made from an old copy is refused."""
        return {"version_id_col": cls.version}

    def __init__(self, **attributes: Any) -> None:
        self.id = attributes.pop("id", None) or new_id()
        self.created_at = self.modified_at = clock.now()
        super().__init__(**attributes)

    @property
    def title(self) -> str:
        """What people know it by, for the log, which outlives it."""
        return self.id

    @property
    def href(self) -> str:
        """The address of the resource. It is compared by its path, so that a new BASE_URL breaks none."""
        return f"{settings.BASE_URL or ''}/v1/{self.collection}/{self.id}"

    # --- As a dictionary ---

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """Return the names of its attributes, in the order that `dict(resource)` has them."""
        return ("href", *cls.readable, "created_at", "modified_at")

    @classmethod
    def check_writable(cls, name: object) -> None:
        """Accept the name of an attribute that can be set.

        :raises UnknownProperty, ReadOnly: there is none, or it can only be read.
        """
        if name not in cls.writable:
            is_known = name in {*cls.keys(), *cls.links}
            raise (ReadOnly if is_known else UnknownProperty)(cls.thing, str(name))

    def __getitem__(self, name: str) -> Any:
        if name not in self.keys() and name not in self.links:
            raise UnknownProperty(self.thing, str(name))
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.check_writable(name)
        setattr(self, name, value)

    def __contains__(self, name: object) -> bool:
        return name in self.keys() or name in self.links

    #: Not iterated: a resource given where a list belongs is a mistake.
    __iter__ = None

    # --- By href ---

    @classmethod
    def find(cls, href: str) -> Self | None:
        """Return the resource with this href or id; None where there is none."""
        wanted = cls.id_in(href) or href
        return session.get(cls, wanted) if names.can_be_stored(wanted) else None

    @classmethod
    def id_in(cls, href: str) -> str | None:
        """Return the id at the end of a href of such a resource, on whatever host; None in any other text."""
        before, _slash, wanted = href.rpartition("/")
        return wanted if wanted.isalnum() and before.endswith(f"/v1/{cls.collection}") else None

    @classmethod
    def get(cls, href: str) -> Self:
        """Return the resource with this href or id.

        :raises ResourceNotFound: there is none.
        """
        found = cls.find(href)
        if found is None:
            raise ResourceNotFound(developer_message=f"There is no {cls.thing} {href!r}.")
        return found

    # --- Saving ---

    def save(self) -> None:
        """Write what was set, and commit.

        :raises StormpathError: it cannot be so; nothing is written, and what was set is still there to be mended.
        """
        wanted = changed(self)
        try:
            with session.no_autoflush:  # a host's session would write what is not looked at yet
                self._check_free()
                self._prepare()
        except StormpathError:
            self.set_again(wanted)
            raise
        session.flush()  # what a host has waiting goes first: its mistakes are its own
        try:
            with atomic() as current, current.no_autoflush:
                self._check_free()
                self._before_save()
                what = changed(self)
                current.add(self)
                write(self)
                current.flush()
                self._save_parts()
                self._after_save(what)
        except IntegrityError as error:  # a race that the look before it did not see
            self.set_again(wanted)
            raise self.taken() or Conflict() from error
        except StaleDataError as error:
            self.set_again(wanted)
            raise ChangedMeanwhile from error
        except StormpathError:
            self.set_again(wanted)
            raise

    def delete(self) -> None:
        """Delete it with all that belongs to it, and commit.

        :raises PointedAt: a row of the host's points at it.
        """
        session.flush()  # what a host has waiting goes first: it may be what points at this
        try:
            with atomic() as current, current.no_autoflush:
                self._before_delete()
                # What belongs to it is the database's to take along, or the host's relationships', as they are now.
                current.expire(self, sa.inspect(type(self)).relationships.keys())
                current.delete(self)
                current.flush()
                self._after_delete()
        except StaleDataError as error:
            raise ChangedMeanwhile from error
        except IntegrityError as error:
            raise PointedAt(references.pointing(session.connection(), self.__table__, self.id)) from error

    def refresh(self) -> None:
        """Read it again from the database; unsaved changes are gone."""
        session.refresh(self)

    def _check_free(self) -> None:
        if error := self.taken():
            raise error

    def _prepare(self) -> None:
        """Do what takes long, before the transaction begins."""

    def _before_save(self) -> None:
        """Do what belongs to the same transaction: audit, signals."""

    def _save_parts(self) -> None:
        """Write what of it is in other tables, in the same transaction."""

    def _after_save(self, what: dict[str, tuple[Any, Any]]) -> None:
        """End the sessions that the change ends: after it, so that none begins in between. `what`: what was changed."""

    def _before_delete(self) -> None:
        """Do what belongs to the same transaction: audit, signals."""

    def _after_delete(self) -> None:
        """End the sessions that no foreign key takes along."""

    def taken(self) -> StormpathError | None:
        """Return the error for a name of it that another resource has; None where all are free."""
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


def directory_name(directory_id: str) -> str:
    """Return the name of a directory, "" where it is not there yet. It is not loaded: a caller may hold it detached."""
    directories = Base.metadata.tables["stormpath_directories"].c
    return session.scalar(sa.select(directories.name).where(directories.id == directory_id)) or ""


@sa.event.listens_for(Resource, "before_delete", propagate=True)
def _take_along(_mapper: object, connection: sa.Connection, resource: Resource) -> None:
    """Look at foreign keys after the host's relationships did what they say, and also when a host deletes the row."""
    references.delete_dependents(connection, resource.__table__, resource.id)


def merge(model: type[Resource], properties: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a `create({...})` or `create(name=...)` as one dictionary.

    :raises UnknownProperty, ReadOnly: one of them does not exist, or can only be read.
    """
    merged = {**(properties or {}), **more}
    for name in merged:
        model.check_writable(name)
    return merged


def stays(resource: Resource, name: str, value: Any) -> Any:
    """Return the value of an attribute that is given once, at creation; nothing can be moved.

    :raises ReadOnly: it has another one.
    """
    # A host's session forgets with each commit what it had: it is read again.
    before = resource.__dict__.get(name) if resource.is_new else getattr(resource, name)
    if before is not None and value != before:
        raise ReadOnly(resource.thing, name.removesuffix("_id"))
    return value


def status(thing: str, value: object, allowed: tuple[str, ...] = (ENABLED, DISABLED), *, name: str = "status") -> str:
    """Return a status in capitals; it may be written in any case."""
    if not isinstance(value, str):
        raise WrongType(thing, name)
    if value.upper() not in allowed:
        raise UnsupportedValue(thing, name, allowed=", ".join(allowed))
    return value.upper()


def whole_number(thing: str, label: str, value: object, low: int, high: int) -> int:
    """Return a whole number in its range; text with digits is one."""
    if isinstance(value, str) and len(value) < 10 and value.strip().isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongType(thing, label)
    if not low <= value <= high:
        raise OutOfRange(thing, label, low=low, high=high)
    return value


def boolean(thing: str, label: str, value: object) -> bool:
    """Return True or False; the texts "true" and "false", in any case, are these."""
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().lower())
    if not isinstance(value, bool):
        raise WrongType(thing, label)
    return value
