"""What is done to several at once: whoever is ticked, by whom, and what is told of those it could not be done to."""

import re
import secrets

import pytest

from stormpath_app import Application, Directory
from stormpath_app.admin.accounts import AccountsView
from stormpath_app.admin.gate import PASSWORD as PASSWORD_FIELD, Needs
from stormpath_app.database import session
from stormpath_app.models import Account, AuditEvent, Group, OutboxMessage
from stormpath_app.models.administration import MANAGER
from stormpath_app.models.administrator import directory
from stormpath_app.signals import user_updated

from ..conftest import PASSWORD
from .test_gate import hidden

pytestmark = pytest.mark.sqlite

NAMES = ("ada", "ben", "cem")
#: What each needs at least, as the list has it.
ACTIONS = {
    "reset": "support",
    "sign_out": "support",
    "add_group": "manager",
    "remove_group": "manager",
    "enable": "manager",
    "disable": "manager",
}


@pytest.fixture
def people(app):
    """Return the ids of three accounts of the site, by name."""
    with app.app_context():
        accounts = Application.current().accounts
        return {name: accounts.create(email=f"{name}@example.com", password=PASSWORD).id for name in NAMES}


@pytest.fixture
def crew(app, home_directory):
    """Return the id of a group of the site's directory."""
    with app.app_context():
        return Directory.get(home_directory).create_group(name="crew").id


@pytest.fixture
def empire(app):
    """Return the ids of another directory, its account, and its group."""
    with app.app_context():
        other = Directory.create(name="Empire")
        account = other.create_account(email="darth@vader.example", password=PASSWORD)
        return other.id, account.id, other.create_group(name="sith").id


def statuses(app, people):
    with app.app_context():
        return [Account.get(account_id).status for account_id in people.values()]


def test_what_would_be_done_is_shown_first_with_everybody_it_is_done_to(app, owner, people):
    page = owner.post("/accounts/action", action="disable", id=list(people.values()))
    assert page.status_code == 200
    assert "Each is logged out at once" in page.text
    for name in NAMES:
        assert f"{name}@example.com" in page.text
    assert statuses(app, people) == ["ENABLED"] * 3


def test_what_is_confirmed_is_done_to_each_and_told(app, owner, people):
    answer = owner.post("/accounts/action", action="disable", id=list(people.values()), confirmed="1")
    assert (answer.status_code, answer.location) == (303, "/admin/accounts/")
    assert statuses(app, people) == ["DISABLED"] * 3
    assert "Done for 3." in owner.get("/accounts/").text


def test_the_way_back_leads_to_the_list_as_it_was(owner, people):
    path = "/accounts/action?q=example&show=enabled&sort=name&size=50"
    page = owner.post(path, action="sign_out", id=people["ada"])
    assert 'href="/admin/accounts/?q=example&amp;show=enabled&amp;sort=name&amp;size=50"' in page.text
    answer = owner.post(path, action="sign_out", id=people["ada"], confirmed="1")
    assert answer.location == "/admin/accounts/?q=example&show=enabled&sort=name&size=50"


def test_each_change_is_in_the_log_with_who_made_it(app, owner, people):
    owner.post("/accounts/action", action="disable", id=list(people.values()), confirmed="1")
    with app.app_context():
        events = session.query(AuditEvent).filter(AuditEvent.account_id.in_(people.values())).all()
        told = [event for event in events if event.kind == "account.updated"]
        assert {event.account_id for event in told} == set(people.values())
        assert {event.actor_name for event in told} == {"owner@console.example"}
        assert {event.interface for event in told} == {"admin"}


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("role", ["viewer", "support", "manager"])
def test_each_is_offered_and_done_for_whose_role_is_enough_alone(app, sign_in, people, role, name):
    console, order = sign_in(role), ["viewer", "support", "manager"]
    may = order.index(role) >= order.index(ACTIONS[name])
    assert (f'name="action" value="{name}"' in console.get("/accounts/").text) == may
    answer = console.post("/accounts/action", action=name, id=people["ada"])
    assert answer.status_code == (200 if may else 403)


def test_what_says_nothing_of_roles_is_for_owners_alone(app, owner, sign_in, people, monkeypatch):
    monkeypatch.delattr(AccountsView.sign_out, "stormpath_needs")
    manager = sign_in("manager")
    assert 'value="sign_out"' not in manager.get("/accounts/").text
    assert manager.post("/accounts/action", action="sign_out", id=people["ada"]).status_code == 403
    assert 'value="sign_out"' in owner.get("/accounts/").text


@pytest.mark.parametrize("name", ["", "delete", "nothing", "__init__", "get_one"])
def test_what_is_no_action_is_refused(owner, people, name):
    assert owner.post("/accounts/action", action=name, id=people["ada"], confirmed="1").status_code == 400


def test_nobody_ticked_is_told(owner):
    answer = owner.post("/accounts/action", follow=True, action="disable")
    assert "Nothing was chosen." in answer.text


def test_ids_that_are_not_in_scope_or_were_deleted_meanwhile_are_left_out(app, sign_in, people, empire):
    with app.app_context():
        Account.get(people["cem"]).delete()
        admin_id = directory().accounts[0].id if len(directory().accounts) else "NONE"
    console = sign_in("manager", directories=[home_name(app)])
    ids = [people["ada"], people["cem"], empire[1], admin_id, "", "%", "'", "\0", "x" * 500, people["ada"]]
    page = console.post("/accounts/action", action="disable", id=ids)
    assert re.findall(r'name="id" value="([^"]+)"', page.text) == [people["ada"]]
    console.post("/accounts/action", action="disable", id=ids, confirmed="1")
    with app.app_context():
        assert Account.get(empire[1]).status == "ENABLED"
        assert Account.get(people["ada"]).status == "DISABLED"


