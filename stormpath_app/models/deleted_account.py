"""DeletedAccount: the copy of an account that was deleted a short time ago, and may be wanted back."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from .. import clock, names, signals
from ..database import UTCDateTime, session
from ..errors import AccountAlreadyExists, ChangedMeanwhile, Conflict, ResourceNotFound
from ..transactions import announce, atomic, release
from ..translation import gettext as _
from . import account_link, event, references
from .account import Account
from .account_link import AccountLink
from .base import Base, Id
from .custom_data_rows import long_text
from .group import Group
from .group_membership import GroupMembership
from .login_name import LoginName
from .message import OutboxMessage
from .one_time_token import OneTimeToken
from .provider_data import ProviderData
from .session import AccountSession

#: How long an account that was deleted can be restored.
KEPT = timedelta(hours=24)

_ACCOUNTS: Any = Account.__table__
_MEMBERSHIPS = GroupMembership.__tablename__
#: What hangs on an account and is over when it is deleted: its logins, its links, its mails.
OVER = frozenset({AccountSession.__tablename__, OneTimeToken.__tablename__, OutboxMessage.__tablename__})


@dataclass(frozen=True)
class Restored:
    """An account that is back. `lost_groups`: the names of groups it was in that are gone.

    `lost_links`: the addresses of accounts it was linked with that are gone, or linked elsewhere.
    """

    account: Account
    lost_groups: tuple[str, ...]
    lost_links: tuple[str, ...] = ()


class DeletedAccount(Base):
    """What our tables had of an account, as it was stored: its hash, its custom data, its memberships, its API keys.

    And who it is at its provider, and its links: those come back whose other account is there, and linked with no
    other one of its directory. It has the account's id, and is forgotten after KEPT, or with its directory.
    """

    __tablename__ = "stormpath_deleted_accounts"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    directory_id: Mapped[str] = mapped_column(
        Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"), index=True
    )
    email: Mapped[str] = mapped_column(sa.String(names.LONGEST))
    deleted_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    #: JSON: table -> its rows; and the names of the groups.
    content: Mapped[str] = mapped_column(long_text(), deferred=True)

    @property
    def forgotten_at(self) -> datetime:
        """When it can be restored no more."""
        return self.deleted_at + KEPT

    @classmethod
    def find(cls, account_id: str) -> Self | None:
        """Return the copy of the account with this id; None where there is none, or not any more."""
        if not names.can_be_stored(account_id):
            return None
        return session.scalar(sa.select(cls).where(cls.id == account_id, cls.deleted_at > clock.now() - KEPT))

    @classmethod
    def take(cls, account: Account) -> Self:
        """Delete an account as `account.delete()` does, but keep a copy of it, and commit.

        :raises PointedAt: a row of the host's points at it.
        :raises ChangedMeanwhile: it was changed or deleted meanwhile.
        """
        release()
        with atomic() as current:
            # Nothing can be hung on it from here on.
            if current.scalar(sa.select(Account.id).where(Account.id == account.id).with_for_update()) is None:
                raise ChangedMeanwhile
            copied = cls(
                id=account.id,
                directory_id=account.directory_id,
                email=account.email,
                deleted_at=clock.now(),
                content=json.dumps(_copy(account.id), default=lambda at: {_MOMENT: at.isoformat()}),
            )
            account.delete()
            current.add(copied)
            current.flush()
        return copied

    @staticmethod
    def tables_of_host(account: Account) -> tuple[list[str], list[str]]:
        """Return the host's tables with rows that keep the account from being deleted, and those that change with it.

        What a database deletes or empties there of itself does not come back.
        """
        return references.changing(session.connection(), _ACCOUNTS, account.id)

    def restore(self) -> Restored:
        """Put the account back as it was, with its id and its password, and commit. Its logins stay ended.

        :raises ResourceNotFound: it was restored or forgotten already.
        :raises AccountAlreadyExists: another account has its address or username by now.
        :raises Conflict: its owner came by its provider again meanwhile, and has another account.
        """
        whose, copied = self.id, {}
        try:
            with atomic() as current:
                copied = self._use_up()
                groups, linked = copied.pop(_GROUPS), copied.pop(_LINKED, {})
                _check_free(copied)
                still_there = sa.select(Group.id).where(Group.id.in_(groups)).with_for_update(read=True)
                there_are = set(current.scalars(still_there))
                kept = [row for row in copied[_MEMBERSHIPS] if row["group_id"] in there_are]
                _write({**copied, _MEMBERSHIPS: kept})
                lost = tuple(sorted(name for group_id, name in groups.items() if group_id not in there_are))
                account = current.get_one(Account, whose, populate_existing=True)
                unlinked = account_link.put_back(copied.get(_LINKS, ()), whose)
                lost_links = tuple(sorted(linked[one] for one in unlinked))
                places = {"account_id": whose, "directory_id": account.directory_id}
                event.record("account.restored", target=account, **places, lost_groups=lost, lost_links=lost_links)
                announce(signals.user_created, account.payload)
        except IntegrityError as error:  # a name was taken just now
            _check_free(copied)
            raise Conflict from error
        return Restored(account, lost, lost_links)

    def _use_up(self) -> dict[str, Any]:
        """Return what was copied, which nobody else can from now on."""
        cls, mine = type(self), (DeletedAccount.id == self.id, DeletedAccount.deleted_at > clock.now() - KEPT)
        content = session.scalar(sa.select(cls.content).where(*mine).with_for_update())
        done: Any = session.execute(sa.delete(cls).where(*mine).execution_options(synchronize_session=False))
        if self in session:  # a copy of the same account may follow
            session.expunge(self)
        if content is None or done.rowcount != 1:
            raise ResourceNotFound(developer_message=f"The Account {self.email!r} cannot be restored any more.")
        return cast("dict[str, Any]", json.loads(content, object_hook=_moment))


# --- Rows ---

_MOMENT = "moment"  # what a moment is marked with
_GROUPS, _LINKED = "names of groups", "addresses of linked accounts"
_LINKS = AccountLink.__tablename__  # which point at two accounts


def _tables() -> Iterator[tuple[sa.Table, sa.Column[Any]]]:
    """Yield each table with rows that come back with an account, and its column that points at it."""
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            if key.column.table is _ACCOUNTS and key.ondelete == "CASCADE" and table.name not in {*OVER, _LINKS}:
                yield table, key.parent


def _copy(account_id: str) -> dict[str, Any]:
    copied: dict[str, Any] = {}
    for table, whose in ((_ACCOUNTS, _ACCOUNTS.c.id), *_tables()):
        rows = session.execute(sa.select(table).where(whose == account_id)).mappings()
        copied[table.name] = [dict(row) for row in rows]
    mine = sa.select(GroupMembership.group_id).where(GroupMembership.account_id == account_id)
    named = session.execute(sa.select(Group.id, Group.name).where(Group.id.in_(mine)))
    links = session.execute(sa.select(AccountLink.__table__).where(AccountLink.of(account_id))).mappings()
    copied[_LINKS] = [dict(row) for row in links]
    other = sa.select(Account.id, Account.email).where(Account.id.in_(AccountLink.others_of(account_id)))
    return {**copied, _GROUPS: dict(list(named)), _LINKED: dict(list(session.execute(other)))}


def _moment(found: dict[str, Any]) -> Any:
    return datetime.fromisoformat(found[_MOMENT]) if found.keys() == {_MOMENT} else found


def _write(copied: Mapping[str, Any]) -> None:
    for table in (_ACCOUNTS, *(table for table, _whose in _tables())):
        known = table.c.keys()  # a newer version may have others
        if rows := [{name: row[name] for name in row if name in known} for row in copied.get(table.name, ())]:
            session.execute(sa.insert(table), rows)


def _check_free(copied: Mapping[str, Any]) -> None:
    """Accept the names of an account that is to come back.

    :raises AccountAlreadyExists: another account has one by now.
    :raises Conflict: its owner came by the provider again meanwhile, and has another account.
    """
    (account,) = copied[Account.__tablename__]
    for label in ("email", "username"):
        if account[label] and LoginName.owner(account["directory_id"], account[label]):
            raise AccountAlreadyExists(Account.thing, label)
    for row in copied.get(ProviderData.__tablename__, ()):
        again = (ProviderData.directory_id == row["directory_id"], ProviderData.subject == row["subject"])
        if session.scalar(sa.select(ProviderData.id).where(*again)):
            raise Conflict(_("Its owner came by the same provider again, and has another account by now."))
