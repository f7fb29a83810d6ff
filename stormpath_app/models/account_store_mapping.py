"""AccountStoreMapping: an application's use of an account store, and its place in the order of asking."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates
from sqlalchemy.orm.attributes import set_committed_value

from .. import current
from ..database import database, session
from ..errors import (
    AccountStoreAlreadyMapped,
    BelowMinimum,
    ChangedMeanwhile,
    GroupAsDefaultGroupStore,
    MirrorAsDefaultAccountStore,
    MirrorAsDefaultGroupStore,
    MirrorGroupAsDefaultAccountStore,
    Protected,
    ProviderAlreadyMapped,
    ReadOnly,
    StormpathError,
    WrongType,
)
from ..transactions import atomic, is_atomic
from . import administration, event
from .base import ENABLED, Id, Resource, boolean, stays
from .group_membership import GroupMembership
from .query import Order
from .searchable import Number
from .unsaved import changed

if TYPE_CHECKING:
    from .application import Application
    from .directory import Directory
    from .group import Group

_DEFAULTS = ("is_default_account_store", "is_default_group_store")
_THE_END = 2**31 - 1  # beyond every list; Stormpath's clients say it so
# Of the table above this module no more than a statement needs.
_GROUPS = sa.table("stormpath_groups", sa.column("id"), sa.column("status"))


class AccountStoreMapping(Resource):
    """An account store of an application. Lower `list_index` is asked first.

    Set `list_index` to move it: 0 is the first place, None or a large number the last; the others make room. Set
    `is_default_account_store` or `is_default_group_store` to have new accounts or groups go there, and no longer to
    another. Then `save()`.
    """

    __tablename__ = "stormpath_account_store_mappings"
    __table_args__ = (
        sa.UniqueConstraint("application_id", "store_id"),
        sa.Index(None, "directory_id", "application_id"),
    )
    thing, collection = "Account Store Mapping", "accountStoreMappings"
    readable = ("list_index", *_DEFAULTS)
    links = frozenset({"application", "account_store"})
    writable = links | {*readable}  # its ends at creation
    searchable: ClassVar[dict[str, Any]] = {**Resource.searchable, "list_index": Number()}
    natural_order = (Order("list_index"),)

    application_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_applications.id", ondelete="CASCADE"))
    #: The directory whose accounts they are: the account store itself, or that of the group.
    directory_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"))
    #: None: all accounts of the directory.
    group_id: Mapped[str | None] = mapped_column(
        Id, sa.ForeignKey("stormpath_groups.id", ondelete="CASCADE"), index=True
    )
    #: The one of these two that is the account store.
    store_id: Mapped[str] = mapped_column(Id)
    #: From 0 on, without gaps.
    list_index: Mapped[int]
    is_default_account_store: Mapped[bool] = mapped_column(default=False)
    is_default_group_store: Mapped[bool] = mapped_column(default=False)

    application: Mapped["Application"] = relationship()
    directory: Mapped["Directory"] = relationship(lazy="joined", innerjoin=True)
    group: Mapped["Group | None"] = relationship(lazy="joined")

    @property
    def title(self) -> str:
        """The name of the account store."""
        return self.account_store.name

    @property
    def account_store(self) -> "Directory | Group":
        """The directory or group; it stays."""
        return self.group or self.directory

    @account_store.setter
    def account_store(self, store: "Directory | Group") -> None:
        if self.store_id not in {None, store.id}:
            raise ReadOnly(self.thing, "account_store")
        home, group = store.home, None if store is store.home else cast("Group", store)
        self.directory, self.directory_id = home, home.id
        self.group, self.group_id = group, None if group is None else group.id
        self.store_id = store.id

    @validates("application", "application_id", "store_id")
    def _check_ends(self, key: str, value: object) -> object:
        return stays(self, key, value)

    @validates("list_index")
    def _check_list_index(self, _key: str, value: object) -> int | None:
        if value is None:
            return None
        if isinstance(value, str) and re.fullmatch(r"\s*-?\d+\s*", value):
            value = int(value.strip()[:20])
        if not isinstance(value, int) or isinstance(value, bool):
            raise WrongType(self.thing, "list_index", label="listIndex")
        if value < 0:
            raise BelowMinimum(self.thing, "list_index", label="listIndex", low=0)
        return min(value, _THE_END)

    @validates(*_DEFAULTS)
    def _check_default(self, key: str, value: object) -> bool:
        return boolean(self.thing, key, value)

    # --- Which accounts ---

    @classmethod
    def holds(cls, account_id: Any, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        """Return the condition that the account store has this account of its directory.

        :param conditions: on the membership, where the account store is a group.
        """
        membership = (GroupMembership.group_id == cls.group_id, GroupMembership.account_id == account_id)
        is_member = sa.exists().where(*membership, *conditions).correlate_except(GroupMembership, _GROUPS)
        return sa.or_(cls.group_id.is_(None), is_member)

    @classmethod
    def admits(cls, account_id: Any) -> sa.ColumnElement[bool]:
        """Return the condition that this account of an ENABLED directory is let in: its group is ENABLED too."""
        return cls.holds(account_id, GroupMembership.group_id == _GROUPS.c.id, _GROUPS.c.status == ENABLED)

    # --- Saving ---

    def save(self) -> None:
        """Write what was set, and commit; the others move up or down, and a new default takes the place of the old one.

        :raises AccountStoreAlreadyMapped, GroupAsDefaultGroupStore: it cannot be so; nothing is written.
        """
        wanted, application_id = changed(self), self.application_id

        def write(_locked: list[str]) -> None:
            self.set_again(wanted)
            super(AccountStoreMapping, self).save()
            session.expire(self.application, ["_mappings"])

        try:
            in_turn(lambda: [application_id], write)
        except StormpathError:
            self.set_again(wanted)
            raise

    def delete(self) -> None:
        """Take the account store from the application, and commit; who is logged in through it alone is logged out."""
        application_id = self.application_id
        in_turn(lambda: [application_id], self._take_away)

    def _take_away(self, locked: list[str]) -> None:
        application, store = self.application, self.account_store
        super().delete()
        close_gaps(application)
        store.end_logins(locked, store.account_ids())

    def taken(self) -> AccountStoreAlreadyMapped | None:
        """Return an error where the application has the account store already; None where it has not."""
        cls = AccountStoreMapping
        same = (cls.application_id == self.application_id, cls.store_id == self.store_id, cls.id != self.id)
        return AccountStoreAlreadyMapped() if session.scalar(sa.select(cls.id).where(*same)) else None

    def _prepare(self) -> None:
        if self.is_default_group_store and self.group_id:
            raise GroupAsDefaultGroupStore
        if not self.directory.is_cloud:
            if self.is_default_account_store:
                raise MirrorGroupAsDefaultAccountStore if self.group_id else MirrorAsDefaultAccountStore
            if self.is_default_group_store:
                raise MirrorAsDefaultGroupStore

    def _before_save(self) -> None:
        self._guard()
        if self.is_new and not self.directory.is_cloud:
            self._check_provider()
        if self.is_new or "list_index" in changed(self):
            self._take_place()
        what = changed(self)
        for name in _DEFAULTS:
            if name in what and getattr(self, name):
                self._take_over(name)
        self._record("account_store.mapped" if self.is_new else "account_store.updated", what)

    def _check_provider(self) -> None:
        """Accept a directory of a provider where the application has no other one of it.

        :raises ProviderAlreadyMapped: it has.
        """
        cls = AccountStoreMapping
        directories = cls.directory.property.mapper.class_
        same = (cls.application_id == self.application_id, cls.directory_id != self.directory_id)
        others = sa.select(cls.id).join(directories, directories.id == cls.directory_id).where(*same)
        if session.scalar(others.where(directories.provider_id == self.directory.provider_id).limit(1)):
            raise ProviderAlreadyMapped

    def _take_place(self) -> None:
        places = {row.id: row for row in _in_order(self.application_id)}
        mine, others = places.pop(self.id, None), list(places.values())
        place = len(others) if self.list_index is None else min(self.list_index, len(others))
        if mine is not None:  # somebody else may have pushed it meanwhile
            set_committed_value(self, "list_index", mine.list_index)
        self.list_index = place
        _number([*others[:place], self, *others[place:]])

    def _take_over(self, default: str) -> None:
        cls, column = AccountStoreMapping, getattr(AccountStoreMapping, default)
        others = (cls.application_id == self.application_id, cls.id != self.id, column.is_(True))
        # Looked up first: on MySQL an UPDATE also locks the place where no row is.
        for other in session.scalars(sa.select(cls.id).where(*others)).all():
            session.execute(sa.update(cls).where(cls.id == other).values({default: False}))

    def _before_delete(self) -> None:
        self._guard()
        self._record("account_store.unmapped", {})

    def _guard(self) -> None:
        """Let nobody in to the console but the administrators, and no registration make one.

        :raises Protected: the change would.
        """
        is_first = self.is_new and administration.is_administrators(self.directory) and not self.group
        if administration.is_console(self.application) and not is_first:
            raise Protected
        if self.is_new and self.group and self.group.is_role:
            raise Protected

    def _record(self, kind: str, what: dict[str, Any]) -> None:
        what = {name: values for name, values in what.items() if name in self.readable}
        places = {"application_id": self.application_id, "directory_id": self.directory_id}
        store: dict[str, Any] = {"group_id": self.group_id} if self.group_id else {}
        if what:
            store["changed"] = event.changes(self, what)
        event.record(kind, target=self, **places, **store)


# --- One at a time ---


class _ReadTooEarly(ChangedMeanwhile):
    """What the transaction reads is older than the change of somebody who had the lock (on MySQL)."""


def in_turn(whose: Callable[[], list[str]], change: Callable[[list[str]], None]) -> None:
    """Change mappings of applications while nobody else does, and commit.

    Where it was read too early, it is begun anew; not where the transaction has, or may have, changes of others in it.

    :param whose: returns the ids of the applications, which `change` is given.
    """
    try:
        with atomic():
            change(lock(whose()))
    except _ReadTooEarly:
        if is_atomic() or database.is_shared(current.app()):
            raise
        ids = whose()
        session.rollback()  # so that the next transaction reads nothing before it has the lock
        with atomic():
            change(lock(ids))


def lock(ids: list[str]) -> list[str]:
    """Let nobody else change the mappings of these applications until the transaction that is open ends; return them.

    Their versions are raised: MySQL shows to the end of a transaction what was there when it first read, and who reads
    an older version than is locked is told so.

    :raises ChangedMeanwhile: this transaction reads an older state, or one of the applications is gone.
    """
    if not ids:
        return ids
    cls: Any = AccountStoreMapping.application.property.mapper.class_
    versions = sa.select(cls.id, cls.version).where(cls.id.in_(ids)).order_by(cls.id)
    try:
        locked = session.execute(versions.with_for_update(key_share=True)).all()
    except OperationalError as error:  # a MariaDB that locks nothing that was changed since it was read
        raise _ReadTooEarly from error
    if len(locked) != len(ids) or locked != session.execute(versions).all():
        raise _ReadTooEarly
    session.execute(sa.update(cls).where(cls.id.in_(ids)).values(version=cls.version + 1))
    return ids


# --- The order ---


def close_gaps(application: "Application") -> None:
    """Number the mappings of an application that is locked anew: 0, 1, 2."""
    _number(_in_order(application.id))
    session.expire(application, ["_mappings"])


def _in_order(application_id: str) -> Sequence[Any]:
    cls = AccountStoreMapping
    rows = sa.select(cls.id, cls.list_index).where(cls.application_id == application_id)
    return session.execute(rows.order_by(cls.list_index, cls.id)).all()


def _number(rows: Sequence[Any]) -> None:
    cls = AccountStoreMapping
    for index, row in enumerate(rows):
        if row.list_index != index:
            session.execute(sa.update(cls).where(cls.id == row.id).values(list_index=index))
