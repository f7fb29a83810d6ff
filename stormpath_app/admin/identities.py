"""Who an account is elsewhere: at the provider that it came by, and the accounts that it is linked with."""

import json
from typing import Any

from flask import abort, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from ..errors import AccountStoreNotMapped, ResourceNotFound
from ..models import Account, AccountLink, Collection, Directory
from ..models.account_link import MOST
from ..models.administration import MANAGER, VIEWER
from ..models.provider import name_of
from ..translation import gettext as _
from . import scope
from .account import FOUND, AccountTabs
from .account_actions import action
from .gate import needs


class IdentityPages(AccountTabs):
    """The tab with the identities of an account, and what is done there."""

    @expose("/<id>/identities")
    @needs(VIEWER)
    def identities(self, id: str) -> ResponseReturnValue:
        """Show what its provider told, its links, and those that a search found to be linked."""
        account = self.get_one(id)
        data = None if account.directory.is_cloud else account.provider_data
        links = [(link, link.other(account)) for link in account.account_links[:MOST]]
        place, wanted = request.args.get("directory", ""), request.args.get("add", "").strip()
        linked = {other.id for _link, other in links}
        found = _elsewhere(account, place).search(wanted).limit(FOUND)[:] if wanted else []
        return self.tab(
            account,
            "identities",
            data=data,
            profile=json.dumps(data.user_info, indent=2, ensure_ascii=False) if data else "",
            links=links,
            is_seen=lambda other: other.directory_id in scope.ids(),
            provider_of=name_of,
            place=place,
            places=[choice for choice in scope.choices(scope.directories()) if choice[0] != account.directory_id],
            wanted=wanted,
            candidates=[other for other in found if other.id not in linked],
            is_found=bool(found),
        )

    @action("identities/link", MANAGER, fresh=True)
    def link_identity(self, account: Account) -> str:
        """Link it with an account of another directory."""
        other = scope.one_of(_elsewhere(account), Account, request.form.get("account", ""))
        account.account_links.create(right_account=other)
        return _("%(name)s is linked with %(other)s.", name=account.email, other=_place(other))

    @action("identities/unlink", MANAGER, fresh=True)
    def unlink_identity(self, account: Account) -> str:
        """End a link of it."""
        link = scope.one_of(account.account_links, AccountLink, request.form.get("link", ""))
        other = link.other(account)
        if other.directory_id not in scope.ids():
            abort(404)
        told = _("%(name)s is linked with %(other)s no more.", name=account.email, other=_place(other))
        _unlink(link, account, other)
        return told


def _elsewhere(account: Account, directory_id: str = "") -> Collection[Account]:
    """Return the accounts in scope of other directories, or of one of them."""
    if directory_id:
        return scope.one_of(scope.directories(), Directory, directory_id).accounts
    others: list[Any] = [one for one in scope.ids() if one != account.directory_id]
    return Collection(Account, Account.directory_id.in_(others))


def _place(account: Account) -> str:
    return f"{account.email} ({account.directory.name})"


def _unlink(link: AccountLink, account: Account, other: Account) -> None:
    """End a link; that of an account of ours with one of a provider as its owner would.

    :raises LastWayIn: nobody could log in to it any more.
    """
    ours, by_provider = (account, other) if account.directory.is_cloud else (other, account)
    if not ours.directory.is_cloud or by_provider.directory.is_cloud:
        link.delete()
        return
    try:
        scope.application_of(ours).unlink(ours, by_provider.directory.provider_id)
    except (AccountStoreNotMapped, ResourceNotFound):  # nobody logs in by that link
        link.delete()
