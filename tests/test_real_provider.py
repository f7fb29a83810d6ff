"""The provider that social logins are tested with keeps to the protocol, and does what a test tells it."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests

from .conftest import found_here
from .real_provider import RealProvider, real_provider
from .servers import PATIENCE

HOME = "http://127.0.0.1:1/social/acme"
VERIFIER = "of-these-tests-alone-and-long-enough-for-all-of-them"
ANN = {"email": "ann@example.org", "email_verified": True, "given_name": "Ann", "family_name": "Arbor"}


@pytest.fixture(scope="module")
def acme() -> Iterator[RealProvider]:
    with found_here(real_provider(HOME)) as provider:
        yield provider


class Walker:
    """Somebody's browser that a site sends to the provider; it stops where a page is shown or where it leads back."""

    def __init__(self, provider: RealProvider) -> None:
        self.provider, self.session = provider, requests.Session()

    def start(self, **more: str) -> requests.Response:
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": HOME,
            "scope": "openid email profile",
            "state": "kept",
            "nonce": "once",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **more,
        }
        return self._follow(self.session.get(f"{self.provider.issuer}/auth", params=asked, allow_redirects=False))

    def send(self, page: requests.Response, **fields: str) -> requests.Response:
        return self._follow(self.session.post(page.url, fields, allow_redirects=False))

    def log_in(self, subject: str) -> dict[str, list[str]]:
        """Log in and allow; return what the provider tells the site."""
        answer = self.send(self.send(self.start(), login=subject), do="allow")
        return parse_qs(urlsplit(answer.headers["Location"]).query)

    def _follow(self, answer: requests.Response) -> requests.Response:
        while answer.is_redirect and not answer.headers["Location"].startswith(HOME):
            answer = self.session.get(urljoin(answer.url, answer.headers["Location"]), allow_redirects=False)
        return answer


def exchange(provider: RealProvider, code: str, **more: str) -> requests.Response:
    """Ask for the tokens, as a site does."""
    sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": HOME, "code_verifier": VERIFIER, **more}
    key = (provider.client_id, provider.client_secret)
    return requests.post(f"{provider.issuer}/token", sent, auth=key, timeout=PATIENCE)


def read(token: str) -> dict[str, Any]:
    """Return the claims of a token, whoever signed it."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def test_who_logs_in_and_allows_comes_back_with_a_code_for_their_claims(acme):
    acme.account("ann", **ANN)
    back = Walker(acme).log_in("ann")
    assert back["state"] == ["kept"]
    claims = read(exchange(acme, back["code"][0]).json()["id_token"])
    assert claims["iss"] == acme.issuer
    assert claims["aud"] == acme.client_id
    assert claims["sub"] == "ann"
    assert claims["nonce"] == "once"
    assert {name: claims[name] for name in ANN} == ANN


def test_a_code_is_good_once_and_with_its_verifier_alone(acme):
    acme.account("ann", **ANN)
    [code] = Walker(acme).log_in("ann")["code"]
    assert exchange(acme, code, code_verifier=VERIFIER[::-1]).json()["error"] == "invalid_grant"
    [code] = Walker(acme).log_in("ann")["code"]
    assert exchange(acme, code).status_code == 200
    assert exchange(acme, code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("fields", [[], [{"login": "ann"}]], ids=["at the login", "when asked to allow"])
def test_who_cancels_comes_back_without_a_code(acme, fields):
    acme.account("ann", **ANN)
    walker = Walker(acme)
    page = walker.start()
    for each in fields:
        page = walker.send(page, **each)
    back = parse_qs(urlsplit(walker.send(page, do="cancel").headers["Location"]).query)
    assert back["error"] == ["access_denied"]
    assert "code" not in back


def test_who_was_there_and_allowed_it_passes_without_a_page_and_with_what_is_true_now(acme):
    acme.account("bo", **ANN)
    walker = Walker(acme)
    walker.log_in("bo")
    acme.account("bo", email="bo@example.org", email_verified=False)
    back = parse_qs(urlsplit(walker.start().headers["Location"]).query)
    claims = read(exchange(acme, back["code"][0]).json()["id_token"])
    assert (claims["email"], claims["email_verified"]) == ("bo@example.org", False)
    assert "Log in here" in walker.start(prompt="login").text


def test_who_has_no_account_there_is_asked_again(acme):
    walker = Walker(acme)
    assert "Log in here" in walker.send(walker.start(), login="nobody").text


def test_it_sends_nobody_to_another_address(acme):
    answer = Walker(acme).start(redirect_uri="http://127.0.0.1:1/elsewhere")
    assert answer.status_code == 400


def test_it_tells_about_people_at_its_userinfo_alone_if_wanted():
    with found_here(real_provider(HOME, claims="userinfo")) as provider:
        provider.account("ann", **ANN)
        tokens = exchange(provider, Walker(provider).log_in("ann")["code"][0]).json()
        assert "email" not in read(tokens["id_token"])
        token = {"Authorization": f"Bearer {tokens['access_token']}"}
        told = requests.get(f"{provider.issuer}/me", headers=token, timeout=PATIENCE).json()
        assert told == {"sub": "ann", **ANN}


@pytest.fixture
def is_answered(acme: RealProvider) -> Callable[..., bool]:
    def is_answered(within: float = PATIENCE) -> bool:
        try:
            return requests.get(f"{acme.issuer}/.well-known/openid-configuration", timeout=within).ok
        except requests.RequestException:
            return False

    return is_answered


def test_it_goes_down_and_comes_back_with_its_accounts(acme, is_answered):
    acme.account("cy", **ANN)
    with acme.down():
        assert not is_answered()
    assert is_answered()
    assert "code" in Walker(acme).log_in("cy")


def test_it_hangs_for_a_while(acme, is_answered):
    with acme.hanging():
        assert not is_answered(within=0.5)
    assert is_answered()
