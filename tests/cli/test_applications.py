"""The commands for applications and directories."""

import json

import pytest

from stormpath_app import Application, Directory
from stormpath_app.models import Client

from ..test_cli import run
from ..together import together

PLACE = "My Application Directory"


@pytest.mark.parametrize(
    ("options", "store"),
    [
        ((), "Shop Directory"),
        (("--directory", "People"), "People"),
        (("--directory", PLACE.upper()), PLACE),
        (("--no-directory",), None),
    ],
    ids=["its own", "a new one", "one there is", "none"],
)
def test_an_application_is_created_with_the_directory_that_is_wanted(app, options, store):
    code, said, complained = run(app, "create-application", "Shop", "--description", "Sells things", *options)
    assert (code, complained) == (0, "")
    with app.app_context():
        shop = Application.named("shop")
        where = f"in {store}" if store else "nowhere yet: it has no account store"
        assert said == f"Created Shop: {shop.href}\nNew accounts are created {where}.\n"
        assert shop.description == "Sells things"
        assert [mapping.account_store.name for mapping in shop.account_store_mappings] == [store] * bool(store)
        if store:
            assert shop.default_account_store().name == shop.default_group_store().name == store


def test_an_application_is_told_in_json(app):
    code, said, complained = run(app, "create-application", "Shop", "--json")
    told = json.loads(said)
    with app.app_context():
        shop, store = Application.named("Shop"), Directory.named("Shop Directory")
        known = {"href": shop.href, "name": "Shop", "description": None, "status": "ENABLED"}
        directory = {"href": store.href, "name": "Shop Directory", "description": None, "status": "ENABLED"}
    assert (code, complained, told) == (0, "", {**known, "directory": directory})
    assert json.loads(run(app, "create-application", "Bar", "--no-directory", "--json")[1])["directory"] is None


@together(
    ("arguments", "told"),
    [
        (("create-application", "MY application"), "Application with that name already exists."),
        (("create-application", " "), "Application name is required"),
        (("create-application", "Shop", "--directory", " "), "Directory name is required"),
        (("create-directory", PLACE), "Directory with that name already exists."),
        (("create-directory", ""), "Directory name is required"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_left_of_it(app, arguments, told):
    code, said, complained = run(app, *arguments)
    assert (code, said, told in complained, complained.count("\n")) == (1, "", True, 1)
    with app.app_context():
        assert (len(Client().applications), len(Client().directories)) == (2, 2)


def test_a_directory_and_none_is_a_mistake_of_the_command_line(app):
    code, _, complained = run(app, "create-application", "Shop", "--directory", "x", "--no-directory")
    assert (code, "exclude each other" in complained) == (2, True)


def test_a_group_is_told_in_json(app):
    code, said, complained = run(app, "create-group", "admins", "--json")
    with app.app_context():
        (group,) = Application.current().groups
        told = {"href": group.href, "name": "admins", "description": None, "status": "ENABLED"}
    assert (code, json.loads(said), complained) == (0, told, "")


def test_a_directory_is_created_for_whatever_application_wants_it(app):
    code, said, complained = run(app, "create-directory", "Rebels", "--description", "Of the Alliance")
    with app.app_context():
        rebels = Directory.named("rebels")
        assert (code, said, complained) == (0, f"Created Rebels: {rebels.href}\n", "")
        assert rebels.description == "Of the Alliance"
        assert list(rebels.account_store_mappings) == []
    known = {"name": "Empire", "description": None, "status": "ENABLED"}
    assert known.items() <= json.loads(run(app, "create-directory", "Empire", "--json")[1]).items()


# --- Of a provider ---


def test_a_directory_of_a_provider_is_created_and_its_secret_is_read_and_told_nowhere(app):
    arguments = (
        "create-directory",
        "By Google",
        "--provider",
        "google",
        "--client-id",
        "falcon",
        "--client-secret-stdin",
    )
    code, said, complained = run(app, *arguments, typed="Kessel12.Parsecs\n")
    with app.app_context():
        directory = Directory.named("By Google")
        assert (code, said, complained) == (0, f"Created By Google: {directory.href}\n", "")
        config = directory.provider.config()
        assert (directory.provider_id, config.client_id, config.client_secret) == (
            *("google", "falcon"),
            "Kessel12.Parsecs",
        )
        assert list(directory.account_store_mappings) == []


def test_a_directory_of_an_openid_connect_provider_is_a_way_into_the_application(app):
    where = "--issuer", "https://id.rebels.example", "--client-id", "falcon", "--scope", "openid email"
    code, said, _ = run(
        app, "create-directory", "Rebels", "--provider", "rebels", "--provider-type", "oidc", *where, "--map", "--json"
    )
    told = json.loads(said)
    assert (code, told["name"], told["provider_id"]) == (0, "Rebels", "rebels")
    with app.app_context():
        (config,) = Application.current().login_providers()
        assert (config.provider_id, config.kind, config.issuer) == ("rebels", "oidc", "https://id.rebels.example")
        assert config.scopes == ("openid", "email")


def test_what_is_about_a_provider_is_a_mistake_without_one(app):
    for option in (("--client-id", "falcon"), ("--client-secret-stdin",), ("--issuer", "https://id.example")):
        code, _, complained = run(app, "create-directory", "Rebels", *option)
        assert (code, "about a --provider" in complained) == (2, True)


@pytest.mark.parametrize("provider", ["Goo gle", "", "x" * 51, "\0"])
def test_a_provider_that_cannot_be_called_so_leaves_no_directory(app, provider):
    code, said, complained = run(app, "create-directory", "Rebels", "--provider", provider, "--map")
    assert (code, said, complained.count("\n")) == (1, "", 1)
    with app.app_context():
        assert Directory.named("Rebels") is None
