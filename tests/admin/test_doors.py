"""Every door of the console, and who may pass: a new page that this table does not know fails the test."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from stormpath_app import Account, Application
from stormpath_app.models import Administrator, Directory, Tenant, administrator, message
from stormpath_app.models.administration import MANAGER, OWNER, ROLES, SUPPORT, VIEWER

from ..conftest import PASSWORD, statements
from .test_entry import log_in as sign_in_by_form

pytestmark = pytest.mark.sqlite

PUBLIC = "public"
#: The least role that passes, and the method -> the blueprint of the screen -> its views; "": the console's own.
DOORS: dict[tuple[str, str], dict[str, str]] = {
    (PUBLIC, "GET"): {
        "": "colour",
        "arrival": "enter invitation",
        "entry": "login new_password",
        "passwords": "change forgot",
    },
    (PUBLIC, "POST"): {
        "arrival": "enter invitation",
        "entry": "login new_password",
        "passwords": "change forgot",
    },
    (VIEWER, "GET"): {
        "accounts": (
            "api_keys custom_data edit_view export groups identities index_view json messages security sessions "
            "timeline"
        ),
        "applications": "custom_data edit_view export index_view",
        "directories": (
            "custom_data edit_view export index_view passwords preview provider registration workflow workflows"
        ),
        "groups": "custom_data edit_view export index_view",
        "home": "index",
        "log": "event export index",
        "messages": "index_view message",
        "myself": "index logins name_ password",
        "search": "index",
    },
    (VIEWER, "POST"): {
        "": "theme",
        "directories": "preview",
        "entry": "logout stay",
        "myself": "logins name_ password",
    },
    (SUPPORT, "POST"): {
        "accounts": "action_view end_logins end_session link mail_again mail_reset must_change resend unlock",
        "applications": "action_view",
        "directories": "action_view",
        "groups": "action_view",
        "messages": "again",
    },
    (MANAGER, "GET"): {
        "accounts": "create_view delete_view edit password shut_out",
        "groups": "create_view",
    },
    (MANAGER, "POST"): {
        "accounts": (
            "change_groups create_view custom_data delete_view disable_api_key edit keep_password "
            "let_in link_identity lock_down password restore shut_out unlink_identity verify"
        ),
        "groups": "create_view custom_data edit_view members",
    },
    (OWNER, "GET"): {
        "administrators": "index invite page remove",
        "api_keys": "create_view delete_view edit_view export index_view",
        "applications": "create_view delete_view",
        "directories": "create_view delete_view",
        "groups": "delete_view",
        "settings": "index",
    },
    (OWNER, "POST"): {
        "accounts": "enable_api_key",
        "administrators": "invite remove resend role status",
        "api_keys": "action_view create_view delete_view edit_view file",
        "applications": "create_view custom_data delete_view edit_view linking stores",
        "directories": (
            "change_provider create_view custom_data delete_view edit_view passwords registration send test_provider "
            "workflow"
        ),
        "groups": "delete_view",
    },
}

#: What each form is sent with: what it is about is missing mostly.
FORM = {"back": "/admin/", "id": "x", "reason": "Tried"}


@pytest.fixture
def ids(app: Flask) -> dict[str, str]:
    """Return the id of a resource of each kind, by the screen that deals with it."""
    with app.app_context():
        application = Application.current()
        ada = Account.create("ada@example.com", PASSWORD, "Ada", "Lovelace")
        application.send_password_reset_email(ada.email)
        (mail,) = message.of_account(ada.id, limit=1)
        other = Administrator.create("other@console.example", PASSWORD, VIEWER).account
        return {
            "accounts": ada.id,
            "applications": application.id,
            "groups": application.groups.create(name="crew").id,
            "directories": application.default_account_store().home.id,
            "messages": mail.id,
            "api_keys": Tenant.current().api_keys.create().id,
            "administrators": other.id,
        }


def doors(app: Flask) -> list[tuple[str, str, str]]:
    """Return all of them: endpoint, method and rule. What deletes, or ends the very login, comes last."""
    found = [
        (rule.endpoint.removeprefix("stormpath_admin."), method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("stormpath_admin.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    return sorted(found, key=lambda door: (door[1] != "GET", "logout" in door[0], "delete" in door[0], door))


def address(door: tuple[str, str, str], ids: dict[str, str]) -> str:
    """Return where a door is, for a resource that is there."""
    endpoint, _method, rule = door
    found = rule.replace("<id>", ids.get(endpoint.partition(".")[0], "x")).replace("<mail>", "reset")
    return re.sub(r"<any\((\w+).*?>", r"\1", found)


def passes(browser: FlaskClient, method: str, address: str, token: str) -> bool:
    """Tell whether somebody is let through a door. What is behind it may say that something is missing, never fail."""
    form = None if method == "GET" else {"csrf_token": token, **FORM}
    answer = browser.open(address, method=method, data=form, buffered=True)
    assert answer.status_code < 500, (method, address)
    is_sent_away = answer.status_code == 302 and "/admin/login?" in answer.location
    is_refused = answer.status_code in {401, 403} or "This page was open for too long" in answer.text
    return not (is_sent_away or is_refused)


def token_of(browser: FlaskClient) -> str:
    """Return what the forms of this browser have, be somebody signed in or not."""
    page = browser.get("/admin/search/", follow_redirects=True, buffered=True).text
    found = re.search('name="csrf_token" value="([^"]+)"', page)
    assert found
    return found[1]


def walk(app: Flask, browser: FlaskClient, ids: dict[str, str]) -> set[tuple[str, str]]:
    """Return the doors that somebody passes, with a form of their own."""
    return {
        door[:2]
        for door in doors(app)
        if passes(browser, door[1], address(door, ids), "" if door[1] == "GET" else token_of(browser))
    }


def meant(*roles: str) -> set[tuple[str, str]]:
    """Return the doors that these roles open."""
    return {
        (f"{screen}.{view}".removeprefix("."), method)
        for (role, method), screens in DOORS.items()
        for screen, views in screens.items()
        for view in views.split()
        if role in roles
    }


def test_the_table_knows_every_door_and_no_other(app):
    known = [door for role in (PUBLIC, *ROLES) for door in meant(role)]
    assert len(known) == len(set(known))
    assert {door[:2] for door in doors(app)} == set(known)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_passes_its_doors_and_those_of_the_roles_before_it(app, sign_in, ids, role):
    below = ROLES[: ROLES.index(role) + 1]
    assert walk(app, sign_in(role).browser, ids) == meant(PUBLIC, *below)


# --- People of the site ---


def _nobody(app: Flask, _log_in: object) -> FlaskClient:
    return app.test_client()


def _of_the_site(app: Flask, log_in: Callable[..., object], email: str = "ada@example.com") -> FlaskClient:
    browser = app.test_client()
    log_in(browser, email)
    assert browser.get("/secret").status_code == 200
    return browser


def _in_both(app: Flask, log_in: Callable[..., object]) -> FlaskClient:
    """Somebody whose address an owner has too, logged in to the site."""
    with app.app_context():
        Administrator.create("ada@example.com", PASSWORD, OWNER)
    return _of_the_site(app, log_in)


def _administrator_at_the_site(app: Flask, log_in: Callable[..., object]) -> FlaskClient:
    """An owner, logged in to a site that lets the administrators in."""
    with app.app_context():
        owner = Administrator.create("leia@alderaan.example", PASSWORD, OWNER)
        Application.current().add_account_store(owner.account.directory)
    return _of_the_site(app, log_in, "leia@alderaan.example")


def _remembered(app: Flask, log_in: Callable[..., object]) -> FlaskClient:
    """The same, who closed the browser meanwhile; what is left is tried as the console's cookie too."""
    before = _administrator_at_the_site(app, log_in)
    browser, value = app.test_client(), before.get_cookie("__Host-stormpath_token").value
    browser.set_cookie("__Host-stormpath_token", value)
    browser.set_cookie("__Secure-stormpath_admin", value, path="/admin")
    return browser


