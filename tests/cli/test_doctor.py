"""`doctor LOGIN`: why somebody cannot log in, and the command that mends it."""

import json
import shlex

import pytest

from stormpath_app import Account, Application, Directory
from stormpath_app.database import session
from stormpath_app.errors import LoginFailed
from stormpath_app.models import OutboxMessage
from stormpath_app.providers import Identity

from ..conftest import PASSWORD
from ..falcon import SOCIAL
from ..models.test_event import events
from ..test_cli import HAN, run

OTHER = "Kessel12.Parsecs"


def mend(app, told):
    """Run each command that the doctor names."""
    commands = [line.partition("To mend it: flask stormpath ")[2] for line in told.splitlines() if "To mend it" in line]
    for command in commands:
        assert run(app, *shlex.split(command))[0] == 0, command
    return len(commands)


def lock(app):
    with app.app_context():
        for _ in range(9):
            with pytest.raises(LoginFailed):
                Application.current().authenticate_account(HAN, "wrong")


def test_who_can_log_in_is_told_so_step_by_step(app, account):
    code, told, complained = run(app, "doctor", "SOLO")
    assert (code, complained) == (0, "")
    assert told.splitlines()[:4] == [
        "Han Solo can log in.",
        "  ok        Application My Application is enabled",
        "  ok        One account store is asked",
        "            My Application Directory",
    ]
    assert "FAILS" not in told


def test_what_fails_is_told_with_the_command_that_mends_it(app, account):
    run(app, "disable-account", HAN)
    code, told, complained = run(app, "doctor", HAN)
    assert (code, complained, told.splitlines()[0]) == (1, "", "Han Solo cannot log in.")
    assert "  FAILS     Account is disabled\n            To mend it: flask stormpath enable-account" in told
    assert "  (ok)      Email need not be verified" in told
    assert mend(app, told) == 1
    assert run(app, "doctor", HAN)[0] == 0


@pytest.mark.parametrize("status", ["UNVERIFIED", "DISABLED"])
def test_an_account_that_its_application_cannot_see_is_mended_by_its_directory(app, status):
    with app.app_context():
        rebels = Directory.create(name="The Rebels")
        crew = rebels.groups.create(name="the crew")
        application = Application.current()
        application.account_store_mappings[0].delete()
        application.add_account_store(crew)
        leia = rebels.create_account(email="leia@alderaan.example", password=PASSWORD, status=status)
    code, told, _ = run(app, "doctor", leia.email)
    assert code == 1
    assert "--directory 'The Rebels'" in told
    assert mend(app, told) == 2
    assert run(app, "doctor", leia.email)[:2][0] == 0


def test_the_last_failures_and_mails_are_listed(app, account, held_clock):
    lock(app)
    with app.app_context():
        Application.current().send_password_reset_email(HAN)
    _, told, _ = run(app, "doctor", HAN)
    assert "  FAILS     Locked until " in told
    assert told.count("2026-11-24 12:00:00  Wrong password") == 5
    assert "The last mails:\n  2026-11-24 12:00:00  QUEUED  reset" in told


def test_it_is_one_json_value_for_scripts(app, account):
    run(app, "disable-account", HAN)
    code, told, _ = run(app, "doctor", HAN, "--json")
    found = json.loads(told)
    assert (code, found["can_log_in"], found["verdict"]) == (1, False, "Han Solo cannot log in")
    (failing,) = [step for step in found["steps"] if step["state"] == "failed"]
    assert (failing["kind"], failing["code"], failing["remedies"][0]["verb"]) == ("status", 7101, "enable")
    assert failing["remedies"][0]["href"] == found["account"]
    assert PASSWORD not in told


def test_another_application_is_asked_by_its_name(app, account):
    with app.app_context():
        Application.create(name="Shop", status="DISABLED")
    code, told, _ = run(app, "doctor", HAN, "--application", "shop")
    assert (code, "Application Shop is disabled" in told) == (1, True)
    code, _, complained = run(app, "doctor", HAN, "--application", "Shpo")
    assert (code, complained) == (
        1,
        "Error: There is no application 'Shpo'; there are: 'My Application', 'Stormpath', 'Shop'.\n",
    )


@pytest.mark.parametrize("login", ["nobody@falcon.example", "\x1b[31mred", "x" * 1000])
def test_nobody_is_told_as_nobody_in_harmless_letters(app, login):
    code, told, _ = run(app, "doctor", login)
    assert (code, "No account has this name" in told, "\x1b" in told) == (1, True, False)


def test_red_and_green_are_for_terminals_alone(app, account):
    told = app.test_cli_runner().invoke(args=["stormpath", "doctor", HAN], color=True).stdout
    assert "\x1b[32m" in told
    assert "\x1b" not in run(app, "doctor", HAN)[1]


def test_it_leaves_no_trace(app, account):
    with app.app_context():
        before = len(events())
    run(app, "doctor", HAN)
    with app.app_context():
        assert len(events()) == before


# --- The commands it names ---


def test_an_address_is_confirmed_by_whoever_knows_it(app):
    with app.app_context():
        Account.create(HAN, PASSWORD, "Han", "Solo", status="UNVERIFIED")
    told = f"The address {HAN} is confirmed; the account is ENABLED.\n"
    assert run(app, "verify-account", HAN) == (0, told, "")
    assert run(app, "verify-account", HAN) == (0, told, "")


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True, STORMPATH_BASE_URL="https://www.example.com")
def test_a_link_is_printed_that_leads_to_a_new_password_once(app, client, account):
    code, link, _ = run(app, "reset-link", HAN)
    assert (code, link.startswith("https://www.example.com/forgot/change?sptoken=")) == (0, True)
    with app.app_context():
        token = link.strip().partition("sptoken=")[2]
        Application.current().reset_account_password(token, OTHER)
        assert session.query(OutboxMessage).filter_by(kind="reset").all() == []
        (event,) = events("password_reset.link_created")
        assert event.interface == "cli"
    assert client.get(f"/forgot/change?sptoken={token}", follow_redirects=True).status_code == 400


def test_without_a_page_for_it_no_link_is_made_and_the_setting_is_named(app, account):
    code, told, complained = run(app, "reset-link", HAN)
    assert (code, told, "STORMPATH_ENABLE_FORGOT_PASSWORD is off" in complained) == (1, "", True)
    with app.app_context():
        assert events("password_reset.link_created") == []


@pytest.mark.settings(
    STORMPATH_SOCIAL=SOCIAL, STORMPATH_ENABLE_FORGOT_PASSWORD=True, STORMPATH_BASE_URL="https://www.example.com"
)
def test_who_comes_by_a_provider_is_said_to_have_no_password(app):
    with app.app_context():
        Application.current().enter("falcon", Identity("1139", "chewie@falcon.example"))
    code, told, _ = run(app, "doctor", "chewie@falcon.example")
    assert (code, told.splitlines()[0]) == (*(1, "Anonymous Anonymous logs in with Falcon Pass, and has no password."),)
    code, _, complained = run(app, "reset-link", "chewie@falcon.example")
    assert (code, "logs in by a provider, and has no password" in complained) == (1, True)
