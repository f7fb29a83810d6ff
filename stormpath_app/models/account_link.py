"""AccountLink: that two accounts of different directories are one person's."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from .. import clock
from ..database import UTCDateTime, exact_text, session
from ..errors import (
    AccountLinkMalformed,
    AccountsAlreadyLinked,
    ChangedMeanwhile,
    LinkedElsewhere,
    LinkedInOneDirectory,
    LinkedWithItself,
    ResourceNotFound,
    StormpathError,
    TooManyAccountLinks,
)
from ..transactions import atomic, release
from . import event
from .base import Base, Id, Resource, merge, stays
from .unsaved import changed

if TYPE_CHECKING:
    from .account import Account

#: So many links can an account have.
MOST = 100


class AccountLink(Resource):
    """A link between two accounts, which has no direction. It is made, confirmed and deleted.

    An account has one link into each other directory at most. `confirmed_at`: when it was known that both are one
    person's, as by logging in to both; None: somebody, or the addresses alone, say so.
    """

    __tablename__ = "stormpath_account_links"
    thing, collection = "Account Link", "accountLinks"
    links = frozenset({"left_account", "right_account"})
    writable = links  # at creation
    readable = ("confirmed_at",)

    left_account_id: Mapped[str] = mapped_column(
        Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"), index=True
    )
    right_account_id: Mapped[str] = mapped_column(
        Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"), index=True
    )
    #: Each of the accounts, and the directory it is linked into: first the account whose directory has the lower id.
    low_end: Mapped[str] = mapped_column(exact_text(44), unique=True)
    high_end: Mapped[str] = mapped_column(exact_text(44), unique=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    left_account: Mapped["Account"] = relationship(foreign_keys=left_account_id)
    right_account: Mapped["Account"] = relationship(foreign_keys=right_account_id)

    @classmethod
    def create(
        cls, properties: Mapping[str, Any] | None = None, *, among: "Account | None" = None, **more: Any
    ) -> Self:
        """Link a `left_account` with a `right_account`, each given by itself or its href, and commit.

        :param among: the account whose links it will be one of; it is the end that is not given.
        :raises AccountLinkMalformed, LinkedWithItself, LinkedInOneDirectory: they are no two that could be linked.
        :raises AccountsAlreadyLinked, LinkedElsewhere, TooManyAccountLinks: other links are in the way.
        """
        given = merge(cls, properties, more)
        left, right = (cls._meant(given.get(name, among)) for name in ("left_account", "right_account"))
        if among is not None and among not in {left, right}:
            raise AccountLinkMalformed
        return cls.join(left, right)

    @classmethod
    def join(cls, left: "Account", right: "Account", *, is_confirmed: bool = False) -> Self:
        """Link two accounts, and commit; as `create`.

        :param is_confirmed: whether it is known that both are one person's.
        """
        if left.id == right.id:
            raise LinkedWithItself
        if left.directory_id == right.directory_id:
            raise LinkedInOneDirectory
        release()  # what is read next must not be older than the lock
        with atomic():
            if len(lock(left.id, right.id)) < 2:
                raise ResourceNotFound(developer_message="One of the two Accounts was deleted meanwhile.")
            low, high = sorted((left, right), key=lambda account: account.directory_id)
            made = cls(
                left_account=left,
                right_account=right,
                left_account_id=left.id,
                right_account_id=right.id,
                low_end=low.id + high.directory_id,
                high_end=high.id + low.directory_id,
                confirmed_at=clock.now() if is_confirmed else None,
            )
            made.save()
        return made

    @classmethod
    def of(cls, account_id: str) -> sa.ColumnElement[bool]:
        """Return the condition for the links of an account."""
        return sa.or_(cls.left_account_id == account_id, cls.right_account_id == account_id)

    @classmethod
    def other_id(cls, account_id: str) -> sa.ColumnElement[str]:
        """Return the id of the account at the other end of each link of an account."""
        return sa.case((cls.left_account_id == account_id, cls.right_account_id), else_=cls.left_account_id)

    @classmethod
    def others_of(cls, account_id: str) -> sa.Select[Any]:
        """Return a statement for the ids of the accounts that an account is linked with."""
        # Without a UNION, which MySQL would ask for each account there is.
        return sa.select(cls.other_id(account_id)).where(cls.of(account_id))

    @classmethod
    def _meant(cls, value: Any) -> "Account":
        model: type[Account] = sa.inspect(cls).relationships["left_account"].mapper.class_
        found = model.find(value) if isinstance(value, str) else value
        if not isinstance(found, model):
            raise AccountLinkMalformed
        return found

    @validates("left_account", "left_account_id", "right_account", "right_account_id")
    def _check_ends(self, key: str, value: object) -> object:
        return stays(self, key, value)

    @property
    def title(self) -> str:
        """The addresses of both accounts."""
        return f"{self.left_account.email}, {self.right_account.email}"

    def other(self, account: "Account") -> "Account":
        """Return the account at the other end."""
        return self.right_account if self.left_account_id == account.id else self.left_account

    def confirm(self) -> None:
        """Take it for known that both accounts are one person's, and commit."""
        if self.confirmed_at is None:
            self.confirmed_at = clock.now()
            self.save()

    def taken(self) -> StormpathError | None:
        """Return the error for a link that is in the way of a new one; None where there is none."""
        if not self.is_new:
            return None
        ends = {self.left_account_id, self.right_account_id}
        whose = sa.or_(AccountLink.left_account_id.in_(ends), AccountLink.right_account_id.in_(ends))
        others = session.scalars(sa.select(AccountLink).where(whose)).all()
        for link in others:
            if {link.left_account_id, link.right_account_id} == ends:
                return AccountsAlreadyLinked(link=link)
        for link in others:
            if link.low_end == self.low_end or link.high_end == self.high_end:
                end = self.low_end if link.low_end == self.low_end else self.high_end
                return LinkedElsewhere(account_id=end[: len(self.left_account_id)])
        counts = [sum(end in {link.left_account_id, link.right_account_id} for link in others) for end in ends]
        return TooManyAccountLinks() if max(counts) >= MOST else None

    def _before_save(self) -> None:
        if changed(self):
            for account in (self.left_account, self.right_account):
                self.tell("account.linked", account, confirmed=self.confirmed_at is not None)

    def _before_delete(self) -> None:
        for account in (self.left_account, self.right_account):
            self.tell("account.unlinked", account)

    def tell(self, kind: str, account: "Account", **details: Any) -> None:
        """Record what became of it, for one of its accounts, in the transaction that is open."""
        other = self.other(account)
        places = {"account_id": account.id, "directory_id": account.directory_id}
        with_whom = {"other": other.email, "other_id": other.id, "other_directory": other.directory.name}
        by = {} if other.directory.is_cloud else {"other_provider": other.directory.provider_id}
        event.record(kind, target=account, **places, **with_whom, **by, **details)


