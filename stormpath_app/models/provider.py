"""Provider: where the accounts of a directory come from, and what this site is to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates
from sqlalchemy.orm.attributes import set_committed_value

from .. import encryption, names
from ..database import TextTuple
from ..errors import (
    CannotBecomeMirror,
    InvalidFormat,
    PropertyRequired,
    ProviderStays,
    UnsupportedValue,
    WrongType,
)
from ..providers import KINDS, PROVIDER_ID, STORMPATH, Config, configured, is_safe
from . import event
from .base import Id, Resource, boolean, merge
from .custom_data_rows import long_text
from .unsaved import changed

if TYPE_CHECKING:
    from .directory import Directory

#: Longest address of a provider's, in letters.
LONGEST_ADDRESS = 1000

_ADDRESSES = ("issuer", "authorization_endpoint", "token_endpoint", "resource_endpoint")


class Part(Resource):
    """A resource that belongs to one other: it has its id, and its href with a word behind it, `tail`."""

    __abstract__ = True
    tail: ClassVar[str]

    @property
    def href(self) -> str:
        """The address of the resource."""
        return f"{super().href}/{self.tail}"

    @classmethod
    def id_in(cls, href: str) -> str | None:
        """Return the id in a href of such a resource, on whatever host; None in any other text."""
        owner, _slash, tail = href.rpartition("/")
        return super().id_in(owner) if tail == cls.tail else None


class Provider(Part):
    """Where the accounts of a directory come from: `provider_id` is "stormpath" where they are its own.

    Set `client_id`, `client_secret` and what else this provider needs, then `save()`. The secret cannot be read: it is
    stored encrypted. `scope`: a tuple, or text with blanks between; `may_register`: whether strangers become accounts
    by it, None where that is as on the site's registration page. `kind` and `provider_id` stay.
    """

    __tablename__ = "stormpath_providers"
    thing, collection, tail = "Provider", "directories", "provider"
    readable = (
        *("provider_id", "provider_type", "name", "client_id", "redirect_uri", "scope", "hosted_domain"),
        *(*_ADDRESSES, "id_field", "may_register"),
    )
    writable = frozenset({*readable, "client_secret"})
    links = frozenset({"directory"})

    STORMPATH: ClassVar[str] = STORMPATH
    GOOGLE: ClassVar[str] = "google"
    FACEBOOK: ClassVar[str] = "facebook"
    GITHUB: ClassVar[str] = "github"

    id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(32))
    #: What its button says; None: the name of its kind.
    name: Mapped[str | None] = mapped_column(sa.String(names.LONGEST))
    client_id: Mapped[str | None] = mapped_column(sa.String(1000))
    sealed_client_secret: Mapped[str | None] = mapped_column(long_text())
    redirect_uri: Mapped[str | None] = mapped_column(sa.String(LONGEST_ADDRESS))
    issuer: Mapped[str | None] = mapped_column(sa.String(LONGEST_ADDRESS))
    hosted_domain: Mapped[str | None] = mapped_column(sa.String(names.LONGEST))
    scope: Mapped[tuple[str, ...]] = mapped_column(TextTuple, default=(), nullable=True)
    authorization_endpoint: Mapped[str | None] = mapped_column(sa.String(LONGEST_ADDRESS))
    token_endpoint: Mapped[str | None] = mapped_column(sa.String(LONGEST_ADDRESS))
    resource_endpoint: Mapped[str | None] = mapped_column(sa.String(LONGEST_ADDRESS))
    id_field: Mapped[str | None] = mapped_column(sa.String(names.LONGEST))
    may_register: Mapped[bool | None] = mapped_column()

    directory: Mapped["Directory"] = relationship(viewonly=True)

    @classmethod
    def new(cls, directory: "Directory", properties: object) -> Self | None:
        """Return the provider of a new directory, which is saved with it; None where its accounts are its own.

        :raises PropertyError: an attribute is missing, or cannot be so.
        :raises CannotBecomeMirror: it is to have accounts of its own, and what a provider needs.
        """
        if not isinstance(properties, Mapping):
            raise WrongType("Directory", "provider")
        given = merge(cls, properties, {})
        directory.provider_id = checked_id(given.pop("provider_id", None))
        kind = given.pop("provider_type", None) or directory.provider_id
        if directory.is_cloud:
            if given:
                raise CannotBecomeMirror
            return None
        if kind not in KINDS:  # it may be a list
            raise UnsupportedValue(cls.thing, "provider_type", allowed=", ".join(KINDS))
        return cls._of(directory, kind=kind, **given)

    @classmethod
    def of_cloud(cls, directory: "Directory") -> Self:
        """Return what stands for the provider of a directory whose accounts are its own; no row does."""
        return cls._of(directory, kind=cls.STORMPATH, created_at=directory.created_at, modified_at=directory.created_at)

    @classmethod
    def _of(cls, directory: "Directory", **attributes: Any) -> Self:
        found = cls(id=directory.id, **attributes)
        set_committed_value(found, "directory", directory)
        return found

    @property
    def title(self) -> str:
        """The name of the directory."""
        return self.directory.name

    @property
    def provider_id(self) -> str:
        """What it is called here, such as "google"; it stays."""
        return self.directory.provider_id

    @provider_id.setter
    def provider_id(self, value: object) -> None:
        if value != self.provider_id:
            raise CannotBecomeMirror if self.directory.is_cloud else ProviderStays

    @property
    def shown_name(self) -> str:
        """What people call it, as its button does."""
        config = self.config(with_secret=False)
        return config.name if config else self.name or name_of(self.provider_id)

    @property
    def provider_type(self) -> str:
        """Which kind of provider it is: "google", "facebook", "github", "oidc", "oauth2"; it stays."""
        return self.kind

    @provider_type.setter
    def provider_type(self, value: object) -> None:
        if value != self.kind:
            raise CannotBecomeMirror if self.directory.is_cloud else ProviderStays

    @property
    def client_secret(self) -> str:
        """Set it, then `save()`. It cannot be read."""
        raise AttributeError("A provider's client secret can be set, not read.")

    @client_secret.setter
    def client_secret(self, value: object) -> None:
        secret = names.text(self.thing, "client_secret", value, longest=10_000)
        self.sealed_client_secret = None if secret is None else encryption.seal_always(secret)

    @property
    def has_client_secret(self) -> bool:
        """Whether there is one."""
        return self.sealed_client_secret is not None

    @property
    def client_secret_set_at(self) -> datetime | None:
        """When it was set; None: there is none."""
        return encryption.sealed_at(self.sealed_client_secret) if self.sealed_client_secret else None

    def config(self, *, with_secret: bool = True) -> Config | None:
        """Return how the provider is talked to: as the settings have it, if they name it; else as it is set here.

        :param with_secret: False: leave out the secret that is set here, which takes a key to be read.
        :raises SecretLocked: no key opens it.
        """
        named, stored = configured().get(self.provider_id), as_stored(self.provider_id, self)
        if named or stored is None:
            return named
        sealed = self.sealed_client_secret if with_secret else None
        return Config(**stored, client_secret=encryption.unseal_always(sealed) if sealed else "")

    @validates("client_id")
    def _check_client_id(self, key: str, value: object) -> str | None:
        return names.text(self.thing, key, value, longest=1000)

    @validates("name", "hosted_domain", "id_field")
    def _check_text(self, key: str, value: object) -> str | None:
        return names.text(self.thing, key, value)

    @validates("redirect_uri")
    def _check_redirect_uri(self, key: str, value: object) -> str | None:
        return names.text(self.thing, key, value, longest=LONGEST_ADDRESS)

    @validates(*_ADDRESSES)
    def _check_address(self, key: str, value: object) -> str | None:
        address = names.text(self.thing, key, value, longest=LONGEST_ADDRESS)
        if address is not None and (" " in address or not is_safe(address)):
            raise InvalidFormat(self.thing, key)
        return address

    @validates("scope")
    def _check_scope(self, key: str, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            value = value.split()
        if not isinstance(value, list | tuple | type(None)):
            raise WrongType(self.thing, key)
        return tuple(names.text(self.thing, key, one, required=True) or "" for one in value or ())

    @validates("may_register")
    def _check_may_register(self, key: str, value: object) -> bool | None:
        return None if value is None else boolean(self.thing, key, value)

    # --- Saving ---

    def _prepare(self) -> None:
        if self.directory.is_cloud:
            raise CannotBecomeMirror

    def _before_save(self) -> None:
        what = changed(self)
        if told := event.changes(self, what):
            self._record(changed=told)
        if "sealed_client_secret" in what:
            self._record(client_secret="changed")  # noqa: S106 - that it was, not what it is

    def _record(self, **details: Any) -> None:
        event.record("provider.updated", target=self, directory_id=self.id, **details)


def as_stored(provider_id: str, stored: Any) -> dict[str, Any] | None:
    """Return what a Config has of a provider, or of a row with its columns, but the secret; None: not all is there."""
    if not stored.client_id or stored.kind not in KINDS:
        return None
    alike = (*_ADDRESSES, "kind", "client_id", "hosted_domain", "id_field", "may_register")
    known = {name: getattr(stored, name) for name in alike}
    return {**known, "provider_id": provider_id, "name": stored.name or "", "scopes": stored.scope}


def checked_id(value: object) -> str:
    """Return what a provider is called here: small letters, digits and hyphens, 50 at most.

    :raises PropertyError: it cannot be called so.
    """
    if value is None:
        raise PropertyRequired(Provider.thing, "provider_id")
    if not isinstance(value, str):
        raise WrongType(Provider.thing, "provider_id")
    if not PROVIDER_ID.fullmatch(value):
        raise InvalidFormat(Provider.thing, "provider_id")
    return value


def name_of(provider_id: str) -> str:
    """Return what people call the provider with this id, as the settings have it, or its kind."""
    named = configured().get(provider_id)
    return named.name if named else Config(provider_id, provider_id, "").name