def _without_a_role(app: Flask, _log_in: object) -> FlaskClient:
    """Somebody who was an administrator a moment ago."""
    browser = app.test_client()
    with app.app_context():
        Administrator.create("leia@alderaan.example", PASSWORD, OWNER)
        Administrator.create("luke@tatooine.example", PASSWORD, OWNER)
    sign_in_by_form(browser, "luke@tatooine.example")
    assert browser.get("/admin/").status_code == 200
    with app.app_context():
        Administrator.of(administrator.directory().find_account("luke@tatooine.example")).revoke()
    return browser


STRANGERS = [_nobody, _of_the_site, _in_both, _administrator_at_the_site, _remembered, _without_a_role]


@pytest.mark.parametrize("who", STRANGERS, ids=lambda who: who.__name__.strip("_"))
def test_who_is_not_signed_in_to_the_console_passes_the_public_doors_alone(app, ids, log_in, who):
    browser = who(app, log_in)
    assert walk(app, browser, ids) == meant(PUBLIC)


# --- Every door needs a form of this very login, and takes no other method ---


def test_no_door_takes_a_form_of_another_site_or_another_login(app, sign_in, ids):
    browser, other = sign_in(OWNER).browser, sign_in(OWNER, email="another@console.example").browser
    theirs = token_of(other)
    for door in doors(app):
        if door[1] != "GET":
            for token in ("", theirs, "x.y"):
                assert not passes(browser, door[1], address(door, ids), token), door
    with app.app_context():
        assert Account.find(ids["accounts"]) is not None


