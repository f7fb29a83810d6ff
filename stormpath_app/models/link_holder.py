"""LinkHolder: what an account is to the accounts that it is linked with."""

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from .account_link import AccountLink
from .collection import Collection
from .member import Member

if TYPE_CHECKING:
    from .account import Account


class LinkHolder(Member):
    """The part of an account that knows its links with accounts of other directories."""

    __abstract__ = True

    @property
    def account_links(self) -> Collection[AccountLink]:
        """Its links. `create(right_account=...)` makes one with another account."""
        make: Any = partial(AccountLink.create, among=cast("Account", self))
        return Collection(AccountLink, AccountLink.of(self.id), create=make)

    @property
    def linked_accounts(self) -> "Collection[Account]":
        """The accounts that it is linked with."""
        model = cast("type[Account]", type(self))
        return Collection(model, model.id.in_(AccountLink.others_of(self.id)))

    def _tell_the_linked(self) -> None:
        """Record that its links end with it, for each account at their other end, in the open transaction."""
        for link in self.account_links:
            link.tell("account.unlinked", link.other(cast("Account", self)))
