"""A stand-in for Facebook: its dialog, and of the Graph API what logging in needs, as its documentation tells."""

import hashlib
import hmac
from typing import Any

from .authorization_server import AuthorizationServer, Grant, Refused
from .web import Answer, Request

LEIA = {
    "id": "10158723645",
    "name": "Leia Organa",
    "first_name": "Leia",
    "last_name": "Organa",
    "email": "leia@alderaan.example",
}


class FacebookServer(AuthorizationServer):
    """Facebook at `url`. `declined`: scopes that its people do not grant.

    `forged_debug`: what `debug_token` says otherwise.
    """

    dialog = "/dialog/oauth"
    title = "Facebook"

    def __init__(self, person: dict[str, Any] | None = None) -> None:
        super().__init__(person or dict(LEIA))
        self.declined: set[str] = set()
        self.forged_debug: dict[str, Any] = {}

    def serve(self, request: Request) -> Answer:
        match request.path:
            case "/oauth/access_token":
                given = {"grant_type": "authorization_code", **request.both}
                assert given["grant_type"] == "authorization_code"
                token, _grant = self.exchange(request)
                return Answer({"access_token": token, "token_type": "bearer", "expires_in": 5183944})
            case "/debug_token":
                return self._debug_token(request)
            case "/me":
                return self._me(request)
        raise self._graph_error(2500, "Unknown path components")

    def _debug_token(self, request: Request) -> Answer:
        app_id, _bar, secret = request.both.get("access_token", "").partition("|")
        if self.clients.get(app_id) != secret:
            raise self._graph_error(190, "Invalid OAuth access token - Cannot parse access token")
        grant = self.tokens.get(request.both.get("input_token", ""))
        if grant is None:
            error = {"code": 190, "message": "The access token could not be decrypted"}
            return Answer({"data": {"error": error, "is_valid": False, "scopes": []}})
        if grant.client_id != app_id and not self.forged_debug:
            raise self._graph_error(100, "(#100) The App_id in the input_token did not match the Viewing App")
        known = {"app_id": grant.client_id, "type": "USER", "is_valid": True, "user_id": grant.person["id"]}
        return Answer({"data": {**known, "scopes": sorted(grant.scopes - self.declined), **self.forged_debug}})

    def _me(self, request: Request) -> Answer:
        token = request.bearer or request.query.get("access_token", "")
        grant = self.tokens.get(token)
        if grant is None:
            raise self._graph_error(190, f"Error validating access token {token}: the session is invalid.")
        secret = self.clients[grant.client_id].encode()
        if request.query.get("appsecret_proof") != hmac.new(secret, token.encode(), hashlib.sha256).hexdigest():
            raise self._graph_error(100, "Invalid appsecret_proof provided in the API argument")
        return Answer(self._told(grant, request.query.get("fields", "id,name").split(",")))

    def _told(self, grant: Grant, fields: list[str]) -> dict[str, Any]:
        hidden = set() if "email" in grant.scopes - self.declined else {"email"}
        return {"id": grant.person["id"]} | {
            name: grant.person[name] for name in fields if name in grant.person and name not in hidden
        }

    def error(self, code: str, description: str = "") -> Refused:
        return self._graph_error(100 if code == "invalid_grant" else 101, description)

    @staticmethod
    def _graph_error(code: int, message: str) -> Refused:
        told = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbCdEf"}
        return Refused(Answer({"error": told}, 400))
