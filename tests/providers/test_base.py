"""Configurations, identities and kinds: their names, and what nobody is shown."""

import pytest

from stormpath_app import providers
from stormpath_app.errors import ProviderRefused
from stormpath_app.providers import Config, Identity, Provider


@pytest.fixture
def kind(monkeypatch):
    monkeypatch.setitem(providers.KINDS, "imperial", None)

    @providers.add_kind
    class Imperial(Provider):
        kind = "imperial"
        title = "The Empire"
        default_scopes = ("openid",)

    return Imperial


def test_a_provider_is_called_as_configured_or_as_its_kind_or_by_its_id(kind):
    assert Config("imperial", "imperial", "id", name="Holonet").name == "Holonet"
    assert Config("imperial", "imperial", "id").name == "The Empire"
    assert Config("cloud-city", "unknown", "id").name == "Cloud City"


def test_scopes_are_those_configured_or_those_of_the_kind(kind):
    assert kind(Config("imperial", "imperial", "id")).scopes == ("openid",)
    assert kind(Config("imperial", "imperial", "id", scopes=("openid", "email"))).scopes == ("openid", "email")


def test_nobody_is_shown_a_secret_or_a_token(kind):
    config = Config("imperial", "imperial", "id", client_secret="canary")
    identity = Identity("1", access_token="canary", refresh_token="canary", user_info={"token": "canary"})
    assert "canary" not in f"{config!r} {identity!r} {kind(config)!r}"


def test_a_kind_that_cannot_tell_whom_a_token_was_given_to_refuses_it(kind):
    with pytest.raises(ProviderRefused, match="The Empire did not confirm who you are") as refused:
        kind(Config("imperial", "imperial", "id")).from_access_token("token")
    assert refused.value.developer_message == "The Empire does not say which site an access token is for."


def test_what_others_say_is_one_line_without_control_characters_and_not_too_long(kind):
    said = kind(Config("imperial", "imperial", "id")).refused("a\r\nb\x1b[31m \u202e" + "c" * 500).developer_message
    assert said.startswith("The Empire: a b [31m ccc")
    assert said.isprintable()
    assert len(said) == len("The Empire: ") + 200
