"""What sites that log people in elsewhere have alike: the dialog, a code that is good once, and a token for it.

They hold others to the rules (RFC 6749, RFC 7636): client, secret, redirect address, PKCE.
"""

import base64
import hashlib
import html
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from .web import Answer, Request, WebServer, get

CLIENT_ID, CLIENT_SECRET = "falcon-client", "falcon-client-secret-7f3a"
#: Another site that people log in to with the same provider.
OTHER_CLIENT_ID, OTHER_SECRET = "empire-client", "empire-client-secret-91bc"


class Refused(Exception):
    """The server refuses. `answer`: what it says."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


@dataclass
class Grant:
    """What a code or a token is good for."""

    client_id: str
    person: dict[str, Any]
    scopes: set[str]
    asked: dict[str, str] = field(default_factory=dict)


class AuthorizationServer(WebServer):
    """`person`: whom the dialog logs in; with `asks`, it shows a page with "Allow" and "Cancel" first.

    `redirect_uris`: those that are registered; None takes any. `needs_pkce`: whether there must be a challenge.
    """

    dialog: str
    title = "Provider"

    def __init__(self, person: dict[str, Any]) -> None:
        super().__init__()
        self.person = person
        self.asks = False
        self.clients = {CLIENT_ID: CLIENT_SECRET, OTHER_CLIENT_ID: OTHER_SECRET}
        self.redirect_uris: set[str] | None = None
        self.needs_pkce = True
        self.codes: dict[str, Grant] = {}
        self.tokens: dict[str, Grant] = {}

    def answer(self, request: Request) -> Answer:
        try:
            return self.authorize(request) if request.path == self.dialog else self.serve(request)
        except Refused as refused:
            return refused.answer

    def serve(self, request: Request) -> Answer:
        """Answer whatever is not the dialog."""
        raise NotImplementedError

    # --- The dialog ---

    def authorize(self, request: Request) -> Answer:
        asked = request.query
        self._check_client(asked)
        if self.asks and request.method == "GET":
            return Answer(self._page(request))
        if request.form.get("answer") == "cancel":
            return self._back(asked, error="access_denied", error_description="The user denied your request.")
        code = f"code-{secrets.token_urlsafe(16)}"
        self.codes[code] = Grant(asked["client_id"], dict(self.person), set(asked.get("scope", "").split()), asked)
        return self._back(asked, code=code)

    def _check_client(self, asked: dict[str, str]) -> None:
        uri = asked.get("redirect_uri", "")
        if asked.get("client_id") not in self.clients:
            raise Refused(Answer("<h1>There is no such client.</h1>", 400))
        if not uri or (self.redirect_uris is not None and uri not in self.redirect_uris):
            raise Refused(Answer("<h1>The redirect address is not registered.</h1>", 400))
        if asked.get("response_type") != "code" or not asked.get("state"):
            raise Refused(self._back(asked, error="invalid_request"))
        if self.needs_pkce and (asked.get("code_challenge_method"), bool(asked.get("code_challenge"))) != (
            "S256",
            True,
        ):
            raise Refused(self._back(asked, error="invalid_request", error_description="PKCE required"))

    @staticmethod
    def _back(asked: dict[str, str], **told: str) -> Answer:
        parts = urlsplit(asked["redirect_uri"])
        state = {"state": asked["state"]} if "state" in asked else {}
        query = urlencode([*parse_qsl(parts.query), *{**told, **state}.items()])
        return Answer("", 302, {"Location": parts._replace(query=query).geturl()})

    def _page(self, request: Request) -> str:
        name = html.escape(str(self.person.get("name") or self.person.get("email") or "you"))
        return (
            f'<!doctype html><html lang="en"><title>{self.title}</title><h1>{self.title}</h1>'
            f"<p>Continue as {name}?</p>"
            f'<form method="post" action="{html.escape(request.target)}">'
            '<button name="answer" value="allow">Allow</button>'
            '<button name="answer" value="cancel">Cancel</button></form>'
        )

    def visit(self, url: str) -> dict[str, str]:
        """Go to the dialog as a browser; return what comes back: "code" and "state", or "error"."""
        status, location, text = get(url)
        assert status == 302, text
        return dict(parse_qsl(urlsplit(location).query))

    # --- A token for a code ---

    def exchange(self, request: Request) -> tuple[str, Grant]:
        """Return the access token that a code is good for."""
        given = request.both
        client_id, secret = request.basic or (given.get("client_id", ""), given.get("client_secret", ""))
        if self.clients.get(client_id) != secret:
            raise self.error("invalid_client", "The client secret is wrong.")
        grant = self.codes.pop(given.get("code", ""), None)
        if given.get("grant_type") != "authorization_code" or grant is None or grant.client_id != client_id:
            raise self.error("invalid_grant", f"The code {given.get('code')} was used, or is none.")
        if grant.asked["redirect_uri"] != given.get("redirect_uri"):
            raise self.error("invalid_grant", "The redirect address is another.")
        challenge = grant.asked.get("code_challenge")
        if challenge and challenge != s256(given.get("code_verifier", "")):
            raise self.error("invalid_grant", "The PKCE verifier is wrong.")
        return self.issue(grant), grant

    def issue(self, grant: Grant | None = None, client_id: str = CLIENT_ID) -> str:
        """Return a new access token: of a grant, or of `person` for a client."""
        token = f"token-{secrets.token_urlsafe(24)}"
        self.tokens[token] = grant or Grant(client_id, dict(self.person), {"openid", "email", "profile", "user:email"})
        return token

    def error(self, code: str, description: str = "") -> Refused:
        """Return an error as this server words it."""
        return Refused(Answer({"error": code, "error_description": description}, 400))


def s256(verifier: str) -> str:
    """Return the challenge of a PKCE verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
