"""AccountSchema and its Fields: which names an account of a directory must have."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from ..errors import PropertyRequired, UnknownProperty
from . import event
from .base import Id, Resource, boolean, directory_name, stays
from .unsaved import changed

if TYPE_CHECKING:
    from .directory import Directory

# Stormpath's names of the fields, and the attributes of an account that they are.
_ATTRIBUTES = {"givenName": "given_name", "surname": "surname"}


class Fields(list["Field"]):
    """The fields of a schema: `fields["surname"]`, or one after the other."""

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return super().__getitem__(key)
        for field in self:
            if key in {field.name, field.attribute}:
                return field
        raise UnknownProperty(AccountSchema.thing, key)


class Field(Resource):
    """One name of accounts, and whether they must have it."""

    __tablename__ = "stormpath_fields"
    __table_args__ = (sa.UniqueConstraint("schema_id", "name"),)
    thing, collection = "Field", "fields"
    readable = ("name", "required")
    writable = frozenset({"required"})
    links = frozenset({"schema"})

    schema_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_account_schemas.id", ondelete="CASCADE"))
    #: As Stormpath has it: "givenName" or "surname".
    name: Mapped[str] = mapped_column(sa.String(32))
    required: Mapped[bool] = mapped_column(default=False, active_history=True)  # the log tells the value before

    schema: Mapped["AccountSchema"] = relationship(back_populates="fields")

    @property
    def title(self) -> str:
        """The name of the directory."""
        return directory_name(self.schema_id)

    @property
    def attribute(self) -> str:
        """What the account calls it: "given_name" or "surname"."""
        return _ATTRIBUTES[self.name]

    @validates("name")
    def _check_name(self, key: str, value: object) -> Any:
        return stays(self, key, value)

    @validates("required")
    def _check_required(self, key: str, value: object) -> bool:
        return boolean(self.thing, key, value)

    def _before_save(self) -> None:
        if "required" in (what := changed(self)):
            event.record(
                "account_schema.updated",
                target=self,
                directory_id=self.schema_id,
                changed={self.name: event.changes(self, what)["required"]},
            )


class AccountSchema(Resource):
    """The names that accounts of one directory must have. It has the directory's id; its `fields` are what changes."""

    __tablename__ = "stormpath_account_schemas"
    thing, collection = "Account schema", "schemas"
    links = frozenset({"fields", "directory"})

    id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"), primary_key=True)

    fields: Mapped[Fields] = relationship(
        Field,
        back_populates="schema",
        collection_class=Fields,
        order_by=Field.name,
        lazy="selectin",
        cascade="all",
        passive_deletes=True,
    )
    directory: Mapped["Directory"] = relationship(back_populates="account_schema")

    @classmethod
    def standard(cls, directory_id: str) -> "AccountSchema":
        """Return a new schema that requires no name."""
        return cls(id=directory_id, fields=Fields(Field(name=name, required=False) for name in _ATTRIBUTES))

    def check(self, given: Mapping[str, str | None]) -> None:
        """Accept the names that an account is given; those that are not among them are not looked at.

        :raises PropertyRequired: one of them is required, and blank.
        """
        for field in self.fields:
            if field.required and field.attribute in given and not given[field.attribute]:
                raise PropertyRequired("Account", field.attribute)
