"""Tenant: the whole of one database. There is one."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, validates

from .. import names
from ..database import session
from ..errors import InvalidFormat, NotReady
from . import custom_data_rows, event
from .api_key import ApiKey, ApiKeys
from .custom_data_holder import CustomDataHolder
from .unsaved import changed


class Tenant(CustomDataHolder):
    """The owner of all applications and directories."""

    __tablename__ = "stormpath_tenants"
    thing, collection = "Tenant", "tenants"
    writable = frozenset({"name", "key", "custom_data"})
    readable = ("name", "key")
    links = frozenset({"applications", "directories", "groups", "accounts", "api_keys", "custom_data"})
    custom_data_table = custom_data_rows.table(__tablename__)

    #: Returns everything from the top. `client.py`, which stands above, sets it.
    client: ClassVar[Callable[[], Any]]

    name: Mapped[str] = mapped_column(sa.String(names.LONGEST))
    key: Mapped[str] = mapped_column(sa.String(63), unique=True)

    @property
    def title(self) -> str:
        """The name."""
        return self.name

    @validates("name")
    def _check_name(self, key: str, value: object) -> str | None:
        return names.text(self.thing, key, value, required=True)

    @validates("key")
    def _check_key(self, key: str, value: object) -> str:
        text = names.text(self.thing, key, value, longest=63, required=True) or ""
        if not re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", text):
            raise InvalidFormat(self.thing, key)
        return text

    @classmethod
    def first(cls) -> Self | None:
        """Return the tenant; None in a database that nobody has set up."""
        return session.scalar(sa.select(cls).order_by(cls.id).limit(1))

    @classmethod
    def current(cls) -> Self:
        """Return the tenant.

        :raises NotReady: nobody has set up the database.
        """
        found = cls.first()
        if found is None:
            raise NotReady(["The database is empty. Run `flask stormpath init`."])
        return found

    # --- What it owns ---

    @property
    def applications(self) -> Any:
        """All applications, as `client.applications`."""
        return type(self).client().applications

    @property
    def directories(self) -> Any:
        """All directories, as `client.directories`."""
        return type(self).client().directories

    @property
    def groups(self) -> Any:
        """All groups of all directories, as `client.groups`."""
        return type(self).client().groups

    @property
    def accounts(self) -> Any:
        """All accounts of all directories, as `client.accounts`."""
        return type(self).client().accounts

    @property
    def api_keys(self) -> ApiKeys:
        """The tenant's own API keys, which are no account's. `create()` makes one."""
        return ApiKeys(ApiKey, ApiKey.tenant_id == self.id, ApiKey.account_id.is_(None), create=self._create_api_key)

    def _create_api_key(self, properties: Mapping[str, Any] | None = None, **more: Any) -> ApiKey:
        return ApiKey.create({**(properties or {}), **more}, tenant_id=self.id)

    # --- Saving ---

    def _before_save(self) -> None:
        if self.is_new:
            event.record("tenant.created", target=self, changed=event.changes(self))
        else:
            self._tell_update(changed(self))

    def _tell_update(self, what: dict[str, tuple[Any, Any]]) -> None:
        details = self._custom_data_details()
        if what or details:
            columns: dict[str, Any] = {"changed": event.changes(self, what)} if what else {}
            event.record("tenant.updated", target=self, **columns, **details)
