"""Tenant: the whole of one database. There is one."""

from collections.abc import Mapping
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .. import names
from ..database import session
from ..errors import NotReady
from .api_key import ApiKey, ApiKeys
from .base import Resource


class Tenant(Resource):
    """The owner of all applications and directories."""

    __tablename__ = "stormpath_tenants"
    thing, collection = "Tenant", "tenants"

    name: Mapped[str] = mapped_column(sa.String(names.LONGEST))
    key: Mapped[str] = mapped_column(sa.String(63), unique=True)

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

    @property
    def api_keys(self) -> ApiKeys:
        """The tenant's own API keys, which are no account's. `create()` makes one."""
        return ApiKeys(ApiKey, ApiKey.tenant_id == self.id, ApiKey.account_id.is_(None), create=self._create_api_key)

    def _create_api_key(self, properties: Mapping[str, Any] | None = None, **more: Any) -> ApiKey:
        return ApiKey.create({**(properties or {}), **more}, tenant_id=self.id)
