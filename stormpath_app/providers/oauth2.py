"""OAuth 2: a code for a token, and the token for a profile. The other kinds stand on it."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from . import profile
from .base import Config, Identity, Provider, add_kind

if TYPE_CHECKING:
    from .http import Session

#: What a code or a token is made of (RFC 6749, appendix A), and how much of it.
_VISIBLE = re.compile(r"[\x20-\x7e]{1,4096}")


@add_kind
class OAuth2(Provider):
    """A provider without discovery. A configuration has its endpoints, or a host's own class."""

    kind = "oauth2"
    required: ClassVar[tuple[str, ...]] = (
        "client_id",
        "client_secret",
        "authorization_endpoint",
        "token_endpoint",
        "resource_endpoint",
    )
    optional: ClassVar[tuple[str, ...]] = ("id_field",)
    #: Where browsers are sent, where a code is changed for a token, and what tells whose it is.
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    resource_endpoint: str = ""
    #: Where the id is in what the resource tells: "id", "data.id", "items[0].user_id".
    id_field: str = "id"
    #: How the token endpoint is told the client's secret, in OAuth 2's words.
    client_auth: ClassVar[str] = "client_secret_post"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        for name in ("authorization_endpoint", "token_endpoint", "resource_endpoint", "id_field"):
            if name in (*self.required, *self.optional) and getattr(config, name):
                setattr(self, name, getattr(config, name))

    def authorization_url(  # noqa: D102 - as the base says
        self, *, redirect_uri: str, state: str, nonce: str, verifier: str, again: bool = False
    ) -> str:
        with self._session() as session:
            url, _state = session.create_authorization_url(
                self._authorization_endpoint(session),
                state=state,
                code_verifier=verifier,
                redirect_uri=redirect_uri,
                scope=" ".join(self.scopes),
                **self._authorization(nonce, again),
            )
        return str(url)

    def from_code(  # noqa: D102 - as the base says
        self, code: str, *, redirect_uri: str, verifier: str | None = None, nonce: str | None = None
    ) -> Identity:
        if not _VISIBLE.fullmatch(code):
            raise self.refused("The code is none.")
        with self._session(code, verifier) as session:
            token = session.token_for(self._token_endpoint(session), code, redirect_uri, verifier)
            return self.identify(session, token, nonce)

    def identify(self, session: "Session", token: dict[str, Any], nonce: str | None) -> Identity:
        """Return whose a token is that was given to this site. A host's own kind may have a way of its own.

        :param token: the answer of the token endpoint.
        :raises ProviderRefused, ProviderUnavailable: it cannot be told.
        """
        told = session.ask(self.resource_endpoint, bearer=token["access_token"])
        holder, subject = _find(told, self.id_field)
        person = holder if "email" in holder else told  # whether it is verified is said beside an address
        return Identity(
            self._subject(subject),
            email=profile.email(person.get("email")),
            is_email_verified=person.get("email_verified") is True,
            **_names({**told, **holder}),
            user_info=told,
            **tokens(token),
        )

    def _session(self, *secrets: str | None) -> "Session":
        from .http import Session  # it needs Authlib

        return Session(self, self.client_auth, *secrets)

    def _authorization_endpoint(self, _session: "Session") -> str:
        return self.authorization_endpoint

    def _token_endpoint(self, _session: "Session") -> str:
        return self.token_endpoint

    def _authorization(self, _nonce: str, _again: bool) -> Mapping[str, str]:
        """Return what this kind is sent besides, with the browser."""
        return {}

    def _access_token(self, token: str) -> str:
        if not _VISIBLE.fullmatch(token):
            raise self.refused("The access token is none.")
        return token

    def _subject(self, value: Any) -> str:
        found = profile.subject(value)
        if found is None:
            raise self.refused("It does not say who that is: there is no id that can be used.")
        return found


def tokens(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the two tokens of an answer, for an Identity."""
    refresh = answer.get("refresh_token")
    return {"access_token": answer["access_token"], "refresh_token": refresh if isinstance(refresh, str) else None}


def _names(told: dict[str, Any]) -> dict[str, Any]:
    if "first_name" in told or "last_name" in told:
        return profile.names(told, "first_name", "middle_name", "last_name")
    return profile.names(told, "given_name", "middle_name", "family_name")


def _find(told: Any, path: str) -> tuple[dict[str, Any], Any]:
    """Return what is at a path such as "items[0].user_id", and the object that has it; {} and None: nothing is."""
    holder: dict[str, Any] = {}
    for step in _steps(path):
        if isinstance(told, dict):
            holder = told
        try:
            told = told[step]
        except (KeyError, IndexError, TypeError):
            return {}, None
    return holder, told


def _steps(path: str) -> Iterator[str | int]:
    for name, number in re.findall(r"([^.\[\]]+)|\[(\d{1,4})\]", path):
        yield name or int(number)
