"""An OpenID Connect provider, and Google's token information: right by itself, and forged where a test says so."""

import base64
import json
import time
from functools import cache
from typing import Any

from joserfc import jwk, jwt

from .authorization_server import CLIENT_ID, AuthorizationServer, Grant
from .web import Answer, Request

HAN = {
    "sub": "110169484474386276334",
    "email": "han@falcon.example",
    "email_verified": True,
    "name": "Han Solo",
    "given_name": "Han",
    "family_name": "Solo",
}


@cache
def rsa_key(kid: str) -> jwk.RSAKey:
    return jwk.RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


class OpenIdProvider(AuthorizationServer):
    """An issuer at `url`.

    `forged`: claims of the ID token that are otherwise, or, with None, not there. `forged_metadata`, `forged_userinfo`:
    the same. `signs`: the key of ID tokens, or "none". `is_thin`: whether the ID token has the subject alone.
    `names_key`: whether it names its key.
    """

    dialog = "/authorize"
    title = "Identity provider"

    def __init__(self, person: dict[str, Any] | None = None) -> None:
        super().__init__(person or dict(HAN))
        self.keys: list[Any] = [rsa_key("key-1")]
        self.signs: Any = self.keys[0]
        self.algorithm = "RS256"
        self.forged: dict[str, Any] = {}
        self.forged_metadata: dict[str, Any] = {}
        self.forged_userinfo: dict[str, Any] = {}
        self.is_thin = False
        self.names_key = True

    def rotate(self) -> None:
        """Sign with a new key from now on."""
        self.signs = rsa_key(f"key-{len(self.keys) + 1}")
        self.keys.append(self.signs)

    def serve(self, request: Request) -> Answer:
        match request.path:
            case "/.well-known/openid-configuration":
                return Answer(_with(self.metadata(), self.forged_metadata))
            case "/jwks":
                return Answer({"keys": [key.as_dict(private=False) for key in self.keys]})
            case "/token":
                return self._token(request)
            case "/userinfo":
                return self._userinfo(request)
            case "/tokeninfo":
                return self._tokeninfo(request)
        return Answer("<h1>Not found</h1>", 404)

    def metadata(self) -> dict[str, Any]:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "userinfo_endpoint": "userinfo"}
        return {
            "issuer": self.url,
            **{name: f"{self.url}/{path}" for name, path in ends.items()},
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _token(self, request: Request) -> Answer:
        access_token, grant = self.exchange(request)
        told = {"access_token": access_token, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "refresh-1"}
        return Answer({**told, "id_token": self.id_token(grant)} if "openid" in grant.scopes else told)

    def id_token(self, grant: Grant) -> str:
        now = int(time.time())
        person = {"sub": grant.person["sub"]} if self.is_thin else self._told(grant)
        nonce = {"nonce": grant.asked["nonce"]} if "nonce" in grant.asked else {}
        moments = {"iat": now, "exp": now + 300, "auth_time": now - 5}
        claims = _with({"iss": self.url, "aud": grant.client_id, **moments, **nonce, **person}, self.forged)
        if self.signs == "none":
            return f"{_encoded({'alg': 'none'})}.{_encoded(claims)}."
        header = {"alg": self.algorithm, **({"kid": self.signs.kid} if self.names_key else {})}
        return jwt.encode(header, claims, self.signs, algorithms=[self.algorithm])

    @staticmethod
    def _told(grant: Grant) -> dict[str, Any]:
        email = set() if "email" in grant.scopes else {"email", "email_verified"}
        names = set() if "profile" in grant.scopes else {"name", "given_name", "family_name"}
        return {name: value for name, value in grant.person.items() if name not in email | names}

    def _userinfo(self, request: Request) -> Answer:
        grant = self.tokens.get(request.bearer)
        if grant is None:
            return Answer({"error": "invalid_token"}, 401)
        return Answer(_with(self._told(grant), self.forged_userinfo))

    def _tokeninfo(self, request: Request) -> Answer:
        grant = self.tokens.get(request.both.get("access_token", ""))
        if grant is None:
            return Answer({"error": "invalid_token", "error_description": "Invalid Value"}, 400)
        about = {"azp": grant.client_id, "aud": grant.client_id, "sub": grant.person["sub"], "expires_in": "3599"}
        return Answer({**about, "email": grant.person.get("email", ""), "email_verified": "true", "scope": "openid"})

    def config(self, **more: Any) -> dict[str, Any]:
        """Return what STORMPATH_SOCIAL has of it."""
        return {"issuer": self.url, "client_id": CLIENT_ID, "client_secret": self.clients[CLIENT_ID], **more}


def _with(told: dict[str, Any], forged: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**told, **forged}.items() if value is not None}


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
