"""Administrators: the accounts that may use the console, what each may do there, and in which directories."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ..database import session
from ..errors import NotReady, ResourceNotFound, TokenRefused, UnsupportedValue
from ..transactions import atomic
from . import event, message, one_time_token
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
from .base import ENABLED, UNVERIFIED, VERIFIED, Base, Id
from .directory import Directory
from .email_holder import find_token
from .event import AuditEvent, unindexed
from .group import Group
from .group_membership import GroupMembership
from .member import enabled_groups
from .one_time_token import INVITATION, OneTimeToken

#: How long an invitation is good.
INVITATION_LIFE = timedelta(days=7)


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

    # --- By mail ---

    @classmethod
    def invite(
        cls, email: str, role: str, *, directories: Iterable[Directory] | None = None, by: str | None = None
    ) -> Self:
        """Make an account with a role and no password, mail it a link to where its owner chooses one, and commit.

        Until then it is UNVERIFIED, and lets nobody in.

        :param by: who invites, for the mail.
        :raises StormpathError: it cannot be, as with any account; nothing is written.
        """
        home = directory()
        with atomic():
            account = Account(directory_id=home.id, directory=home, email=email, status=UNVERIFIED)
            account.registration_workflow_enabled = False
            account.save()
            found = cls.grant(account, role, directories=directories)
            found.send_invitation(by=by)
        return found

    @property
    def is_invited(self) -> bool:
        """Whether it has not taken its invitation up yet."""
        return self.account.status == UNVERIFIED

    def send_invitation(self, *, by: str | None = None) -> None:
        """Mail the link, and commit; the one before is dead then.

        :raises MailQuotaExceeded: not so often; the last link stays good.
        """
        application_id = console().id
        with atomic():
            self.account.lock()
            message.check_quota(message.INVITATION, self.account)
            issued = one_time_token.issue(INVITATION, self.account, self.account.email, INVITATION_LIFE, application_id)
            message.queue(
                message.INVITATION,
                self.account,
                application_id=application_id,
                nonce=issued.nonce,
                life=INVITATION_LIFE,
                by=by,
            )
            _record("administrator.invited", self.account)

    @classmethod
    def accept(
        cls,
        token: str | OneTimeToken,
        password: str,
        *,
        given_name: str | None = None,
        surname: str | None = None,
    ) -> Account:
        """Give an invited account the password and the names that its owner chose, and commit. It is ENABLED then.

        :raises TokenRefused: the token is none, or does not work any more.
        :raises PasswordRefused, PropertyError: they cannot be so; the token stays good.
        """
        found = cls.find_invitation(one_time_token.hash_of(token))
        account = found.account
        account.choose_password(password)
        account.given_name, account.surname = given_name, surname
        account.status, account.email_verification_status = ENABLED, VERIFIED
        account.save_using(found, lambda: _record("administrator.joined", account))
        return account

    @classmethod
    def find_invitation(cls, token_hash: str) -> OneTimeToken:
        """Return the invitation with this hash of its token, which a browser's session may keep.

        :raises TokenRefused: there is none that works.
        """
        found = find_token(INVITATION, token_hash)
        if found.account.status != UNVERIFIED:
            raise TokenRefused
        return found

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
    _record("administrator.limited", account, directories=[before, directory_ids])


def _record(kind: str, account: Account, **details: Any) -> None:
    event.record(kind, target=account, account_id=account.id, directory_id=account.directory_id, **details)


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


@dataclass(frozen=True)
class Listed:
    """One account of the administrators' directory. `role`: None where it has none; `limits`: how many directories."""

    account: Account
    role: str | None
    limits: int | None
    last_login_at: datetime | None


def everybody(limit: int = 500) -> list[Listed]:
    """Return the accounts of the administrators' directory by their address, the first so many. One statement."""
    last = (
        sa.select(sa.func.max(AuditEvent.at))
        .where(AuditEvent.account_id == Account.id, unindexed(AuditEvent.kind) == "login.succeeded")
        .scalar_subquery()
    )
    found = (
        sa.select(Account, enabled_groups(Account.id).scalar_subquery(), AdministratorLimit.directory_ids, last)
        .outerjoin(AdministratorLimit, AdministratorLimit.account_id == Account.id)
        .where(Account.directory_id == directory().id)
        .order_by(Account.email_key, Account.id)
        .limit(limit)
    )
    return [
        Listed(account, highest(groups), None if limits is None else len(json.loads(limits)), at)
        for account, groups, limits, at in session.execute(found)
    ]


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
