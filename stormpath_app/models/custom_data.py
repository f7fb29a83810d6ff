"""CustomData: what an app keeps with a resource, as a dictionary."""

from collections.abc import Iterator, Mapping, MutableMapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from .. import clock, encryption
from ..database import session
from ..errors import ChangedMeanwhile, CustomDataTooLarge, WrongType
from ..transactions import after_commit
from . import custom_data_rows as rows, custom_data_search as search
from .custom_data_rows import Stored
from .custom_data_text import LARGEST, check_key, dump, load, size

if TYPE_CHECKING:
    from .custom_data_holder import CustomDataHolder


class Changes(NamedTuple):
    """What is to be written. `texts`: key -> JSON text; `removed`: keys; `is_first`: nothing was ever stored."""

    texts: dict[str, str]
    removed: frozenset[str]
    is_first: bool

    @property
    def keys(self) -> list[str]:
        """The keys that were set, changed or removed."""
        return sorted(self.texts.keys() | self.removed)


NOTHING = Changes({}, frozenset(), False)


class CustomData(MutableMapping[str, Any]):
    """The custom data of one resource: JSON values by their keys. Change it, then save it or the resource.

    Nothing is read before it is needed, then all keys with one statement; a value is parsed when it is first asked for.
    What changed, inside a value too, is found by comparing texts, and only those keys are written: of two who change
    different keys at once, neither loses; of the same key the last one stays.
    """

    def __init__(self, holder: "CustomDataHolder") -> None:
        self._holder = holder
        self.refresh()

    def refresh(self) -> None:
        """Forget what was not saved; it is read again when it is next asked for."""
        self._rows: Stored | None = None
        #: Key -> the text that is stored, of the values below.
        self._before: dict[str, str] = {}
        #: Key -> the value, of those that were asked for or set.
        self._values: dict[str, Any] = {}
        self._removed: set[str] = set()
        self.unsaved = NOTHING

    # --- As a dictionary ---

    def __getitem__(self, key: str) -> Any:
        if key not in self._values:
            text = None if key in self._removed else self._text(key)
            if text is None:
                raise KeyError(key)
            self._values[key] = load(text)
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._check(key, value)
        self._values[key] = value
        self._removed.discard(key)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._values.pop(key, None)
        if key in self._stored().texts:
            self._removed.add(key)

    def __contains__(self, key: object) -> bool:
        return key in self._values or (key in self._stored().texts and key not in self._removed)

    def __iter__(self) -> Iterator[str]:
        stored = self._stored().texts
        yield from [key for key in stored if key not in self._removed]
        yield from [key for key in self._values if key not in stored]

    def __len__(self) -> int:
        return sum(1 for _key in self)

    def __repr__(self) -> str:
        return f"<CustomData of {self._holder!r}>"  # what is in it does not belong into a log

    def clear(self) -> None:
        """Remove all keys."""
        self._values.clear()
        self._removed.update(self._stored().texts)

    def replace(self, values: Mapping[str, Any]) -> None:
        """Let it hold these values and no others.

        :raises PropertyError: one of them cannot be; nothing is changed.
        """
        if not isinstance(values, Mapping):
            raise WrongType(self._holder.thing, "custom_data")
        given = dict(values)  # they may be its own
        for key, value in given.items():
            self._check(key, value)
        self.clear()
        self.update(given)

    # --- What it knows of itself ---

    @property
    def href(self) -> str:
        """The address of the custom data."""
        return f"{self._holder.href}/customData"

    @property
    def created_at(self) -> datetime:
        """When it was created: with its resource."""
        return self._holder.created_at

    @property
    def modified_at(self) -> datetime:
        """When a key was last written or removed."""
        return self._stored().modified_at or self.created_at

    # --- Saving ---

    def save(self) -> None:
        """Write what was changed, and commit; what was set on the resource itself is left for its own `save()`.

        :raises CustomDataTooLarge, PropertyError: it cannot be so; nothing is written.
        :raises ChangedMeanwhile: the resource was deleted.
        """
        self._holder.save_custom_data()

    def delete(self) -> None:
        """Remove all keys, and commit."""
        self.refresh()
        self.clear()
        self.save()

    def collect(self) -> None:
        """Find out what was changed and not yet saved, for `unsaved`.

        :raises PropertyError: something inside a value cannot be stored.
        """
        texts = {key: dump(self._holder.thing, key, value) for key, value in self._values.items()}
        changed = {key: text for key, text in texts.items() if text != self._text(key)}
        self.unsaved = Changes(changed, frozenset(self._removed), self._holder.is_new)

    def write(self) -> None:
        """Write what was collected, in the transaction that is open.

        :raises CustomDataTooLarge: it would be more than there is room for.
        :raises ChangedMeanwhile: the resource was deleted.
        """
        if not self.unsaved.keys:
            return
        connection, owner, (texts, removed, is_first) = session.connection(), self._holder, self.unsaved
        # One after the other, so that what each of them adds is seen by the next.
        if not is_first and not rows.lock(connection, type(owner).__table__, owner.id):
            raise ChangedMeanwhile
        written = rows.write(connection, owner.custom_data_table, owner.id, texts, removed, clock.now())
        if self._total(connection) > LARGEST:
            raise CustomDataTooLarge(owner.thing, "custom_data")
        if "custom_data" in owner.searchable:
            found_by = {key: self._values[key] for key in texts}
            search.write(connection, owner.id, found_by, removed, is_first=is_first)
        self._take_for_stored(written)

    def _check(self, key: object, value: object) -> None:
        dump(self._holder.thing, check_key(self._holder.thing, key), value)

    def _stored(self) -> Stored:
        if self._rows is None:
            owner = self._holder
            if owner.is_new:
                self._rows = Stored({}, None)
            else:
                self._rows = rows.read(session.connection(), owner.custom_data_table, owner.id)
        return self._rows

    def _text(self, key: str) -> str | None:
        """Return the text that is stored for a key; None where there is none."""
        if key not in self._before and key in self._stored().texts:
            self._before[key] = encryption.unseal(self._stored().texts[key])
        return self._before.get(key)

    def _total(self, connection: sa.Connection) -> int:
        texts, _removed, is_first = self.unsaved
        if is_first:
            return sum(size(key, text) for key, text in texts.items())
        return rows.total(connection, self._holder.custom_data_table, self._holder.id)

    def _take_for_stored(self, written: Stored) -> None:
        """Count what was written as stored, unless the transaction is rolled back: then it is unsaved again."""
        before, (texts, removed, _is_first) = (self._rows, self._before, self._removed), self.unsaved
        kept = {key: text for key, text in self._stored().texts.items() if key not in removed}
        self._rows = Stored({**kept, **written.texts}, written.modified_at)
        self._before = {key: text for key, text in {**self._before, **texts}.items() if key not in removed}
        self._removed, self.unsaved = set(), NOTHING
        after_commit(lambda: None, otherwise=lambda: self._go_back(*before))

    def _go_back(self, stored: Stored | None, before: dict[str, str], removed: set[str]) -> None:
        self._rows, self._before, self._removed = stored, before, removed
