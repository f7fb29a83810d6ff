"""Google: OpenID Connect, with domains of companies, and access tokens that say which site they are for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .base import Identity, add_kind
from .openid_connect import OpenIdConnect


@add_kind
class Google(OpenIdConnect):
    """People with a Google account; with `hosted_domain`, those of one company."""

    kind = "google"
    title = "Google"
    required = ("client_id", "client_secret")
    optional = ("hosted_domain",)
    issuer = "https://accounts.google.com"
    #: What an access token is for, and how long.
    tokeninfo_endpoint = "https://oauth2.googleapis.com/tokeninfo"

    def from_access_token(self, token: str) -> Identity:  # noqa: D102 - as the base says
        with self._session(self._access_token(token)) as session:
            about = session.ask(self.tokeninfo_endpoint, params={"access_token": token})
            if about.get("aud") != self.config.client_id:
                raise self.refused("The access token was given to another site.")
            told = session.ask(self._endpoint(session, "userinfo_endpoint"), bearer=token)
            if told.get("sub") != about.get("sub"):
                raise self.refused("The access token and the userinfo are of two people.")
            return self._identity(told, {"access_token": token})

    def _authorization(self, nonce: str, again: bool) -> Mapping[str, str]:
        more = super()._authorization(nonce, again)
        domain = {"hd": self.config.hosted_domain} if self.config.hosted_domain else {}
        return {**more, **domain, **({"prompt": "select_account"} if again else {})}

    def _identity(self, told: dict[str, Any], token: Mapping[str, Any], at: datetime | None = None) -> Identity:
        wanted, found = self.config.hosted_domain, told.get("hd")
        if wanted and (not isinstance(found, str) or found.casefold() != wanted.casefold()):
            raise self.refused(f"The account is none of {wanted}.")
        return super()._identity(told, token, at)
