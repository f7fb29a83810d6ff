"""Administrators on the command line."""

import json

import pytest

from stormpath_app.entry_links import EntryLink
from stormpath_app.models import Administrator, administrator
from stormpath_app.models.administration import OWNER

from ..conftest import PASSWORD

pytestmark = pytest.mark.settings(STORMPATH_ADMIN_URL="/admin")

LEIA = "leia@alderaan.example"


def run(app, *arguments, **how):
    result = app.test_cli_runner().invoke(args=["stormpath", *arguments], **how)
    return result.exit_code, result.stdout, result.stderr


def role(app, login=LEIA):
    with app.app_context():
        return Administrator.of(administrator.directory().find_account(login)).role


def test_create_admin_creates_an_owner_who_can_log_in_at_once(app):
    code, said, _ = run(app, "create-admin", LEIA, "--password-stdin", "--given-name", "Leia", input=PASSWORD + "\n")
    assert (code, role(app)) == (0, OWNER)
    assert said.startswith(f"Created {LEIA}, an owner of the console: /v1/accounts/")
    with app.app_context():
        assert administrator.console().authenticate_account(LEIA, PASSWORD).account.given_name == "Leia"


def test_create_admin_asks_for_the_password_twice(app):
    code, said, _ = run(app, "create-admin", LEIA, "--role", "support", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert (code, role(app)) == (0, "support")
    assert "a support of the console" in said
    assert PASSWORD not in said


def test_create_admin_answers_a_script_in_json(app):
    code, said, _ = run(app, "create-admin", LEIA, "--password-stdin", "--json", input=PASSWORD)
    assert (code, json.loads(said)["email"], json.loads(said)["role"]) == (0, LEIA, OWNER)


@pytest.mark.parametrize(
    ("arguments", "password", "code", "told"),
    [
        ((LEIA,), "short", 1, "Account password minimum length not satisfied."),
        ((LEIA, "--role", "emperor"), PASSWORD, 2, "is not one of 'viewer', 'support', 'manager', 'owner'"),
        (("leia",), PASSWORD, 1, "email"),
    ],
    ids=["weak", "no role", "no address"],
)
def test_what_cannot_be_is_refused_and_makes_nobody(app, arguments, password, code, told):
    refused = run(app, "create-admin", *arguments, "--password-stdin", input=password)
    assert (refused[0], told in refused[2]) == (code, True)
    with app.app_context():
        assert len(administrator.directory().accounts) == 0


def test_an_address_that_is_taken_is_told(app):
    run(app, "create-admin", LEIA, "--password-stdin", input=PASSWORD)
    code, _, complained = run(app, "create-admin", LEIA, "--password-stdin", input=PASSWORD)
    assert (code, "already exists" in complained) == (1, True)


def test_the_last_owner_stays_on_the_command_line_too(app):
    run(app, "create-admin", LEIA, "--password-stdin", input=PASSWORD)
    for command in (("disable-account",), ("delete-account", "--yes")):
        code, _, complained = run(app, *command, LEIA, "--directory", "Stormpath Administrators")
        assert (code, "only owner of the console" in complained) == (1, True)


@pytest.mark.settings(STORMPATH_BASE_URL="https://shop.example")
def test_admin_link_prints_a_link_that_makes_an_owner(app):
    code, said, _ = run(app, "admin-link")
    begin = "https://shop.example/admin/enter?sptoken="
    assert (code, said.startswith(begin)) == (0, True)
    with app.app_context():
        EntryLink.read(said.strip().removeprefix(begin)).make_owner(LEIA, PASSWORD)
    assert role(app) == OWNER


def test_admin_link_uses_the_secret_that_was_generated(app, monkeypatch):
    generated = app.secret_key
    monkeypatch.setattr("stormpath_app.installation.read_secret", lambda _app: generated)
    app.secret_key = None
    code, said, _ = run(app, "admin-link")
    assert code == 0
    with app.app_context():
        EntryLink.read(said.strip().partition("sptoken=")[2])


@pytest.mark.settings(STORMPATH_ADMIN_URL=None)
def test_without_a_console_there_is_no_link(app):
    code, _, complained = run(app, "admin-link")
    assert (code, "there is no console" in complained) == (1, True)
