"""What a provider is: a site that says who somebody is. It knows no database and no request."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from ..errors import ProviderRefused, ProviderUnavailable

#: Letters of a `provider_id`.
PROVIDER_ID = re.compile(r"[a-z0-9-]{1,50}")
#: The id of directories whose accounts have passwords, and no other provider's.
STORMPATH = "stormpath"


@dataclass(frozen=True)
class Config:
    """How one provider is talked to: which it is, and what this site is known by there.

    `name`: on its button; "" is the kind's, or made of the id. `scopes`: () are the kind's. `hosted_domain`: the one
    domain of Google whose people are let in. `may_register`: whether a stranger gets an account; None: as on the
    registration page. The endpoints and `id_field`, such as "data.id" or "items[0].user_id", are for kinds without
    discovery.
    """

    provider_id: str
    kind: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    name: str = ""
    issuer: str | None = None
    hosted_domain: str | None = None
    scopes: tuple[str, ...] = ()
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    resource_endpoint: str | None = None
    id_field: str | None = None
    may_register: bool | None = None

    def __post_init__(self) -> None:
        if not self.name:
            known = KINDS.get(self.kind)
            object.__setattr__(self, "name", (known and known.title) or self.provider_id.replace("-", " ").title())


@dataclass(frozen=True)
class Identity:
    """Who somebody is, as a provider says. Nothing but `subject` tells them from others.

    `email`: None where it told none; who makes an account of it raises ProviderLacksEmail. `is_email_verified`: whether
    the provider itself says that the address is theirs. `user_info`: all that it told. `authenticated_at`: when
    they last proved there who they are; None: it did not say.
    """

    subject: str
    email: str | None = None
    is_email_verified: bool = False
    given_name: str | None = None
    middle_name: str | None = None
    surname: str | None = None
    user_info: dict[str, Any] = field(default_factory=dict, repr=False)
    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    authenticated_at: datetime | None = None


class Provider:
    """One provider, as a configuration has it. A class is a kind of them; a host adds its own by `add_kind`."""

    #: What configurations call it.
    kind: ClassVar[str]
    #: Its name on a button; "": each has a name of its own.
    title: ClassVar[str] = ""
    default_scopes: ClassVar[tuple[str, ...]] = ()
    #: What a configuration must have, and what else it may.
    required: ClassVar[tuple[str, ...]] = ("client_id", "client_secret")
    optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: Config) -> None:
        self.config = config

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.config.provider_id!r}>"

    @property
    def scopes(self) -> tuple[str, ...]:
        """What it is asked to tell."""
        return self.config.scopes or self.default_scopes

    def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, verifier: str, again: bool = False
    ) -> str:
        """Return where a browser is sent, to come back to `redirect_uri` with a code and `state`.

        :param verifier: PKCE's; the provider gets its digest, and the verifier itself with the code.
        :param again: ask it to let them prove anew who they are, or choose another account.
        :raises ProviderUnavailable: it could not be asked where that is.
        """
        raise NotImplementedError

    def from_code(
        self, code: str, *, redirect_uri: str, verifier: str | None = None, nonce: str | None = None
    ) -> Identity:
        """Return who came back with this code.

        :raises ProviderRefused: the code is none, was used, or is another site's; or the answer is not to be believed.
        :raises ProviderUnavailable: it does not answer, or talks nonsense.
        """
        raise NotImplementedError

    def from_access_token(self, token: str) -> Identity:
        """Return whose token this is. It must have been given to this site, or any site could log its visitors in here.

        :raises ProviderRefused: it is another site's, or of a kind of provider that does not say whose.
        :raises ProviderUnavailable: it does not answer, or talks nonsense.
        """
        raise ProviderRefused(self.config.name, f"{self.config.name} does not say which site an access token is for.")

    def refused(self, why: str) -> ProviderRefused:
        """Return the error that its answer is not to be believed; `why` is for developers."""
        return ProviderRefused(self.config.name, f"{self.config.name}: {printable(why)}")

    def unavailable(self, why: str) -> ProviderUnavailable:
        """Return the error that there is no answer to use; `why` is for developers."""
        return ProviderUnavailable(self.config.name, f"{self.config.name}: {printable(why)}")


Kind = TypeVar("Kind", bound=Provider)

#: The kinds of providers, by their names.
KINDS: dict[str, type[Provider]] = {}


def add_kind(kind: type[Kind]) -> type[Kind]:
    """Let configurations be of this kind; a decorator of its class. It replaces one of the same name."""
    KINDS[kind.kind] = kind
    return kind


def printable(text: str, longest: int = 200) -> str:
    """Return a text of others as one line that is safe in a log."""
    visible = "".join(letter if letter.isprintable() else " " for letter in text[: 10 * longest])
    return " ".join(visible.split())[:longest]
