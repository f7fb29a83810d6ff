"""ApiKey: what a program shows to be let in, where a person has a login and a password."""

import hashlib
import hmac
import secrets
import string
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship, validates

from .. import clock, names
from ..database import exact_text, session
from ..errors import (
    ApiKeyAccountRefused,
    ApiKeyDisabled,
    ApiKeyNotFound,
    Conflict,
    ResourceNotFound,
    WrongApiKeySecret,
)
from ..transactions import beside
from . import event
from .base import DISABLED, ENABLED, Id, Resource, first_id, merge, status
from .collection import Collection

if TYPE_CHECKING:
    from .account import Account
    from .tenant import Tenant

_LETTERS = string.digits + string.ascii_uppercase  # in the order of their bytes
_ID_LENGTH = 25


class ApiKey(Resource):
    """The key of an account, or of the tenant itself. `account`: whose it is; None: the tenant's own.

    The database has the SHA-256 of its secret alone, which is enough for 256 random bits.
    """

    __tablename__ = "stormpath_api_keys"
    __allow_unmapped__ = True  # for the attribute below that is no column
    thing, collection = "API Key", "apiKeys"
    writable = frozenset({"name", "description", "status"})
    readable: ClassVar[tuple[str, ...]] = ("id", "name", "description", "status")
    links: ClassVar[frozenset[str]] = frozenset({"account", "tenant"})

    id: Mapped[str] = mapped_column(exact_text(_ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_tenants.id"))
    account_id: Mapped[str | None] = mapped_column(
        Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str | None] = mapped_column(sa.String(names.LONGEST))
    description: Mapped[str | None] = mapped_column(sa.String(1000))
    status: Mapped[str] = mapped_column(sa.String(16), default=ENABLED)
    secret_hash: Mapped[str] = deferred(mapped_column(exact_text(64), nullable=False))

    account: Mapped["Account | None"] = relationship()
    tenant: Mapped["Tenant"] = relationship()

    _secret: str | None = None

    #: Returns the keys that `authenticate` knows. `application.py`, which stands above, sets it.
    accepted: ClassVar[Callable[[], Any]]

    @classmethod
    def create(
        cls, properties: Mapping[str, Any] | None = None, *, tenant_id: str, account: "Account | None" = None
    ) -> Self:
        """Create a key with a new secret, and commit. Only what this returns can tell the secret: keep it at once."""
        given = merge(cls, properties, {})
        secret = secrets.token_urlsafe(32)
        created = cls(id=_new_id(), tenant_id=tenant_id, account=account, secret_hash=_digest(secret), **given)
        created.save()
        created._secret = secret
        return created

    @classmethod
    def adopt(cls, key_id: str, secret: str, *, tenant_id: str, **properties: Any) -> Self:
        """Create the tenant's own key from an id and a secret that were made elsewhere, and commit."""
        adopted = cls(id=key_id, tenant_id=tenant_id, secret_hash=_digest(secret), **properties)
        adopted.save()
        return adopted

    @classmethod
    def authenticate(cls, key_id: str, secret: str) -> "ApiKey":
        """Return the key with this id and secret: the tenant's own, or that of an account.

        The account must be one that may log in to the current application.

        :raises ApiKeyRefused: nobody is let in; its class says why, its message does not.
        """
        found: ApiKey = cls.accepted().authenticate(key_id, secret)
        return found

    @property
    def title(self) -> str:
        """The name; where it has none, the id."""
        return self.name or self.id

    @property
    def secret(self) -> str:
        """The secret of a key that was created just now. It cannot be read later: only its hash is kept."""
        if self._secret is None:
            raise AttributeError("The secret of an API key is told once, by `create`; only a hash of it is kept.")
        return self._secret

    @property
    def is_enabled(self) -> bool:
        """Whether the status is ENABLED."""
        return self.status == ENABLED

    def has_secret(self, secret: str) -> bool:
        """Tell whether the secret is this key's own; in constant time."""
        return hmac.compare_digest(_digest(secret), self.secret_hash)

    @validates("name")
    def _check_name(self, key: str, value: object) -> str | None:
        return names.text(self.thing, key, value)

    @validates("description")
    def _check_description(self, key: str, value: object) -> str | None:
        return names.text(self.thing, key, value, longest=1000, lines=True)

    @validates("status")
    def _check_status(self, _key: str, value: object) -> str:
        return status(self.thing, value)

    def taken(self) -> Conflict | None:
        """Return the error for an id that another key has; None where it is free."""
        same_id = sa.select(ApiKey.id).where(ApiKey.id == self.id)
        return Conflict() if self.is_new and session.scalar(same_id) else None

    # --- Saving ---

    def _before_save(self) -> None:
        if told := event.changes(self):
            self._record("api_key.created" if self.is_new else "api_key.updated", changed=told)
        elif self.is_new:
            self._record("api_key.created")

    def _before_delete(self) -> None:
        self._record("api_key.deleted")

    def _record(self, kind: str, **details: Any) -> None:
        if self.account:
            details |= {"account_id": self.account.id, "directory_id": self.account.directory_id}
        event.record(kind, target=self, **details)


class ApiKeys(Collection[ApiKey]):
    """API keys: an account's, the tenant's own, or those that an application lets in."""

    def get_key(self, key_id: str) -> ApiKey | None:
        """Return the key of this collection with this id; None where it has none. Its secret was not looked at."""
        try:
            return self.get(key_id)
        except ResourceNotFound:
            return None

    def disable(self) -> int:
        """Set all of them to DISABLED, in the transaction that is open. Return how many were not."""
        keys = [key for key in self if key.is_enabled]
        for key in keys:
            key.status = DISABLED
            key.save()
        return len(keys)

    def authenticate(self, key_id: str, secret: str) -> ApiKey:
        """Return the ENABLED key of this collection with this id and secret.

        :raises ApiKeyRefused: nobody is let in; its class says why, its message does not.
        """
        known_id = key_id if isinstance(key_id, str) and names.can_be_stored(key_id) else ""
        row = session.execute(_STORED, {"key_id": known_id}).first()
        stored_hash, stored_status = row or (_NOBODYS, None)
        is_right = hmac.compare_digest(_digest(secret if isinstance(secret, str) else ""), stored_hash)
        if row is None:
            raise ApiKeyNotFound
        found = self.get_key(known_id) if is_right and stored_status == ENABLED else None
        if found is None:
            refused = ApiKeyDisabled if is_right and stored_status != ENABLED else ApiKeyAccountRefused
            error = refused() if is_right else WrongApiKeySecret()
            _record_refusal(known_id, type(error).__name__)
            raise error
        return found


#: A key's refusals are recorded so often at most: a program that goes on asking fills no log.
_RECORDED_EVERY = timedelta(hours=1)


def _record_refusal(key_id: str, why: str) -> None:
    """Record that a key was refused, in a transaction of its own; an id that no key has is anybody's to invent."""
    key, log = session.get(ApiKey, key_id), event.AuditEvent
    if key is None:
        return
    whose = {} if key.account is None else {"account_id": key.account.id, "directory_id": key.account.directory_id}
    since = first_id(clock.now() - _RECORDED_EVERY)
    lately = sa.select(log.id).where(log.target_id == key_id, log.kind == "api_key.refused", log.id >= since)
    with suppress(SQLAlchemyError), beside() as connection:
        if connection.scalar(lately.limit(1)) is None:
            event.record("api_key.refused", connection, target=key, **whose, why=why)


def _new_id() -> str:
    """Return a new id: 25 capital letters and digits, in the order of time, with 77 random bits behind."""
    number = int(clock.now().timestamp() * 1_000_000) << 77 | secrets.randbits(77)
    letters = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return "".join(reversed(letters))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


_NOBODYS = _digest("")
_STORED = sa.select(ApiKey.secret_hash, ApiKey.status).where(ApiKey.id == sa.bindparam("key_id"))
