"""Member: what an account is to groups."""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from ..database import JsonArray, session
from .account_store import applications
from .account_store_mapping import AccountStoreMapping
from .base import ENABLED
from .collection import Collection
from .custom_data_holder import CustomDataHolder
from .group import Group, Reference, listed, reference
from .group_membership import GroupMembership, known_groups

if TYPE_CHECKING:
    from .application import Application
    from .directory import Directory
    from .tenant import Tenant


class Member(CustomDataHolder):
    """The part of an account that knows its groups. A group is given by itself, its name or its href, or a search."""

    __abstract__ = True

    if TYPE_CHECKING:
        directory_id: Mapped[str]
        directory: Mapped["Directory"]
        email: Mapped[str]

    @property
    def tenant(self) -> "Tenant":
        """The tenant of its directory."""
        return self.directory.tenant

    @property
    def groups(self) -> Collection[Group]:
        """The groups that the account is in, DISABLED ones too."""
        mine = sa.select(GroupMembership.group_id).where(GroupMembership.account_id == self.id)
        return Collection(Group, Group.id.in_(mine))

    @property
    def group_memberships(self) -> Collection[GroupMembership]:
        """The memberships of the account. `create(group=...)` makes one."""
        mine = GroupMembership.account_id == self.id
        return Collection(GroupMembership, mine, create=partial(GroupMembership.create, account=self))

    @property
    def applications(self) -> "Collection[Application]":
        """The applications that the account can log in to, through any of their stores."""
        mapping = AccountStoreMapping
        return applications(sa.and_(mapping.directory_id == self.directory_id, mapping.holds(self.id)))

    def add_group(self, group: Group | str | Mapping[str, Any]) -> GroupMembership:
        """Put the account into a group, and commit. Where it is in already, nothing happens.

        :raises ResourceNotFound: there is no such group in the account's directory.
        :raises DirectoriesDiffer: it is in another directory.
        """
        return GroupMembership.join(self, self.directory.get_group(group))

    def remove_group(self, group: Group | str | Mapping[str, Any]) -> None:
        """Take the account out of a group, and commit.

        :raises ResourceNotFound: it is not in the group, or there is none.
        """
        GroupMembership.leave(self, self.directory.get_group(group))

    def has_group(self, group: Group | str | Reference | Mapping[str, Any]) -> bool:
        """Tell whether the account is in this group, and the group is ENABLED."""
        return self.has_groups([group])

    in_group = has_group  # both are Stormpath's words

    def has_groups(
        self,
        groups: Iterable[Group | str | Reference | Mapping[str, Any]],
        all: bool = True,  # noqa: A002 - Stormpath's
    ) -> bool:
        """Tell whether the account is in all of these groups, counting ENABLED ones alone; `all=False`: in one of them.

        Somebody who is logged in is asked about without a statement: the one that found them told it.
        """
        wanted, mine = frozenset(map(self._reference, listed(groups))), self._enabled()
        return wanted <= mine if all else not wanted.isdisjoint(mine)

    def refresh(self) -> None:
        """Read it again from the database, and its groups; unsaved changes are gone."""
        known_groups().clear()
        super().refresh()

    def _reference(self, group: Group | str | Reference | Mapping[str, Any]) -> Reference:
        if not isinstance(group, Mapping):
            return reference(group)
        found = self.directory.groups.first(group)
        return Reference(found.id if found else None, None)  # without both it is no group's

    def _enabled(self) -> frozenset[Reference]:
        """Return all that the account's enabled groups can be asked for by."""
        known = known_groups()
        text: str | None = known[self.id] if self.id in known else session.scalar(_ENABLED, {"account_id": self.id})
        return _read(text or "[]")


@lru_cache(maxsize=1024)  # many people are in the same groups
def _read(text: str) -> frozenset[Reference]:
    parts = [line.partition(" ") for line in json.loads(text)]
    return frozenset(one for group_id, _, key in parts for one in (Reference(group_id, None), Reference(None, key)))


def enabled_groups(account_id: Any) -> sa.Select[Any]:
    """Return a statement for an account's ENABLED groups as one text: a JSON array of "<id> <key of the name>"."""
    return (
        sa.select(JsonArray(Group.id + " " + Group.name_key))
        .join_from(GroupMembership, Group, Group.id == GroupMembership.group_id)
        .where(GroupMembership.account_id == account_id, Group.status == ENABLED)
    )


def group_names(accounts: Iterable[Member]) -> dict[str, list[str]]:
    """Return the names of the groups of each of these accounts by its id, DISABLED groups too; one statement."""
    found: dict[str, list[str]] = {account.id: [] for account in accounts}
    memberships = sa.select(GroupMembership.account_id, Group.name).join_from(GroupMembership, Group)
    for account_id, name in session.execute(
        memberships.where(GroupMembership.account_id.in_(found)).order_by(Group.name_key)
    ):
        found[account_id].append(name)
    return found


_ENABLED = enabled_groups(sa.bindparam("account_id"))
