"""Client: everything in the database, from the top."""

from collections.abc import Mapping
from typing import Any

from ..errors import NotReady
from .account import Account
from .application import Application
from .collection import Collection
from .directory import Directory
from .tenant import Tenant


class Client:
    """What Stormpath's SDK called a client: the tenant and its collections. It talks to the app's own database."""

    @property
    def tenant(self) -> Tenant:
        """The tenant.

        :raises NotReady: nobody has set up the database.
        """
        found = Tenant.current()
        if found is None:
            raise NotReady(["The database is empty. Run `flask stormpath init`."])
        return found

    @property
    def applications(self) -> Collection[Application]:
        """All applications. `create({...}, create_directory=True)` makes one with a directory of its own."""
        return Collection(Application, create=self._create(Application))

    @property
    def directories(self) -> Collection[Directory]:
        """All directories."""
        return Collection(Directory, create=self._create(Directory))

    @property
    def accounts(self) -> Collection[Account]:
        """All accounts of all directories; a new one is created in an application or a directory."""
        return Collection(Account)

    def _create(self, model: type[Application] | type[Directory]) -> Any:
        def create(properties: Mapping[str, Any] | None = None, **more: Any) -> Any:
            return model.create(self.tenant.id, properties, **more)

        return create
