"""The commands that switch a directory's mails."""

import json

import pytest

from stormpath_app import Application, Directory

from ..test_cli import run

PLACE = "My Application Directory"
FIRST = {
    "verification": "DISABLED",
    "verification_success": "DISABLED",
    "welcome": "DISABLED",
    "reset": "ENABLED",
    "reset_success": "ENABLED",
}


def statuses(app, *options):
    return json.loads(run(app, "workflow", "list", "--json", *options)[1])


def test_a_directory_begins_as_at_stormpath(app):
    assert statuses(app) == FIRST
    assert run(app, "workflow", "list")[1].splitlines() == [
        f"{PLACE}:",
        *(f"  {name.replace('_', '-'):22}{status}" for name, status in FIRST.items()),
    ]


@pytest.mark.parametrize("name", FIRST)
def test_each_workflow_is_enabled_and_disabled_by_its_name(app, name):
    spelled = name.replace("_", "-")
    assert run(app, "workflow", "enable", spelled) == (0, f"{PLACE}: {spelled} is ENABLED.\n", "")
    assert statuses(app) == FIRST | {name: "ENABLED"}
    assert run(app, "workflow", "disable", spelled) == (0, f"{PLACE}: {spelled} is DISABLED.\n", "")
    assert statuses(app) == FIRST | {name: "DISABLED"}


def test_another_directory_is_named(app):
    with app.app_context():
        Directory.create(name="Rebels")
    run(app, "workflow", "enable", "welcome", "--directory", "rebels")
    assert (statuses(app)["welcome"], statuses(app, "--directory", "Rebels")["welcome"]) == ("DISABLED", "ENABLED")


def test_what_there_is_not_is_told(app):
    code, _said, complained = run(app, "workflow", "enable", "goodbye")
    assert (code, "reset-success" in complained) == (2, True)
    code, _said, complained = run(app, "workflow", "list", "--directory", "Sith")
    assert (code, f"there are: '{PLACE}'" in complained) == (1, True)
    with app.app_context():
        Application.current().account_store_mappings[0].delete()
    code, _said, complained = run(app, "workflow", "enable", "welcome")
    assert (code, "default" in complained) == (1, True)
