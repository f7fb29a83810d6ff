"""AccountLinkingPolicy: what becomes of a login by another site, of whoever may have an account here already."""

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from ..errors import UnsupportedValue, WrongType
from . import event
from .base import DISABLED, ENABLED, Id, Resource, status
from .unsaved import changed

if TYPE_CHECKING:
    from .application import Application

EMAIL = "email"


class AccountLinkingPolicy(Resource):
    """How accounts of other sites are linked at one application. It has the application's id.

    `status`: where it is DISABLED, an account of another site is one by itself, unless its owner linked it.
    `automatic_provisioning`: ENABLED: who logs in by another site gets an account in the default account store.
    `matching_property`: "email": who has one there with the same verified address is linked with it; None: nobody is.
    """

    __tablename__ = "stormpath_account_linking_policies"
    thing, collection = "Account linking policy", "accountLinkingPolicies"
    readable = ("status", "automatic_provisioning", "matching_property")
    writable = frozenset(readable)
    links = frozenset({"application"})

    id: Mapped[str] = mapped_column(
        Id, sa.ForeignKey("stormpath_applications.id", ondelete="CASCADE"), primary_key=True
    )
    # The values before are always known, as the log tells them.
    status: Mapped[str] = mapped_column(sa.String(16), default=DISABLED, active_history=True)
    automatic_provisioning: Mapped[str] = mapped_column(sa.String(16), default=DISABLED, active_history=True)
    matching_property: Mapped[str | None] = mapped_column(sa.String(16), active_history=True)

    application: Mapped["Application"] = relationship(back_populates="account_linking_policy")

    @validates("status", "automatic_provisioning")
    def _check_status(self, key: str, value: object) -> str:
        return status(self.thing, value, name=key)

    @validates("matching_property")
    def _check_matching_property(self, key: str, value: object) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise WrongType(self.thing, key)
        if value.lower() != EMAIL:
            raise UnsupportedValue(self.thing, key, allowed=EMAIL)
        return EMAIL

    @property
    def is_enabled(self) -> bool:
        """Whether the status is ENABLED."""
        return self.status == ENABLED

    @property
    def provisions(self) -> bool:
        """Whether who logs in by another site gets an account in the default account store."""
        return self.automatic_provisioning == ENABLED

    @property
    def title(self) -> str:
        """The name of the application."""
        return self.application.name

    def _before_save(self) -> None:
        if what := changed(self):
            told = event.changes(self, what)
            event.record("account_linking_policy.updated", target=self, application_id=self.id, changed=told)
