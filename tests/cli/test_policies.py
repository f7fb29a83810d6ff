"""The commands about what a directory asks of passwords."""

import json

import pytest

from stormpath_app import Account, Application, Directory

from ..conftest import PASSWORD
from ..test_cli import run

PLACE = "My Application Directory"
RULES = "At least 8 characters, with a lowercase letter, an uppercase letter and a number."


def rules(app, *options):
    return json.loads(run(app, "policy", "show", "--json", *options)[1])


def test_the_rules_of_a_directory_are_shown(app):
    told = run(app, "policy", "show")[1].splitlines()
    assert told[0] == f"{PLACE}: {RULES}"
    assert f"  {'preset':28}stormpath" in told
    assert f"  {'checks_before':28}-" in told
    assert (rules(app)["preset"], rules(app)["min_length"]) == ("stormpath", 8)


def test_a_preset_is_set_and_its_effect_told(app):
    with app.app_context():
        Account.create("han@falcon.example", PASSWORD)
    code, said, _ = run(app, "policy", "preset", "nist-800-63b-4")
    assert code == 0
    assert said.splitlines() == [
        "  1 Accounts keep the password they have, and log in with it: the rules are for new ones.",
        f"{PLACE}: At least 15 characters.",
    ]
    assert rules(app)["preset"] == "nist-800-63b-4"


def test_a_dry_run_saves_nothing(app):
    code, said, _ = run(app, "policy", "preset", "nist-800-63b-4", "--old", "replace", "--dry-run")
    assert (code, said.splitlines()[-1]) == (0, "Nothing was saved.")
    assert rules(app)["preset"] == "stormpath"
    assert rules(app)["replaces_before"] is None


@pytest.mark.parametrize(("old", "moment"), [("check", "checks_before"), ("replace", "replaces_before")])
def test_the_passwords_there_are_can_be_looked_at_or_replaced(app, old, moment):
    assert run(app, "policy", "preset", "stormpath", "--old", old)[0] == 0
    assert rules(app)[moment]
    assert run(app, "policy", "preset", "stormpath", "--old", "stop")[0] == 0
    assert rules(app)[moment] is None


def test_another_directory_is_named(app):
    with app.app_context():
        Directory.create(name="Rebels")
    run(app, "policy", "preset", "nist-800-63b-4", "--directory", "rebels")
    assert (rules(app)["preset"], rules(app, "--directory", "Rebels")["preset"]) == ("stormpath", "nist-800-63b-4")


def test_what_there_is_not_is_told(app):
    code, _said, complained = run(app, "policy", "preset", "pci")
    assert (code, "nist-800-63b-4" in complained) == (2, True)
    code, _said, complained = run(app, "policy", "show", "--directory", "Sith")
    assert (code, f"there are: '{PLACE}'" in complained) == (1, True)
    with app.app_context():
        Application.current().account_store_mappings[0].delete()
    assert run(app, "policy", "show")[0] == 1
