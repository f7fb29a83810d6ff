"""Administrators: the accounts that may use the console, what each may do there, and in which directories."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ..database import session
from ..errors import NotReady, ResourceNotFound, UnsupportedValue
from ..transactions import atomic
from . import event
from .account import Account
from .administration import (
    APPLICATION,
    DIRECTORY,
    DIRECTORY_KEY,
    OWNER,
    ROLES,
    is_administrators,
)
from .application import Application
from .base import ENABLED, Base, Id
from .directory import Directory
from .group import Group
from .group_membership import GroupMembership
from .member import enabled_groups


class AdministratorLimit(Base):
    """The directories that an administrator is limited to; who has no row is not. One that was deleted stays in it."""

    __tablename__ = "stormpath_administrator_limits"

    account_id: Mapped[str] = mapped_column(
        Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"), primary_key=True
    )
    #: JSON: their ids.
    directory_ids: Mapped[str] = mapped_column(sa.Text)


@dataclass(frozen=True)
class Administrator:
    """An account and its role. `directory_ids`: those it is limited to; None: all."""

    account: Account
    role: str
    directory_ids: frozenset[str] | None

    @classmethod
    def of(cls, account: Account) -> Self | None:
        """Return what an account is to the console; None: nothing, as one of another directory."""
        if not is_administrators(account.directory):
            return None
        groups, limit = session.execute(_KNOWN, {"account_id": account.id}).one()
        return cls.read(account, groups, limit)

    @classmethod
    def read(cls, account: Account, groups: str | None, limit: str | None) -> Self | None:
        """Return what an account is, by its enabled groups and its limit as statements give them."""
        role = highest(groups)
        if role is None:
            return None
        limited = None if limit is None or role == OWNER else frozenset(json.loads(limit))
        return cls(account, role, limited)

    @classmethod
    def get(cls, href: str) -> Self:
        """Return the administrator whose account has this href or id.

        :raises ResourceNotFound: there is none.
        """
        account = directory().accounts.get(href)
        found = cls.of(account)
        if found is None:
            raise ResourceNotFound(developer_message=f"The Account {account.email!r} has no role in the console.")
        return found

    @classmethod
    def create(
        cls,
        email: str,
        password: str,
        role: str,
        *,
        given_name: str | None = None,
        surname: str | None = None,
        directories: Iterable[Directory] | None = None,
    ) -> Self:
        """Create an account with a role in the directory of the administrators, and commit.

        :param directories: those it is limited to; None: all.
        :raises StormpathError: it cannot be, as with any account; nothing is written.
        """
        with atomic(lock=False):  # the password is hashed before the first change
            account = directory().create_account(
                email=email,
                password=password,
                given_name=given_name,
                surname=surname,
                registration_workflow_enabled=False,
            )
            return cls.grant(account, role, directories=directories)

    @classmethod
    def grant(cls, account: Account, role: str, *, directories: Iterable[Directory] | None = None) -> Self:
        """Give an account of the administrators' directory this role alone, with these limits, and commit.

        :param directories: those it is limited to; None: all, as always of an owner.
        :raises LastOwner: it is the only owner, and would be none.
        """
        if role not in ROLES:
            raise UnsupportedValue("Administrator", "role", allowed=", ".join(ROLES))
        limited = None if directories is None or role == OWNER else sorted({one.id for one in directories})
        home = directory()
        with atomic():
            account.add_group(home.get_group(role))
            for group in list(account.groups):
                if group.name_key in ROLES and group.name_key != role:
                    account.remove_group(group)
            _limit(account, limited)
        return cls(account, role, None if limited is None else frozenset(limited))

    def revoke(self) -> None:
        """Take the role away, and commit. The account stays, and can open nothing here.

        :raises LastOwner: it is the only owner.
        """
        with atomic():
            for group in list(self.account.groups):
                if group.name_key in ROLES:
                    self.account.remove_group(group)
            _limit(self.account, None)

    def may(self, role: str) -> bool:
        """Tell whether it may do what this role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


def _limit(account: Account, directory_ids: list[str] | None) -> None:
    """Write which directories an administrator is limited to, in the open transaction, with a line in the log."""
    known = session.get(AdministratorLimit, account.id)
    before = json.loads(known.directory_ids) if known else None
    if before == directory_ids:
        return
    if known and directory_ids is None:
        session.delete(known)
    elif known:
        known.directory_ids = json.dumps(directory_ids)
    else:
        session.add(AdministratorLimit(account_id=account.id, directory_ids=json.dumps(directory_ids)))
    session.flush()
    event.record(
        "administrator.limited",
        target=account,
        account_id=account.id,
        directory_id=account.directory_id,
        changed={"directories": [before, directory_ids]},
    )


def highest(groups: str | None) -> str | None:
    """Return the highest role among an account's enabled groups, as `enabled_groups` gives them; None: none of them."""
    mine = {line.partition(" ")[2] for line in json.loads(groups or "[]")}
    return next((role for role in reversed(ROLES) if role in mine), None)


def directory() -> Directory:
    """Return the directory of the administrators.

    :raises NotReady: nobody has set it up.
    """
    found = Directory.named(DIRECTORY)
    if found is None:
        raise NotReady([f"There is no directory {DIRECTORY!r} yet. Run `flask stormpath init`."])
    return found


def console() -> Application:
    """Return the application that administrators log in to.

    :raises NotReady: nobody has set it up.
    """
    found = Application.named(APPLICATION)
    if found is None:
        raise NotReady([f"There is no application {APPLICATION!r} yet. Run `flask stormpath init`."])
    return found


def exist() -> bool:
    """Tell whether there is an owner who can log in."""
    owners = (
        sa.select(Account.id)
        .join(Directory, Directory.id == Account.directory_id)
        .join(Group, Group.directory_id == Directory.id)
        .join(GroupMembership, sa.and_(GroupMembership.group_id == Group.id, GroupMembership.account_id == Account.id))
        .where(Directory.name_key == DIRECTORY_KEY, Group.name_key == OWNER, Account.status == ENABLED)
    )
    return session.scalar(owners.limit(1)) is not None


_KNOWN = sa.select(
    enabled_groups(sa.bindparam("account_id")).scalar_subquery(),
    sa.select(AdministratorLimit.directory_ids)
    .where(AdministratorLimit.account_id == sa.bindparam("account_id"))
    .scalar_subquery(),
)


def install() -> None:
    """Make what is missing of the console's application, directory and groups, in the open transaction."""
    application, home = Application.named(APPLICATION), Directory.named(DIRECTORY)
    application = application or Application.create(name=APPLICATION, description="The console.")
    home = home or Directory.create(name=DIRECTORY, description="Who may use the console.")
    if not application.account_store_mappings:
        application.add_account_store(home, is_default=True)
    for role in ROLES:
        if home.find_group(role) is None:
            home.create_group(name=role)


def missing() -> str | None:
    """Return a sentence for what of it is missing or not as it must be; None: nothing."""
    application, home = Application.named(APPLICATION), Directory.named(DIRECTORY)
    if application is None or home is None or any(home.find_group(role) is None for role in ROLES):
        return "The console has not all it needs in the database yet. Run `flask stormpath init`."
    if [mapping.store_id for mapping in application.account_store_mappings] != [home.id]:
        return f"The application {APPLICATION!r} is the console's: its one account store must be {DIRECTORY!r}."
    return None
