"""What an administrator may see and touch. Every screen asks here, and finds nothing else by an id.

The application "Stormpath" and the directory "Stormpath Administrators" are in nobody's scope: who could change them
would be everything. The screen of administrators alone deals with them.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import abort, g

from .. import names
from ..database import session
from ..errors import AccountStoreNotMapped, ResourceNotFound
from ..models import Account, AccountStoreMapping, Application, Collection, Directory, Group, Provider
from ..models.administration import APPLICATION_KEY, DIRECTORY, DIRECTORY_KEY
from ..models.base import Resource
from ..models.login_name import LoginName
from ..settings import settings
from .session import administrator

R = TypeVar("R", bound=Resource)

#: So many can be chosen from in a form; there is a search for the others.
MOST_CHOICES = 200


def directory_ids() -> sa.Select[Any]:
    """Return a statement for the ids of the directories that the administrator deals with."""
    wanted = sa.select(Directory.id).where(Directory.name_key != DIRECTORY_KEY)
    limits = administrator.directory_ids
    return wanted if limits is None else wanted.where(Directory.id.in_(limits))


def apart() -> list[str]:
    """Return the directory that no screen but that of administrators deals with, if it is there."""
    found = Directory.named(DIRECTORY)
    return [found.id] if found else []


def directories() -> Collection[Directory]:
    """Return the directories, without that of the administrators."""
    return Collection(Directory, Directory.id.in_(directory_ids()), create=Directory.create)


def cloud_directories() -> Collection[Directory]:
    """Return those of the directories that accounts can be made in: all others come by a provider."""
    return directories().among(sa.select(Directory.id).where(Directory.provider_id == Provider.STORMPATH))


def directory_names(rows: Iterable[Account | Group]) -> dict[str, str]:
    """Return the names of the directories that the rows of a page are in, by their ids."""
    wanted = sa.select(Directory.id, Directory.name).where(Directory.id.in_({row.directory_id for row in rows}))
    return {found.id: found.name for found in session.execute(wanted)}


def ids() -> list[str]:
    """Return these ids, asked for once in a request: an index of a directory's accounts needs to be given them."""
    if "stormpath_admin_directories" not in g:
        g.stormpath_admin_directories = list(session.scalars(directory_ids()))
    found: list[str] = g.stormpath_admin_directories
    return found


def accounts() -> Collection[Account]:
    """Return the accounts of these directories."""
    return Collection(Account, Account.directory_id.in_(ids()))


def groups() -> Collection[Group]:
    """Return the groups of these directories."""
    return Collection(Group, Group.directory_id.in_(ids()))


def applications() -> Collection[Application]:
    """Return the applications, but the console's own; for a limited administrator, those of their directories."""
    conditions = [Application.name_key != APPLICATION_KEY]
    if administrator.directory_ids is not None:
        mapped = sa.select(AccountStoreMapping.application_id).where(
            AccountStoreMapping.directory_id.in_(directory_ids())
        )
        conditions.append(Application.id.in_(mapped))
    return Collection(Application, *conditions, create=Application.create)


def accounts_of(application: Application) -> Collection[Account]:
    """Return the accounts in scope that an application lets in."""
    return Collection(Account, application.holds(Account), Account.directory_id.in_(ids()))


def find(collection: Collection[R], model: type[R], resource_id: str) -> R | None:
    """Return the one with this id, if it is in a collection."""
    found = model.find(resource_id) if resource_id.isalnum() else None
    return found if found is not None and found in collection else None


def one_of(collection: Collection[R], model: type[R], resource_id: str) -> R:
    """Return the one with this id, if it is in a collection; anything else is a 404."""
    return find(collection, model, resource_id) or abort(404)


def choices(collection: Collection[Any], chosen: str | None = None) -> list[tuple[str, str]]:
    """Return ids and names to choose from, sorted by name, with the one that is chosen however many there are."""
    found = [(each.id, each.name) for each in collection.order("name")[:MOST_CHOICES]]
    if chosen and chosen.isalnum() and chosen not in dict(found):
        found += [(each.id, each.name) for each in collection.among(sa.select(sa.literal(chosen)))]
    return found


def usual_directory(kind: str) -> str | None:
    """Return the id of the directory that new accounts, or groups, of the site's application go to, if it is in scope.

    :param kind: "account" or "group".
    """
    site = Application.named(settings.APPLICATION)
    mapping = site[f"default_{kind}_store_mapping"] if site else None
    return mapping.directory_id if mapping is not None and mapping.directory_id in ids() else None


def application_of(account: Account) -> Application:
    """Return the application through which an account is mailed: the site's, where it lets the account in.

    :raises AccountStoreNotMapped: none lets it in.
    """
    found = {application.id: application for application in account.applications}
    current = Application.named(settings.APPLICATION)
    if current is not None and current.id in found:
        return current
    if not found:
        raise AccountStoreNotMapped
    return next(iter(found.values()))


def account_named(login: str) -> Account:
    """Return the one account in scope with this email address, username, id or href.

    :raises ResourceNotFound: there is none, or there are several.
    """
    if by_id := find(accounts(), Account, Account.id_in(login) or login):
        return by_id
    key = names.key(login.strip()) if names.can_be_stored(login) else ""
    known_as = sa.select(LoginName.account_id).where(LoginName.directory_id.in_(ids()), LoginName.name_key == key)
    found = accounts().among(known_as)[:2]
    if len(found) != 1:
        raise ResourceNotFound(developer_message=f"There is not one account {login!r}.")
    return found[0]
