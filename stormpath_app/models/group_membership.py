"""GroupMembership: one account in one group of its directory."""

from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..database import session
from ..errors import ChangedMeanwhile, Conflict, ResourceNotFound
from ..transactions import atomic
from . import event
from .base import Id, Resource

if TYPE_CHECKING:
    from .account import Account
    from .group import Group
    from .member import Member


class GroupMembership(Resource):
    """That an account is in a group. It is made and deleted, never changed."""

    __tablename__ = "stormpath_group_memberships"
    __table_args__ = (sa.UniqueConstraint("account_id", "group_id"),)
    thing, collection = "Group Membership", "groupMemberships"
    links = frozenset({"account", "group"})

    account_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"))
    group_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_groups.id", ondelete="CASCADE"), index=True)

    account: Mapped["Account"] = relationship()
    group: Mapped["Group"] = relationship()

    @classmethod
    def of(cls, account_id: str, group_id: str) -> Self | None:
        """Return the membership of the account in the group; None where there is none."""
        return session.scalar(sa.select(cls).where(cls.account_id == account_id, cls.group_id == group_id))

    @classmethod
    def join(cls, account: "Member", group: "Group") -> Self:
        """Return the membership of the account in the group; where there is none, make it and commit.

        :raises ResourceNotFound: one of the two was deleted meanwhile.
        """
        ids = account.id, group.id  # after a failure, one that is gone cannot even be asked for it
        try:
            with atomic():
                return cls.of(*ids) or cls._make(account, group)
        except Conflict as error:
            if found := cls.of(*ids):  # on a database that let both begin
                return found
            gone = "The Account {!r} or the Group {!r} was deleted meanwhile.".format(*ids)
            raise ResourceNotFound(developer_message=gone) from error

    @classmethod
    def leave(cls, account: "Member", group: "Group") -> None:
        """Delete the membership of the account in the group, and commit.

        :raises ResourceNotFound: there is none.
        """
        sentence = f"The Account {account.email!r} is not in the Group {group.name!r}."
        try:
            with atomic():
                found = cls.of(account.id, group.id)
                if found is None:
                    raise ResourceNotFound(developer_message=sentence)
                found.delete()
        except ChangedMeanwhile as error:  # somebody else was quicker, on a database that let both begin
            raise ResourceNotFound(developer_message=sentence) from error

    def delete(self) -> None:
        """Take the account out of the group, and commit; who is logged in through the group alone is logged out."""
        account_id, group = self.account_id, self.group
        with atomic():
            super().delete()
            group.end_logins_of(sa.select(sa.literal(account_id)))

    @classmethod
    def _make(cls, account: "Member", group: "Group") -> Self:
        made = cls(account_id=account.id, group_id=group.id)
        made.save()
        made._record("account.group_added", group)
        return made

    def _after_save(self, _what: object) -> None:
        known_groups().clear()

    def _before_delete(self) -> None:
        if not self.group:
            raise ChangedMeanwhile  # it was deleted, and its memberships with it
        self._record("account.group_removed", self.group)

    def _after_delete(self) -> None:
        known_groups().clear()

    def _record(self, kind: str, group: "Group") -> None:
        places = {"account_id": self.account_id, "directory_id": group.directory_id}
        event.record(kind, **places, group_id=group.id, name=group.name)


_KNOWN_GROUPS = "stormpath_enabled_groups"  # in session.info


def known_groups() -> dict[str, str | None]:
    """Return what need not be asked for: the id of an account -> its groups, as `member.enabled_groups` gives them.

    The statement that finds out who asks writes it. It holds until the request ends, or changes a group or membership.
    """
    found: dict[str, str | None] = session().info.setdefault(_KNOWN_GROUPS, {})
    return found
