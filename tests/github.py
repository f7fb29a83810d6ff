"""A stand-in for GitHub: its dialog, and of its REST API what logging in needs, as its documentation tells."""

import json
from typing import Any
from urllib.parse import urlencode

from .authorization_server import AuthorizationServer, Refused
from .web import Answer, Request

CHEWIE = {"id": 583231, "login": "chewie", "name": "Chew Bacca", "email": None}
ADDRESSES = [
    {"email": "chewie@users.noreply.github.example", "primary": False, "verified": True, "visibility": None},
    {"email": "chewie@kashyyyk.example", "primary": True, "verified": True, "visibility": "private"},
]


class GitHubServer(AuthorizationServer):
    """GitHub at `url`, its API at `url`/api. `addresses`: those of `person`."""

    dialog = "/login/oauth/authorize"
    title = "GitHub"

    def __init__(self, person: dict[str, Any] | None = None) -> None:
        super().__init__(person or dict(CHEWIE))
        self.addresses: list[dict[str, Any]] = [dict(address) for address in ADDRESSES]

    def serve(self, request: Request) -> Answer:
        match request.path:
            case "/login/oauth/access_token":
                return self._token(request)
            case "/api/user":
                return Answer({**self._grant(request).person})
            case "/api/user/emails":
                if "user:email" not in self._grant(request).scopes:
                    return Answer({"message": "Not Found", "status": "404"}, 404)
                return Answer(self.addresses)
        prefix, _slash, end = request.path.removeprefix("/api/applications/").partition("/")
        return self._check(request, prefix) if end == "token" else Answer({"message": "Not Found"}, 404)

    def _token(self, request: Request) -> Answer:
        token, grant = self.exchange(request)
        told = {"access_token": token, "scope": ",".join(sorted(grant.scopes)), "token_type": "bearer"}
        if "json" not in request.headers.get("accept", ""):
            return Answer(urlencode(told).encode())
        return Answer(told)

    def _check(self, request: Request, client_id: str) -> Answer:
        if request.basic != (client_id, self.clients.get(client_id)):
            return Answer({"message": "Bad credentials", "status": "401"}, 401)
        grant = self.tokens.get(json.loads(request.body)["access_token"])
        if grant is None or grant.client_id != client_id:
            return Answer({"message": "Not Found", "status": "404"}, 404)
        return Answer({"id": 1, "app": {"client_id": client_id, "name": "Falcon"}, "user": grant.person})

    def _grant(self, request: Request) -> Any:
        if request.bearer not in self.tokens:
            raise Refused(Answer({"message": "Bad credentials", "status": "401"}, 401))
        return self.tokens[request.bearer]

    def error(self, code: str, description: str = "") -> Refused:
        """Return an error, which GitHub answers with 200."""
        return Refused(Answer({"error": "bad_verification_code", "error_description": description or code}))
