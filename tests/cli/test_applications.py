"""The commands for applications and directories."""

import json

import pytest

from stormpath_app import Application, Directory
from stormpath_app.models import Client

from ..test_cli import run

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


@pytest.mark.parametrize(
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
