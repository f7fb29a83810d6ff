"""The console's own application, directory and groups: what they are called, and what keeps them as they are.

Stormpath made them for each tenant, and let nobody change them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from .. import names
from ..database import session
from ..errors import ChangedMeanwhile, LastOwner, Protected
from .base import ENABLED, Base

if TYPE_CHECKING:
    from .named import Named

APPLICATION, DIRECTORY = "Stormpath", "Stormpath Administrators"
APPLICATION_KEY, DIRECTORY_KEY = names.key(APPLICATION), names.key(DIRECTORY)

#: What an administrator may do, from the least on: each is a group of the directory, and may do what those before may.
VIEWER, SUPPORT, MANAGER, OWNER = "viewer", "support", "manager", "owner"
ROLES = (VIEWER, SUPPORT, MANAGER, OWNER)


def is_console(application: "Named") -> bool:
    """Tell whether this application is the console."""
    return application.name_key == APPLICATION_KEY


def is_administrators(directory: "Named") -> bool:
    """Tell whether this directory is that of the administrators."""
    return directory.name_key == DIRECTORY_KEY


def guard(resource: "Named", what: Mapping[str, Any], *keys: str) -> None:
    """Accept a change of an application, directory or group, unless it renames or disables one with these keys.

    :raises Protected: it does.
    """
    if not {"name_key", "status"} & what.keys():
        return
    cls = type(resource)
    # What it was called is not always known: a host's session forgets with each commit what it had.
    before = sa.select(cls.name_key).where(cls.id == resource.id)
    if (session.scalar(before) if "name_key" in what else resource.name_key) in keys:
        raise Protected


def keep_an_owner(account_id: str) -> None:
    """Accept, in the transaction that is open, that an account will be no owner any more. Nobody else can meanwhile.

    :raises LastOwner: there would be none, counting ENABLED accounts alone.
    """
    tables = Base.metadata.tables
    accounts, groups = tables["stormpath_accounts"], tables["stormpath_groups"]
    memberships, directories = tables["stormpath_group_memberships"], tables["stormpath_directories"]
    ours = sa.select(directories.c.id).where(directories.c.name_key == DIRECTORY_KEY).scalar_subquery()
    group = sa.select(groups.c.id).where(groups.c.directory_id == ours, groups.c.name_key == OWNER)
    try:
        group_id = session.scalar(group.with_for_update(of=groups))
        owners = session.scalars(
            sa.select(accounts.c.id)
            .join(memberships, memberships.c.account_id == accounts.c.id)
            .where(memberships.c.group_id == group_id, accounts.c.status == ENABLED)
            .with_for_update(read=True)  # as they are now, and not when the transaction first read
        ).all()
    except OperationalError as error:  # a MariaDB that locks nothing that was changed since it was read
        raise ChangedMeanwhile from error
    if owners == [account_id]:
        raise LastOwner