def put_back(rows: Sequence[Mapping[str, Any]], account_id: str) -> set[str]:
    """Write the links that an account had before it was deleted, in the transaction that is open.

    Return the ids of the accounts that it cannot be linked with again: they are gone, or linked elsewhere.
    """
    others = {row[_OTHER[row["right_account_id"] == account_id]]: row for row in rows}
    ends = [row[end] for row in rows for end in ("low_end", "high_end")]
    taken = sa.select(AccountLink.low_end, AccountLink.high_end)
    there_are = lock(*others)
    in_the_way = session.execute(taken.where(AccountLink.low_end.in_(ends) | AccountLink.high_end.in_(ends))).all()
    held = {end for both in in_the_way for end in both}
    back = {one: others[one] for one in there_are if held.isdisjoint({others[one]["low_end"], others[one]["high_end"]})}
    if back:
        session.connection().execute(sa.insert(AccountLink), list(back.values()))
    for row in back.values():
        link = session.get_one(AccountLink, row["id"], populate_existing=True)
        account = link.right_account if link.left_account_id == account_id else link.left_account
        link.tell("account.linked", account, confirmed=link.confirmed_at is not None)
    return others.keys() - back.keys()


_OTHER = ("right_account_id", "left_account_id")  # where the account itself is left, and where it is right


def lock(*account_ids: str) -> list[str]:
    """Let nobody else link these accounts until the open transaction ends. Return the ids of those there are."""
    accounts = Base.metadata.tables["stormpath_accounts"]
    found = sa.select(accounts.c.id).where(accounts.c.id.in_(account_ids)).order_by(accounts.c.id)
    try:
        return list(session.scalars(found.with_for_update()))
    except OperationalError as error:  # a MariaDB that locks nothing that was changed since it was read
        raise ChangedMeanwhile from error