def home_name(app):
    with app.app_context():
        return Application.current().default_account_store().home.name


def test_a_part_that_fails_is_told_one_by_one_and_the_rest_is_done(app, owner, people, empire):
    """Nobody can be mailed through an application that does not let them in."""
    answer = owner.post("/accounts/action", follow=True, action="reset", id=[people["ada"], empire[1]], confirmed="1")
    assert "darth@vader.example:" in answer.text
    assert "Done for 1." in answer.text


def test_who_is_deleted_while_others_have_their_turn_is_told_of(app, owner, people, outside):
    def delete(_app, **_more):
        with outside.begin() as connection:
            connection.exec_driver_sql("DELETE FROM stormpath_accounts WHERE email = 'ben@example.com'")

    with user_updated.connected_to(delete):
        answer = owner.post("/accounts/action", follow=True, action="disable", id=list(people.values()), confirmed="1")
    assert answer.status_code == 200
    assert "ben@example.com: " in answer.text
    assert "Done for 2." in answer.text, re.findall("<p>.*</p>", answer.text)


def test_of_many_who_are_refused_the_first_are_told_and_the_others_counted(app, owner, empire, crew):
    """What is told travels in the cookie that a host keeps its own things in: browsers drop one that is too long."""
    with app.app_context():
        other = Directory.get(empire[0])
        names = [f"{number}{'x' * 50}@{secrets.token_hex(30)}.{secrets.token_hex(30)}.example" for number in range(15)]
        theirs = [other.create_account(email=name, password=PASSWORD).id for name in names]
    answer = owner.post("/accounts/action", action="reset", id=theirs, confirmed="1")
    assert answer.status_code == 303
    assert max(map(len, answer.headers.getlist("Set-Cookie"))) < 4000
    assert "And 5 more are refused." in owner.get("/accounts/").text


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True)
def test_each_who_is_sent_a_reset_mail_has_one(app, owner, people):
    owner.post("/accounts/action", action="reset", id=list(people.values()), confirmed="1")
    with app.app_context():
        addresses = {message.address for message in session.query(OutboxMessage)}
    assert addresses >= {f"{name}@example.com" for name in NAMES}


def test_accounts_are_put_into_a_group_and_taken_out(app, owner, people, crew):
    page = owner.post("/accounts/action", action="add_group", id=list(people.values()))
    assert f'<option value="{crew}">crew</option>' in page.text
    owner.post("/accounts/action", action="add_group", id=list(people.values()), group=crew, confirmed="1")
    with app.app_context():
        assert len(Group.get(crew).accounts) == 3
    owner.post("/accounts/action", action="remove_group", id=[people["ada"]], group=crew, confirmed="1")
    with app.app_context():
        assert len(Group.get(crew).accounts) == 2


def test_the_groups_to_choose_from_are_those_of_the_chosen(owner, people, crew, empire):
    page = owner.post("/accounts/action", action="add_group", id=people["ada"])
    assert "sith" not in page.text
    both = owner.post("/accounts/action", action="add_group", id=[people["ada"], empire[1]])
    assert "crew" in both.text
    assert "sith" in both.text


def test_a_group_that_is_not_among_them_is_refused_and_who_was_ticked_stays_ticked(app, owner, people, crew, empire):
    for group in (empire[2], "", "nothing", "\0"):
        page = owner.post("/accounts/action", action="add_group", id=people["ada"], group=group, confirmed="1")
        assert page.status_code == 200
        assert 'aria-invalid="true"' in page.text
        assert f'name="id" value="{people["ada"]}"' in page.text
    with app.app_context():
        assert len(Account.get(people["ada"]).groups) == 0


def test_an_account_of_another_directory_than_the_group_is_told_of(app, owner, people, crew, empire):
    ids = [people["ada"], empire[1]]
    answer = owner.post("/accounts/action", follow=True, action="add_group", id=ids, group=crew, confirmed="1")
    assert "darth@vader.example:" in answer.text
    with app.app_context():
        assert [account.email for account in Group.get(crew).accounts] == ["ada@example.com"]


def test_no_more_than_a_page_is_changed_at_once(app, owner, people, monkeypatch):
    monkeypatch.setattr(AccountsView, "page_sizes", (2,))
    owner.post("/accounts/action", action="disable", id=list(people.values()), confirmed="1")
    assert statuses(app, people) == ["DISABLED", "DISABLED", "ENABLED"]


def test_one_row_can_be_named_by_the_address_of_its_button(app, owner, people):
    page = owner.post(f"/accounts/action?id={people['ben']}&q=example", action="disable")
    assert "ben@example.com" in page.text
    assert 'href="/admin/accounts/?q=example"' in page.text
    assert statuses(app, people) == ["ENABLED"] * 3


def test_what_is_dangerous_in_bulk_asks_for_the_password_and_does_it_to_the_very_same(
    app,
    stale,
    people,
    monkeypatch,
):
    monkeypatch.setattr(AccountsView.disable, "stormpath_needs", Needs(MANAGER, fresh=True))
    sent = {"action": "disable", "id": [people["ada"], people["ben"]], "confirmed": "1"}
    asked = stale.post("/accounts/action?q=example", **sent)
    assert "Enter your password" in asked.text
    assert re.findall(r'name="id" value="([^"]+)"', asked.text) == sent["id"]
    assert statuses(app, people) == ["ENABLED"] * 3
    fields = {**hidden(asked), "id": sent["id"], PASSWORD_FIELD: PASSWORD}
    done = stale.browser.post("/admin/accounts/action?q=example", data=fields)
    assert done.location == "/admin/accounts/?q=example"
    assert statuses(app, people) == ["DISABLED", "DISABLED", "ENABLED"]
