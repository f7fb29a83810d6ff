"""The commands for one account."""

import json

import pytest

from stormpath_app import Account, Application, Directory
from stormpath_app.database import session
from stormpath_app.models import AccountSession, Client

from ..conftest import PASSWORD
from ..models.test_event import events
from ..test_cli import HAN, run

LEIA, OTHER = "leia@alderaan.example", "Kessel12.Parsecs"


@pytest.fixture
def leia(app):
    """Put Leia into a directory that is not the application's."""
    with app.app_context():
        Directory.create(name="Rebels").create_account(email=LEIA, password=PASSWORD)


def status(app, email=HAN):
    with app.app_context():
        return next(account.status for account in Client().accounts if account.email == email)


def test_an_account_is_disabled_with_all_its_logins_and_enabled_again(app, client, account, log_in):
    log_in(client)
    told = f"{HAN} is DISABLED now; it was ENABLED, and logged out everywhere.\n"
    assert run(app, "disable-account", "SOLO") == (0, told, "")
    assert (status(app), client.get("/secret").status_code) == ("DISABLED", 302)
    assert run(app, "disable-account", "SOLO")[1] == f"{HAN} is DISABLED already, and logged out everywhere.\n"
    assert run(app, "enable-account", HAN) == (0, f"{HAN} is ENABLED now; it was DISABLED.\n", "")
    assert run(app, "enable-account", HAN)[1] == f"{HAN} is ENABLED already.\n"
    assert log_in(client).status_code == 302
    with app.app_context():
        assert [event.interface for event in events("account.updated")] == ["cli", "cli"]


def test_an_account_is_signed_out_on_every_device(app, account, log_in):
    browsers = [app.test_client(), app.test_client()]
    for browser in browsers:
        log_in(browser)
        assert browser.get("/secret").status_code == 200
    assert run(app, "sign-out", "solo") == (0, f"{HAN} is logged out everywhere; it had 2 logins.\n", "")
    assert [browser.get("/secret").status_code for browser in browsers] == [302, 302]
    assert status(app) == "ENABLED"
    log_in(browsers[0])
    assert run(app, "sign-out", "solo")[1] == f"{HAN} is logged out everywhere; it had 1 login.\n"
    with app.app_context():
        assert [(event.interface, event.data) for event in events("account.signed_out")] == [
            ("cli", {"sessions": 2}),
            ("cli", {"sessions": 1}),
        ]


def test_nobody_elses_login_ends(app, account, log_in, client):
    with app.app_context():
        Account.create(LEIA, PASSWORD)
    log_in(client)
    assert run(app, "sign-out", LEIA)[1] == f"{LEIA} is logged out everywhere; it had 0 logins.\n"
    assert client.get("/secret").status_code == 200


@pytest.mark.parametrize(("typed", "options"), [("y\n", ()), (None, ("--yes",))], ids=["asked", "--yes"])
def test_an_account_is_deleted_by_somebody_who_says_so(app, account, client, log_in, typed, options):
    log_in(client)
    code, said, complained = run(app, "delete-account", "SOLO", *options, typed=typed)
    assert (code, complained, said.endswith(f"Deleted {HAN} (Han Solo).\n")) == (0, "", True)
    question = f"Delete {HAN} (Han Solo) in My Application Directory, with all that belongs to it, for good?"
    assert (question in said) is (typed is not None)
    with app.app_context():
        assert len(Client().accounts) == session.query(AccountSession).count() == 0
        assert [event.interface for event in events("account.deleted")] == ["cli"]


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_an_account_stays_where_nobody_says_yes(app, account, typed):
    code, _, complained = run(app, "delete-account", HAN, typed=typed)
    assert (code, "Aborted" in complained, status(app)) == (1, True, "ENABLED")


COMMANDS = ["enable-account", "disable-account", "sign-out", "delete-account", "unlock", "set-password"]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_account_of_another_directory_is_found_there(app, leia, command):
    more = {"delete-account": ("--yes",), "set-password": ("--password-stdin",)}.get(command, ())
    code, said, complained = run(app, command, LEIA, *more, typed=PASSWORD)
    assert (code, said) == (1, "")
    assert complained == f"Error: No account of 'My Application' has the e-mail address or username {LEIA!r}.\n"
    code, said, complained = run(app, command, LEIA, "--directory", "rebels", *more, typed=PASSWORD)
    assert (code, LEIA in said, complained) == (0, True, "")
    code, _, complained = run(app, command, HAN, "--directory", "Rebels", *more, typed=PASSWORD)
    assert (code, f"No account of 'Rebels' has the e-mail address or username {HAN!r}" in complained) == (1, True)
    code, _, complained = run(app, command, LEIA, "--directory", "Rebel", *more, typed=PASSWORD)
    assert (code, "There is no directory 'Rebel'; there are: " in complained) == (1, True)


def test_an_account_can_be_created_in_another_directory_and_told_in_json(app, leia):
    options = ("--directory", "Rebels", "--json", "--password-stdin")
    code, said, complained = run(app, "create-account", "luke@tatooine.example", *options, typed=PASSWORD)
    told = json.loads(said)
    assert (code, complained, told["email"], told["status"]) == (0, "", "luke@tatooine.example", "ENABLED")
    assert not {"password", "password_hash"} & set(told)
    with app.app_context():
        assert Directory.named("Rebels").find_account("luke@tatooine.example").href == told["href"]
        assert not Application.current().find_account("luke@tatooine.example")


# --- Passwords that must be changed ---


def must_change(app):
    with app.app_context():
        return next(account.must_change_password for account in Client().accounts if account.email == HAN)


def test_a_password_that_is_set_for_somebody_may_be_one_they_must_change(app, client, account, log_in):
    said = f"The password of {HAN} is changed, and it is logged out everywhere."
    told = f"{said} Its owner must choose another to log in.\n"
    assert run(app, "set-password", "solo", "--must-change", "--password-stdin", typed=OTHER) == (0, told, "")
    assert must_change(app)
    assert log_in(client, password=OTHER).location == "/login/password"
    assert run(app, "set-password", "solo", "--password-stdin", typed=PASSWORD) == (0, f"{said}\n", "")
    assert not must_change(app)
    assert log_in(client).location == "/"


def test_a_new_account_may_have_a_password_that_must_be_changed(app):
    assert run(app, "create-account", HAN, "--must-change", "--password-stdin", typed=PASSWORD)[0] == 0
    assert must_change(app)
    assert run(app, "create-account", LEIA, "--password-stdin", "--json", typed=PASSWORD)[0] == 0
    with app.app_context():
        assert [account.must_change_password for account in Client().accounts] == [True, False]
