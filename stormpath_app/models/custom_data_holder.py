"""CustomDataHolder: what all resources with custom data have alike."""

from collections.abc import Mapping
from typing import Any, ClassVar

import sqlalchemy as sa

from ..database import session
from ..transactions import after_commit, atomic, is_atomic
from .base import Resource
from .custom_data import CustomData


class CustomDataHolder(Resource):
    """The part of a resource that has custom data."""

    __abstract__ = True
    #: Where it is stored: `custom_data_rows.table(__tablename__)`.
    custom_data_table: ClassVar[sa.Table]

    @property
    def custom_data(self) -> CustomData:
        """What the app keeps with it, as a dictionary. It is read when it is first asked for something."""
        here = self.__dict__
        if "_custom_data" not in here:
            here["_custom_data"] = CustomData(self)
        found: CustomData = here["_custom_data"]
        return found

    @custom_data.setter
    def custom_data(self, values: Mapping[str, Any] | None) -> None:
        """Let it hold these values and no others. None, which old apps send for no custom data, changes nothing."""
        if values is not None:
            self.custom_data.replace(values)

    def save(self) -> None:
        """Write what was set, its custom data too, and commit.

        :raises StormpathError: it cannot be so; nothing is written, and what was set is still there to be mended.
        """
        self.custom_data.collect()
        super().save()
        self._read_anew_if_rolled_back()

    def save_custom_data(self) -> None:
        """Write its custom data alone, and commit."""
        if self.is_new:
            self.save()
            return
        self.custom_data.collect()
        if not self.custom_data.unsaved.keys:
            return
        session.flush()  # what a host has waiting goes first, as with `save()`
        with atomic() as current, current.no_autoflush:
            self._tell_update({})
            self.custom_data.write()
        self._read_anew_if_rolled_back()

    def refresh(self) -> None:
        """Read it again from the database, and its custom data; unsaved changes are gone."""
        self.custom_data.refresh()
        super().refresh()

    def _save_parts(self) -> None:
        self.custom_data.write()

    def _read_anew_if_rolled_back(self) -> None:
        """Do with custom data what the session does with attributes, when a greater transaction is undone."""
        if is_atomic():
            after_commit(lambda: None, otherwise=self.custom_data.refresh)

    def _tell_update(self, what: dict[str, tuple[Any, Any]]) -> None:
        """Record and announce that `what` was changed of its attributes, and what is unsaved of its custom data."""

    def _custom_data_details(self) -> dict[str, Any]:
        """Return what the log tells of the custom data: the keys, never the values."""
        keys = self.custom_data.unsaved.keys
        return {"custom_data": keys} if keys else {}
