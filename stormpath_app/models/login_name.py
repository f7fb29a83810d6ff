"""LoginName: each key an account of a directory can be named by at login."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .. import names
from ..database import session
from .base import Base, Id, Key, Resource
from .unsaved import changed


class LoginName(Base):
    """One e-mail address or username of a directory.

    Its primary key makes each unique in the directory, lets no username equal another account's address, and is the
    one look-up of a login.
    """

    __tablename__ = "stormpath_login_names"

    directory_id: Mapped[str] = mapped_column(
        Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"), primary_key=True
    )
    name_key: Mapped[str] = mapped_column(Key, primary_key=True)
    account_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"), index=True)

    @classmethod
    def owner(cls, directory_id: str, name: str) -> str | None:
        """Return the id of the account of the directory that has this name; None where none has."""
        key = names.key(name)
        return session.scalar(sa.select(cls.account_id).where(cls.directory_id == directory_id, cls.name_key == key))


def follow(accounts: type[Resource]) -> None:
    """Let the login names follow the columns `email` and `chosen_username` of accounts, whoever writes them."""
    sa.event.listen(accounts, "after_insert", _add)
    sa.event.listen(accounts, "after_update", _move)


def _add(_mapper: object, connection: sa.Connection, account: Any) -> None:
    _write(connection, account, _keys(account.email, account.chosen_username))


def _move(_mapper: object, connection: sa.Connection, account: Any) -> None:
    what = changed(account)
    if not {"email", "chosen_username"} & what.keys():
        return
    before = _keys(
        what["email"][0] if "email" in what else account.email,
        what["chosen_username"][0] if "chosen_username" in what else account.chosen_username,
    )
    after = _keys(account.email, account.chosen_username)
    connection.execute(
        sa.delete(LoginName).where(LoginName.account_id == account.id, LoginName.name_key.in_(before - after))
    )
    _write(connection, account, after - before)


def _keys(email: str | None, username: str | None) -> set[str]:
    return {names.key(name) for name in (email, username) if name}


def _write(connection: sa.Connection, account: Any, keys: set[str]) -> None:
    if keys:
        connection.execute(
            sa.insert(LoginName),
            [{"directory_id": account.directory_id, "name_key": key, "account_id": account.id} for key in sorted(keys)],
        )
