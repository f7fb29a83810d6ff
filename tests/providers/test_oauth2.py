"""OAuth 2 without discovery: by the endpoints of a configuration, or of a host's own class."""

import pytest

from stormpath_app import providers
from stormpath_app.errors import ProviderRefused, ProviderUnavailable
from stormpath_app.providers import Config, OAuth2

from ..authorization_server import CLIENT_ID, CLIENT_SECRET
from ..openid_provider import OpenIdProvider
from ..web import Answer
from .conftest import log_in


@pytest.fixture
def twitch(make, openid_provider):
    """Return a provider whose profile is what a test says: `told`."""
    openid_provider.answers["/profile"] = lambda _request: Answer(openid_provider.told)
    openid_provider.told = {"id": 7, "email": "han@falcon.example", "first_name": "Han", "last_name": "Solo"}

    def twitch(**more):
        names = ("authorize", "token", "profile")
        fields = ("authorization_endpoint", "token_endpoint", "resource_endpoint")
        ends = {field: f"{openid_provider.url}/{name}" for field, name in zip(fields, names, strict=True)}
        return make("oauth2", provider_id="twitch", scopes=("read",), **ends, **more)

    return twitch


def test_who_comes_back_is_known_by_what_the_resource_tells(twitch, openid_provider):
    han = log_in(twitch(), openid_provider)
    assert (han.subject, han.email, han.is_email_verified) == ("7", "han@falcon.example", False)
    assert (han.given_name, han.surname) == ("Han", "Solo")
    assert openid_provider.asked("/profile")[0].bearer == han.access_token


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("user_id", {"user_id": "amzn1.account.1"}),
        ("data.id", {"data": {"id": "amzn1.account.1"}}),
        ("items[0].user_id", {"items": [{"user_id": "amzn1.account.1"}]}),
        ("[0]", None),
    ],
)
def test_the_id_is_where_the_configuration_says(twitch, openid_provider, path, told):
    openid_provider.told = told or {}
    if told:
        assert log_in(twitch(id_field=path), openid_provider).subject == "amzn1.account.1"
    else:
        with pytest.raises(ProviderRefused):
            log_in(twitch(id_field=path), openid_provider)


def test_names_and_address_are_taken_from_beside_the_id(twitch, openid_provider):
    openid_provider.told = {"email_verified": True, "data": {"id": 7, "email": "a@b.example", "name": "Han Solo"}}
    han = log_in(twitch(id_field="data.id"), openid_provider)
    assert (han.email, han.is_email_verified) == ("a@b.example", False)
    assert (han.given_name, han.surname) == ("Han", "Solo")


@pytest.mark.parametrize("told", [{}, {"id": None}, {"id": {}}, {"id": True}, {"id": 1.5}, {"id": ""}], ids=str)
def test_who_has_no_id_is_refused(twitch, openid_provider, told):
    openid_provider.told = told
    with pytest.raises(ProviderRefused):
        log_in(twitch(), openid_provider)


@pytest.mark.parametrize("told", [[], "han", 5, None], ids=str)
def test_a_profile_that_is_no_object_is_nonsense(twitch, openid_provider, told):
    openid_provider.answers["/profile"] = lambda _request: Answer(str(told) if told == "han" else told or [])
    with pytest.raises(ProviderUnavailable):
        log_in(twitch(), openid_provider)


def test_an_access_token_alone_is_refused(twitch, openid_provider):
    with pytest.raises(ProviderRefused):
        twitch().from_access_token(openid_provider.issue())


def test_a_host_adds_a_kind_of_its_own_in_a_few_lines(openid_provider: OpenIdProvider, monkeypatch):
    monkeypatch.setitem(providers.KINDS, "gitea", None)
    openid_provider.answers["/user"] = lambda _request: Answer({"id": 7, "name": "Han Solo"})

    @providers.add_kind
    class Gitea(OAuth2):
        kind, title, default_scopes = "gitea", "Our Gitea", ("read:user",)
        required = ("client_id", "client_secret")
        authorization_endpoint = f"{openid_provider.url}/authorize"
        token_endpoint = f"{openid_provider.url}/token"
        resource_endpoint = f"{openid_provider.url}/user"

    provider = providers.make(Config("gitea", "gitea", CLIENT_ID, CLIENT_SECRET, token_endpoint="http://evil.example"))
    han = log_in(provider, openid_provider)
    assert (provider.config.name, han.subject, han.surname) == ("Our Gitea", "7", "Solo")