def test_no_door_takes_a_method_that_it_does_not_name(app, sign_in, ids):
    browser = sign_in(OWNER).browser
    token = token_of(browser)
    for door in doors(app):
        for method in ("PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"):
            answer = browser.open(address(door, ids), method=method, data={"csrf_token": token, **FORM})
            assert answer.status_code in {200, 400, 405}, (method, door)
            assert answer.status_code != 200 or (method == "OPTIONS" and answer.text == "")


def test_a_look_changes_nothing(app, sign_in, ids, outside):
    browser = sign_in(OWNER).browser
    token_of(browser)
    with statements(app) as seen:
        for door in doors(app):
            if door[1] == "GET" and not door[0].endswith(".export"):  # which the log tells of
                browser.get(address(door, ids), buffered=True)
    # That somebody is there is written down, and once an hour what was counted: neither is anybody's to change.
    kept = ("last_seen_at", "stormpath_event_counts")
    writes = [one for one in seen if one.split()[0] in {"INSERT", "UPDATE", "DELETE"}]
    changes = [one for one in writes if not any(name in one for name in kept)]
    assert changes == []


# --- Limits ---


def test_who_is_limited_finds_nothing_of_other_directories_by_its_id(app, sign_in, ids):
    with app.app_context():
        Directory.create(name="Rebels")
    browser = sign_in(MANAGER, directories=["Rebels"]).browser
    token = token_of(browser)
    for door in doors(app):
        if "<id>" in door[2] and door[0].partition(".")[0] != "administrators":
            form = None if door[1] == "GET" else {"csrf_token": token, **FORM}
            answer = browser.open(address(door, ids), method=door[1], data=form, buffered=True)
            assert answer.status_code in {403, 404}, door


@pytest.mark.parametrize("role", ROLES)
def test_administrators_and_their_directory_are_found_by_no_id_but_on_their_own_screen(app, sign_in, role):
    browser = sign_in(role).browser
    with app.app_context():
        home, console = administrator.directory(), administrator.console()
        ours = {
            "accounts": next(iter(home.accounts)).id,
            "applications": console.id,
            "groups": home.find_group(OWNER).id,
            "directories": home.id,
        }
    token = token_of(browser)
    for door in doors(app):
        if "<id>" in door[2] and door[0].partition(".")[0] in ours:
            form = None if door[1] == "GET" else {"csrf_token": token, **FORM}
            answer = browser.open(address(door, ours), method=door[1], data=form, buffered=True)
            assert answer.status_code in {403, 404}, door
