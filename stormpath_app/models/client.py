"""Client: everything in the database, from the top."""

from .account import Account
from .account_store_mapping import AccountStoreMapping
from .application import Application
from .collection import Collection
from .directory import Directory
from .group import Group
from .group_membership import GroupMembership
from .tenant import Tenant


class Accounts(Collection[Account]):
    """All accounts of all directories."""

    @staticmethod
    def verify_email_token(token: str) -> Account:
        """Confirm an account's address by the token that was mailed to it, and commit. Return the account.

        :raises TokenRefused: the token is none, or does not work any more.
        """
        return Account.verify_email(token)


class Client:
    """What Stormpath's SDK called a client: the tenant and its collections. It talks to the app's own database."""

    @property
    def tenant(self) -> Tenant:
        """The tenant.

        :raises NotReady: nobody has set up the database.
        """
        return Tenant.current()

    @property
    def applications(self) -> Collection[Application]:
        """All applications. `create({...}, create_directory=True)` makes one with a directory of its own."""
        return Collection(Application, create=Application.create)

    @property
    def directories(self) -> Collection[Directory]:
        """All directories."""
        return Collection(Directory, create=Directory.create)

    @property
    def accounts(self) -> Accounts:
        """All accounts of all directories; a new one is created in an application or a directory."""
        return Accounts(Account)

    @property
    def groups(self) -> Collection[Group]:
        """All groups of all directories; a new one is created in an application or a directory."""
        return Collection(Group)

    @property
    def group_memberships(self) -> Collection[GroupMembership]:
        """All memberships. `create(account=..., group=...)` makes one."""
        return Collection(GroupMembership, create=GroupMembership.create)

    @property
    def account_store_mappings(self) -> Collection[AccountStoreMapping]:
        """The account stores of all applications. `create({"application": ..., "account_store": ...})` adds one."""
        return Collection(AccountStoreMapping, create=Application.map)


Tenant.client = Client
