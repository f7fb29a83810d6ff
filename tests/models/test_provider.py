"""Provider: where the accounts of a directory come from."""

import pytest
import sqlalchemy as sa

from stormpath_app.database import database, session
from stormpath_app.errors import (
    CannotBecomeMirror,
    InvalidFormat,
    PropertyRequired,
    ProviderStays,
    UnknownProperty,
    WrongType,
)
from stormpath_app.models import Client, Directory, Provider

from ..together import together
from .test_event import events

GOOGLE = {"provider_id": "google", "client_id": "site.example", "client_secret": "Kessel-Run-12"}


@pytest.fixture
def google(context):
    return Directory.create({"name": "With Google", "provider": GOOGLE})


def test_a_directory_has_its_own_accounts_where_no_provider_is_named(context):
    rebels = Client().directories.create(name="Rebels")
    assert (rebels.is_cloud, rebels.provider_id) == (True, "stormpath")
    told = dict(rebels.provider)
    assert (told.pop("provider_id"), told.pop("provider_type")) == ("stormpath", "stormpath")
    assert told.pop("href") == f"{rebels.href}/provider"
    assert {told.pop("created_at"), told.pop("modified_at")} == {rebels.created_at}
    assert not any(told.values())
    rebels.save()
    assert session.scalar(sa.select(sa.func.count()).select_from(Provider)) == 0


def test_stormpath_is_a_provider_that_can_be_named(context):
    assert Directory.create(name="Rebels", provider={"provider_id": "stormpath"}).is_cloud


def test_a_directory_with_accounts_of_its_own_has_nothing_that_a_provider_needs(context):
    with pytest.raises(CannotBecomeMirror):
        Directory.create(name="Rebels", provider={"provider_id": "stormpath", "client_id": "site.example"})


@together("address", ["http://id.example", "https://", "ftp://id.example", "https://id.example/a b"])
def test_a_provider_is_asked_with_https_or_on_this_machine(google, address):
    with pytest.raises(InvalidFormat):
        google.provider.issuer = address
    google.provider.issuer = "http://127.0.0.1:8080"


def test_a_directory_of_a_provider_is_created_with_it(google):
    assert (google.is_cloud, google.provider_id) == (False, "google")
    provider = Directory.get(google.href)["provider"]
    assert (provider.provider_id, provider.provider_type, provider.client_id) == ("google", "google", "site.example")
    assert provider["directory"] is google
    assert (events("directory.created")[-1].data["provider"], provider.title) == ("google", "With Google")


def test_its_href_finds_it(google):
    assert google.provider.href == f"{google.href}/provider"
    assert Provider.get(google.provider.href) is google.provider
    assert Provider.find(google.href) is None


def test_its_secret_is_stored_encrypted_and_never_told(google):
    assert google.provider.has_client_secret
    with pytest.raises(AttributeError, match="can be set, not read"):
        google.provider.client_secret  # noqa: B018 - to read it is the test
    with database.engine.connect() as connection:
        stored = connection.scalar(sa.text("SELECT sealed_client_secret FROM stormpath_providers"))
    assert stored.startswith("fernet:")
    google.provider.client_secret = "another one"
    google.provider.save()
    told = [*(event.details for event in events()), repr(google.provider), repr(dict(google.provider))]
    assert not [text for text in told if "Kessel" in text or "another one" in text]
    assert events("provider.updated")[-1].data == {"client_secret": "changed"}


def test_what_is_set_is_saved_and_told(google):
    provider = google.provider
    provider.scope, provider.hosted_domain, provider.may_register = "email  profile", "falcon.example", "true"
    provider.save()
    session.expire_all()
    assert (provider.scope, provider.hosted_domain, provider.may_register) == (
        ("email", "profile"),
        "falcon.example",
        True,
    )
    assert events("provider.updated")[-1].changes == {
        "hosted_domain": [None, "falcon.example"],
        "may_register": [None, True],
        "scope": [[], ["email", "profile"]],
    }


@together(
    ("properties", "error"),
    [
        ("google", WrongType),
        ({}, PropertyRequired),
        ({"provider_id": ["google"]}, WrongType),
        ({"provider_id": "Google"}, InvalidFormat),
        ({"provider_id": "g" * 51}, InvalidFormat),
        ({"provider_id": "google", "clientId": "x"}, UnknownProperty),
        ({"provider_id": "google", "scope": 1}, WrongType),
        ({"provider_id": "google", "scope": [1]}, WrongType),
        ({"provider_id": "google", "issuer": "ftp://falcon.example"}, InvalidFormat),
        ({"provider_id": "google", "issuer": "https://[falcon"}, InvalidFormat),
        ({"provider_id": "google", "client_secret": 12}, WrongType),
        ({"provider_id": "google", "may_register": "perhaps"}, WrongType),
    ],
)
def test_what_cannot_be_a_provider_makes_no_directory(context, properties, error):
    with pytest.raises(error):
        Directory.create(name="With Google", provider=properties)
    assert Directory.named("With Google") is None


def test_a_directory_stays_with_its_provider(google):
    for change in (
        lambda: setattr(google, "provider", {"provider_id": "facebook"}),
        lambda: setattr(google.provider, "provider_id", "facebook"),
        lambda: setattr(google.provider, "provider_type", "oidc"),
    ):
        with pytest.raises(ProviderStays) as caught:
            change()
        assert caught.value.code == 6202
    google.provider = google.provider
    google.provider.provider_id = google.provider.provider_type = "google"


def test_a_directory_with_its_own_accounts_keeps_them(context):
    rebels = Client().directories.create(name="Rebels")
    for change in (
        lambda: rebels.__setitem__("provider", GOOGLE),
        lambda: setattr(rebels.provider, "provider_id", "google"),
        lambda: setattr(rebels.provider, "provider_type", "google"),
        rebels.provider.save,
    ):
        with pytest.raises(CannotBecomeMirror) as caught:
            change()
        assert caught.value.code == 6201


def test_it_goes_with_its_directory(google):
    google.delete()
    assert session.scalar(sa.select(sa.func.count()).select_from(Provider)) == 0


def test_it_is_called_as_its_button_is(google):
    assert google.provider.shown_name == "Google"
    google.provider.name = "Rebel ID"
    assert google.provider.shown_name == "Rebel ID"
    google.provider.client_id = None  # nobody logs in by it
    assert google.provider.shown_name == "Rebel ID"
