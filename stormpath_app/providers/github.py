"""GitHub: OAuth 2 and its REST API. People may hide their address from their profile, so it is asked for apart."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..errors import ProviderRefused
from . import profile
from .base import Identity, add_kind
from .oauth2 import OAuth2, tokens

if TYPE_CHECKING:
    from .http import Session


@add_kind
class GitHub(OAuth2):
    """People with a GitHub account."""

    kind = "github"
    title = "GitHub"
    default_scopes = ("user:email",)
    required = ("client_id", "client_secret")
    optional = ()
    authorization_endpoint = "https://github.com/login/oauth/authorize"
    token_endpoint = "https://github.com/login/oauth/access_token"  # noqa: S105 - an address
    api = "https://api.github.com"

    def from_access_token(self, token: str) -> Identity:  # noqa: D102 - as the base says
        client_id = self.config.client_id
        with self._session(self._access_token(token)) as session:
            about = session.ask(
                f"{self.api}/applications/{quote(client_id, safe='')}/token",
                "POST",
                auth=(client_id, self.config.client_secret),
                json={"access_token": token},
            )
            app = about.get("app")
            if not isinstance(app, dict) or app.get("client_id") != client_id:
                raise self.refused("The access token was given to another site.")
            return self.identify(session, {"access_token": token}, None)

    def identify(self, session: "Session", token: dict[str, Any], nonce: str | None) -> Identity:  # noqa: D102
        told = session.ask(f"{self.api}/user", bearer=token["access_token"])
        email, is_verified = self._email(session, told, token["access_token"])
        return Identity(
            self._subject(told.get("id")),
            email=email,
            is_email_verified=is_verified,
            **profile.names(told, "given_name", "middle_name", "family_name"),
            user_info=told,
            **tokens(token),
        )

    def _email(self, session: "Session", told: dict[str, Any], access_token: str) -> tuple[str | None, bool]:
        """Return the primary address, and whether it is verified; without the scope, the one of the profile."""
        try:
            addresses = session.ask(f"{self.api}/user/emails", bearer=access_token, kind=list)
        except ProviderRefused:
            return profile.email(told.get("email")), False
        for address in addresses:
            if isinstance(address, dict) and address.get("primary") is True:
                return profile.email(address.get("email")), address.get("verified") is True
        return None, False

    def _authorization(self, _nonce: str, again: bool) -> Mapping[str, str]:
        return {"prompt": "select_account"} if again else {}
