"""GroupMembership: one account in one group of its directory."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from blinker import Signal
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from .. import current, signals
from ..database import session
from ..errors import ChangedMeanwhile, Conflict, DirectoriesDiffer, PropertyRequired, ResourceNotFound, WrongType
from ..transactions import after_commit, announce, atomic
from . import administration, event
from .base import Id, Resource, merge, stays

if TYPE_CHECKING:
    from .account import Account
    from .group import Group
    from .member import Member

#: How often it is tried to join a group that others join and leave at the same moment.
_TRIES = 10


class GroupMembership(Resource):
    """That an account is in a group. It is made and deleted, never changed."""

    __tablename__ = "stormpath_group_memberships"
    __table_args__ = (sa.UniqueConstraint("account_id", "group_id"),)
    thing, collection = "Group Membership", "groupMemberships"
    links = frozenset({"account", "group"})
    writable = links  # at creation

    account_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"))
    group_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_groups.id", ondelete="CASCADE"), index=True)

    account: Mapped["Account"] = relationship()
    group: Mapped["Group"] = relationship()

    @classmethod
    def create(cls, properties: Mapping[str, Any] | None = None, **more: Any) -> Self:
        """Put an `account` into a `group`, each given by itself or its href, and commit; return the membership.

        Where the account is in the group already, that membership is returned.

        :raises ResourceNotFound: there is no such account or group.
        :raises DirectoriesDiffer: they are in two directories.
        """
        given = merge(cls, properties, more)
        account, group = (cls._meant(name, given.get(name)) for name in ("account", "group"))
        if account.directory_id != group.directory_id:
            raise DirectoriesDiffer
        return cls.join(account, group)

    @classmethod
    def _meant(cls, name: str, value: Any) -> Any:
        model: type[Resource] = sa.inspect(cls).relationships[name].mapper.class_
        if value is None:
            raise PropertyRequired(cls.thing, name)
        if isinstance(value, str):
            return model.get(value)
        if not isinstance(value, model):
            raise WrongType(cls.thing, name)
        return value

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
        for _again in range(_TRIES):
            try:
                with atomic():
                    return cls.of(*ids) or cls._make(*ids, group)
            except Conflict as error:  # on a database that lets others make it, and even leave again, meanwhile
                refused = error
        gone = "The Account {!r} or the Group {!r} was deleted meanwhile.".format(*ids)
        raise ResourceNotFound(developer_message=gone) from refused

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
    def _make(cls, account_id: str, group_id: str, group: "Group") -> Self:
        made = cls(account_id=account_id, group_id=group_id)
        made.save()
        made._tell("account.group_added", signals.group_joined, group)
        return made

    @validates("account_id", "account", "group_id", "group")
    def _check_ends(self, key: str, value: object) -> object:
        return stays(self, key, value)

    def _after_save(self, _what: object) -> None:
        forget_known_groups()

    def _before_delete(self) -> None:
        if not self.group:
            raise ChangedMeanwhile  # it was deleted, and its memberships with it
        if self.group.is_role and self.group.name_key == administration.OWNER:
            administration.keep_an_owner(self.account_id)
        self._tell("account.group_removed", signals.group_left, self.group)

    def _after_delete(self) -> None:
        forget_known_groups()

    def _tell(self, kind: str, signal: Signal, group: "Group") -> None:
        account = self.account
        places = {"account_id": self.account_id, "directory_id": group.directory_id}
        event.record(kind, target=group, **places, account=account.email)
        announce(signal, lambda: {**account.payload(), "group": group})


_KNOWN_GROUPS = "stormpath_enabled_groups"  # in g


def known_groups() -> dict[str, str | None]:
    """Return what need not be asked for: the id of an account -> its groups, as `member.enabled_groups` gives them.

    The statement that finds out who asks writes it. It holds until the request ends, or changes a group or membership.
    """
    found: dict[str, str | None] = current.g().setdefault(_KNOWN_GROUPS, {})
    return found


def forget_known_groups() -> None:
    """Forget them: one was changed. What is learnt from now on is forgotten where that is rolled back."""
    known = known_groups()
    known.clear()
    after_commit(lambda: None, otherwise=known.clear)
