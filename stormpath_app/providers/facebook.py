"""Facebook: OAuth 2 and the Graph API. It never says that an e-mail address is verified."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import profile
from .base import Identity, add_kind
from .oauth2 import OAuth2, tokens

if TYPE_CHECKING:
    from .http import Session


@add_kind
class Facebook(OAuth2):
    """People with a Facebook account. Its names for client id and secret are app id and app secret."""

    kind = "facebook"
    title = "Facebook"
    default_scopes = ("public_profile", "email")
    required = ("client_id", "client_secret")
    optional = ()
    authorization_endpoint = "https://www.facebook.com/v24.0/dialog/oauth"
    graph = "https://graph.facebook.com/v24.0"

    def from_access_token(self, token: str) -> Identity:  # noqa: D102 - as the base says
        with self._session(self._access_token(token)) as session:
            ours = f"{self.config.client_id}|{self.config.client_secret}"
            answer = session.ask(f"{self.graph}/debug_token", params={"input_token": token, "access_token": ours})
            about = answer.get("data")
            if not isinstance(about, dict) or about.get("is_valid") is not True:
                raise self.refused("The access token is not valid.")
            if str(about.get("app_id")) != self.config.client_id:
                raise self.refused("The access token was given to another site.")
            found = self.identify(session, {"access_token": token}, None)
            if found.subject != str(about.get("user_id")):
                raise self.refused("The access token and the profile are of two people.")
            return found

    def identify(self, session: "Session", token: dict[str, Any], nonce: str | None) -> Identity:  # noqa: D102
        access_token = token["access_token"]
        proof = hmac.new(self.config.client_secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()
        asked = {"fields": "id,name,first_name,middle_name,last_name,email", "appsecret_proof": proof}
        told = session.ask(f"{self.graph}/me", params=asked, bearer=access_token)
        return Identity(
            self._subject(told.get("id")),
            email=profile.email(told.get("email")),
            **profile.names(told, "first_name", "middle_name", "last_name"),
            user_info=told,
            **tokens(token),
        )

    def _token_endpoint(self, _session: "Session") -> str:
        return f"{self.graph}/oauth/access_token"

    def _authorization(self, _nonce: str, again: bool) -> Mapping[str, str]:
        return {"auth_type": "reauthenticate"} if again else {}
