"""What asks a provider: an app's settings, and no database."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from stormpath_app import providers, settings
from stormpath_app.providers import Config, Identity, Provider

from ..authorization_server import CLIENT_ID, CLIENT_SECRET, AuthorizationServer
from ..openid_provider import OpenIdProvider

REDIRECT_URI = "http://localhost:5000/social/back"
STATE, NONCE, VERIFIER = "state-4f1c", "nonce-9d2e", "verifier-" + "v" * 40


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Hold the context of an app that has settings, and nothing else: no kind of provider but ours."""
    monkeypatch.delitem(providers.KINDS, "falcon", raising=False)
    app = Flask("host")
    settings.set_defaults(app.config)
    with app.app_context():
        yield app


@pytest.fixture
def make() -> Callable[..., Provider]:
    """Return a function that makes a provider of a kind."""

    def make(kind: str, **more: Any) -> Provider:
        given = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **more}
        return providers.make(Config(given.pop("provider_id", kind), kind, **given))

    return make


@pytest.fixture
def keycloak(make: Callable[..., Provider], openid_provider: OpenIdProvider) -> Provider:
    """Return an OpenID Connect provider, as the site has it."""
    return make("oidc", provider_id="keycloak", issuer=openid_provider.url)


def log_in(provider: Provider, server: AuthorizationServer, **otherwise: Any) -> Identity:
    """Go there and come back."""
    given = {"redirect_uri": REDIRECT_URI, "verifier": VERIFIER, "nonce": NONCE}
    back = server.visit(provider.authorization_url(state=STATE, **given))
    assert back["state"] == STATE
    return provider.from_code(**{"code": back["code"], **given, **otherwise})
