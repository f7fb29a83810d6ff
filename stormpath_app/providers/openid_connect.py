"""OpenID Connect: a provider that is found by its issuer, and signs what it says of somebody."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from .. import clock
from ..errors import ProviderRefused
from . import profile
from .base import Config, Identity, add_kind
from .oauth2 import OAuth2, tokens

if TYPE_CHECKING:
    from .http import Session

#: How long what a provider says of itself is taken as true; and how often it is asked for keys that nobody knows.
_GOOD_FOR, _ASK_AGAIN = timedelta(hours=1), timedelta(minutes=1)
#: Claims of the token and of the login, which tell nothing of the person, and are others each time.
_OF_THE_LOGIN = frozenset(
    {
        *("iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "s_hash", "jti"),
        *("auth_time", "acr", "amr", "sid", "session_state"),
    }
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

#: What providers say of themselves, and when they were asked.
_documents: dict[str, tuple[datetime, dict[str, Any]]] = {}


class Discovery(NamedTuple):
    """What a provider says of itself. `keys`: how many there are that it signs with."""

    issuer: str
    keys: int


@add_kind
class OpenIdConnect(OAuth2):
    """Any provider with discovery: Keycloak, Okta, Auth0, Entra, Authentik and so on."""

    kind = "oidc"
    default_scopes = ("openid", "email", "profile")
    required = ("client_id", "issuer")
    optional = ("client_secret",)
    issuer: str = ""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if "issuer" in self.required and config.issuer:
            self.issuer = config.issuer

    @property
    def scopes(self) -> tuple[str, ...]:
        """What it is asked to tell: "openid" always."""
        return tuple(dict.fromkeys(("openid", *super().scopes)))

    def identify(self, session: "Session", token: dict[str, Any], nonce: str | None) -> Identity:  # noqa: D102
        claims = self._claims(session, token, nonce)
        told = self._completed(session, claims, token["access_token"])
        return self._identity(told, token, _moment(claims.get("auth_time")))

    def _identity(self, told: dict[str, Any], token: Mapping[str, Any], at: datetime | None = None) -> Identity:
        return Identity(
            self._subject(told.get("sub")),
            email=profile.email(told.get("email")),
            is_email_verified=told.get("email_verified") is True,
            **profile.names(told, "given_name", "middle_name", "family_name"),
            user_info={name: value for name, value in told.items() if name not in _OF_THE_LOGIN},
            **tokens(token),
            authenticated_at=at,
        )

    # --- What it says of itself ---

    def discover(self) -> Discovery:
        """Return what it says of itself, asked just now.

        :raises ProviderUnavailable: it does not answer, or what it says cannot be used.
        """
        with self._session() as session:
            issuer: str = self._metadata(session, good_for=timedelta(0))["issuer"]
            for name in ("authorization_endpoint", "token_endpoint"):
                self._endpoint(session, name)
            url = self._endpoint(session, "jwks_uri")
            keys: list[Any] = self._document(session, url, _has_keys, good_for=timedelta(0))["keys"]
        if not keys:
            raise self.unavailable(f"There is no key at {url}.")
        return Discovery(issuer, len(keys))

    def _metadata(self, session: "Session", good_for: timedelta = _GOOD_FOR) -> dict[str, Any]:
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        return self._document(session, url, self._is_its_own, good_for)

    def _is_its_own(self, document: dict[str, Any]) -> bool:
        found = document.get("issuer")
        return isinstance(found, str) and found.rstrip("/") == self.issuer.rstrip("/")

    def _document(
        self,
        session: "Session",
        url: str,
        is_good: Callable[[dict[str, Any]], bool],
        good_for: timedelta = _GOOD_FOR,
    ) -> dict[str, Any]:
        known = _documents.get(url)
        if known and clock.now() - known[0] < good_for:
            return known[1]
        try:
            document: dict[str, Any] = session.ask(url)
        except ProviderRefused as refused:  # it was asked for what everybody may read
            raise self.unavailable(f"{url}: {refused.developer_message}") from None
        if not is_good(document):
            raise self.unavailable(f"What is at {url} is not of {self.issuer}.")
        _documents[url] = (clock.now(), document)
        return document

    def _endpoint(self, session: "Session", name: str) -> str:
        url = self._metadata(session).get(name)
        if not isinstance(url, str) or not is_safe(url):
            raise self.unavailable(f"Its {name} is not https.")
        return url

    def _authorization_endpoint(self, session: "Session") -> str:
        return self._endpoint(session, "authorization_endpoint")

    def _token_endpoint(self, session: "Session") -> str:
        known = self._metadata(session).get("token_endpoint_auth_methods_supported")
        if self.config.client_secret and not (isinstance(known, list) and "client_secret_basic" not in known):
            session.token_endpoint_auth_method = "client_secret_basic"  # noqa: S105 - a name
        return self._endpoint(session, "token_endpoint")

    def _authorization(self, nonce: str, again: bool) -> Mapping[str, str]:
        return {"nonce": nonce} | ({"prompt": "login", "max_age": "0"} if again else {})

    # --- What it says of somebody ---

    def _claims(self, session: "Session", token: dict[str, Any], nonce: str | None) -> dict[str, Any]:
        """Return what the ID token says, once it is known to be true, of now, and for this site."""
        from . import id_token  # it needs Authlib

        text, metadata = token.get("id_token"), self._metadata(session)
        if not isinstance(text, str):
            raise self.unavailable("There is no ID token in the answer.")
        url = self._endpoint(session, "jwks_uri")
        keys = self._document(session, url, _has_keys)
        if id_token.is_of_unknown_key(text, keys):
            keys = self._document(session, url, _has_keys, good_for=_ASK_AGAIN)
        try:
            return id_token.claims(
                text,
                keys,
                algorithms=metadata.get("id_token_signing_alg_values_supported"),
                issuer=metadata["issuer"],
                client_id=self.config.client_id,
                nonce=nonce,
                access_token=token["access_token"],
            )
        except id_token.Untrue as untrue:
            raise self.refused(f"The ID token is refused: {untrue}") from None

    def _completed(self, session: "Session", claims: dict[str, Any], access_token: str) -> dict[str, Any]:
        """Return what the ID token says, and the rest of what the provider tells of the same person."""
        if {"email", "given_name"} <= claims.keys() or "userinfo_endpoint" not in self._metadata(session):
            return claims
        more = session.ask(self._endpoint(session, "userinfo_endpoint"), bearer=access_token)
        if more.get("sub") != claims.get("sub"):
            raise self.refused("The ID token and the userinfo are of two people.")
        if "email" in claims:  # whether an address is verified is said beside that address
            more = {name: value for name, value in more.items() if name not in {"email", "email_verified"}}
        return {**more, **claims}


def is_safe(url: str) -> bool:
    """Tell whether secrets may be sent to an address: with https, or on this machine; and browsers sent there."""
    try:
        url.encode()
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
        is_host = bool(host.encode("idna"))
    except ValueError:  # as a UnicodeError is
        return False
    return is_host and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))


def _has_keys(document: dict[str, Any]) -> bool:
    return isinstance(document.get("keys"), list)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
