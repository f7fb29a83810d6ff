"""Administrators who are limited to directories: whatever is not of these is not there for them (P-J2)."""

import re

import pytest

from stormpath_app import Application, Directory
from stormpath_app.database import session
from stormpath_app.models import Account, ApiKey, AuditEvent, Group, OutboxMessage, Tenant
from stormpath_app.models.administrator import Administrator, console, directory
from stormpath_app.models.base import Base

from ..conftest import PASSWORD
from .test_gate import rules

pytestmark = pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True)

#: What nobody who is limited to the other directory may read anywhere.
THEIRS = ("Empire", "vader", "sith", "Death Star")


@pytest.fixture
def theirs(app):
    """Return the ids of what is of the directory Empire, which this administrator has nothing to do with."""
    with app.app_context():
        empire = Directory.create(name="Empire", description="of the Death Star")
        account = empire.create_account(email="darth@vader.example", password=PASSWORD, given_name="Darth vader")
        group = empire.create_group(name="sith")
        group.add_account(account)
        application = Application.create(name="Death Star")
        application.add_account_store(empire)
        shared = Application.current()
        shared.add_account_store(empire)
        shared.add_account_store(group)
        application.send_password_reset_email(account.email)
        message = session.query(OutboxMessage).filter_by(account_id=account.id).first()
        mapping = next(each for each in shared.account_store_mappings if each.directory_id == empire.id)
        return {
            "directory": empire.id,
            "account": account.id,
            "group": group.id,
            "application": application.id,
            "key": account.api_keys.create().id,
            "tenant_key": Tenant.current().api_keys.create().id,
            "message": message.id if message else "NONE",
            "event": session.query(AuditEvent).filter_by(account_id=account.id).first().id,
            "mapping": mapping.id,
            "shared": shared.id,
        }


@pytest.fixture
def console_ids(app, sign_in):
    """Return the ids of the console's own application and directory, and of an owner's account."""
    sign_in("owner", email="chief@console.example")
    with app.app_context():
        chief = directory().find_account("chief@console.example")
        return {"directory": directory().id, "application": console().id, "account": chief.id}


@pytest.fixture
def limited(app, sign_in, theirs):
    """Return the browser of a manager who is limited to the site's directory; an owner never is."""
    with app.app_context():
        home = Application.current().default_account_store().home
        home.create_account(email="leia@alderaan.example", password=PASSWORD)
        name = home.name
    return sign_in("manager", email="limited@console.example", directories=[name])


def doors(app, ids):
    """Return each address of the console with each of these ids in it."""
    found = set()
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("stormpath_admin.") and rule.arguments - {"kind"}:
            for one in ids:
                values = {name: {"kind": "csv"}.get(name, one) for name in rule.arguments}
                with app.test_request_context():
                    found.add((rule.build(values)[1], frozenset(rule.methods - {"OPTIONS", "HEAD"})))
    return found


def state(app):
    """Return all that a change of anything of theirs would change."""
    with app.app_context():
        tables = ("accounts", "groups", "directories", "applications", "api_keys", "account_store_mappings")
        found = {}
        for name in tables:
            table = Base.metadata.tables[f"stormpath_{name}"]
            found[name] = sorted(map(str, session.execute(table.select()).all()))
        return found


def test_no_page_of_anything_by_an_id_opens_what_is_out_of_scope(app, limited, theirs, console_ids):
    wanted = [*(theirs[name] for name in theirs if name != "shared"), *console_ids.values()]
    for path, methods in doors(app, wanted):
        if "GET" in methods:
            answer = limited.browser.get(path)
            assert answer.status_code in {403, 404}, path
            assert not any(word in answer.text for word in THEIRS), path


def test_nothing_that_is_out_of_scope_is_changed_by_an_id(app, limited, theirs, console_ids):
    before = state(app)
    wanted = [*(theirs[name] for name in theirs if name != "shared"), *console_ids.values()]
    for path, methods in doors(app, wanted):
        if "POST" in methods:
            sent = {
                "csrf_token": limited.token,
                "name": "Mine",
                "status": "DISABLED",
                "confirmed": "1",
                "typed": "Empire",
            }
            answer = limited.browser.post(path, data={"csrf_token": limited.token, **sent})
            assert answer.status_code in {400, 403, 404}, (path, answer.status_code)
    assert state(app) == before


def test_no_list_no_export_and_no_search_shows_what_is_out_of_scope(app, limited, theirs):
    for path, methods, _view in rules(app):
        if "GET" in methods and "nothing" not in path:
            for query in ("", "?q=vader&size=50", "?q=Empire", "?q=sith", f"?q={theirs['account']}", "?show=disabled"):
                text = limited.browser.get(path + query, follow_redirects=True).text
                told = re.sub(r'value="[^"]*"|“[^”]*”|\?q=[^"&]*|&amp;q=[^"&]*|q%3D\w+', "", text)  # what was typed
                assert not any(word in told for word in THEIRS), path + query
                assert theirs["key"] not in told
                assert "chief@console.example" not in told


def test_nothing_in_bulk_touches_what_is_out_of_scope(app, limited, theirs):
    before = state(app)
    for screen, name, action in (
        ("accounts", "account", "disable"),
        ("groups", "group", "disable"),
        ("api-keys", "key", "disable"),
        ("api-keys", "tenant_key", "disable"),
    ):
        limited.post(f"/{screen}/action", action=action, id=theirs[name], confirmed="1")
        limited.post(f"/{screen}/action?id={theirs[name]}", action=action, confirmed="1")
    limited.post("/accounts/action", action="add_group", id=theirs["account"], group=theirs["group"], confirmed="1")
    assert state(app) == before


def test_an_account_of_ours_gets_into_no_group_of_theirs(app, limited, theirs):
    with app.app_context():
        ours = Application.current().find_account("leia@alderaan.example").id
    before = state(app)
    page = limited.post("/accounts/action", action="add_group", id=ours, group=theirs["group"], confirmed="1")
    assert "Not a valid choice" in page.text
    assert limited.post(f"/groups/{theirs['group']}/members", do="add", account=ours).status_code == 404
    assert state(app) == before


def test_a_group_of_ours_takes_no_account_of_theirs(app, limited, theirs, home_directory):
    with app.app_context():
        group = Directory.get(home_directory).create_group(name="crew").id
    assert limited.post(f"/groups/{group}/members", do="add", account=theirs["account"]).status_code == 404
    page = limited.get(f"/groups/{group}/?add=vader")
    assert theirs["account"] not in page.text


def test_a_new_group_can_be_in_a_directory_of_ours_alone(app, limited, theirs):
    page = limited.get(f"/groups/new?directory={theirs['directory']}")
    assert "Empire" not in page.text
    answer = limited.post("/groups/new", name="crew", directory=theirs["directory"], status="ENABLED")
    assert answer.status_code in {200, 404}
    with app.app_context():
        assert session.query(Group).filter_by(name="crew").count() == 0


def test_a_new_key_is_of_no_administrators_account(app, owner, console_ids):
    with app.app_context():
        before = session.query(ApiKey).count()
    for login in ("chief@console.example", console_ids["account"], "owner@console.example"):
        assert "There is not one account" in owner.post("/api-keys/new", account=login).text, login
    with app.app_context():
        assert session.query(ApiKey).count() == before


def test_a_shared_application_shows_our_stores_and_nothing_of_theirs(app, limited, theirs):
    page = limited.get(f"/applications/{theirs['shared']}/?login=darth@vader.example")
    assert page.status_code == 200
    told = page.text.replace("darth@vader.example", "")
    assert not any(word in told for word in THEIRS)
    assert "A store that is not among what you may see" in page.text
    assert "1 accounts" in page.text or "1 account" in page.text


def test_the_doctor_names_no_store_of_theirs_though_one_is_asked_first(app, limited, theirs):
    with app.app_context():
        leia = Application.current().default_account_store().find_account("leia@alderaan.example")
        Directory.get(theirs["directory"]).create_account(email=leia.email, password=PASSWORD)
        (mapping,) = (each for each in Application.current().account_store_mappings if each.id == theirs["mapping"])
        mapping.list_index = 0
        mapping.save()
    told = limited.get(f"/accounts/{leia.id}/").text
    assert "A store that is not among what you may see has another account with this name, and is asked first" in told
    assert not any(word in told for word in THEIRS)


def test_nobody_who_is_limited_changes_makes_or_deletes_an_application(app, limited, theirs):
    before = state(app)
    shared = theirs["shared"]
    assert limited.post("/applications/new", name="Mine", create_directory="1").status_code == 403
    assert limited.get("/applications/new").status_code == 403
    assert limited.post(f"/applications/{shared}/", name="Mine", status="ENABLED").status_code == 403
    assert limited.get(f"/applications/{shared}/delete").status_code == 403
    for what in ("add", "up", "down", "remove", "default_account_store", "default_group_store"):
        answer = limited.post(f"/applications/{shared}/stores", do=what, mapping=theirs["mapping"], store="x")
        assert answer.status_code == 403
    assert "New application" not in limited.get("/applications/").text
    assert state(app) == before


def test_the_consoles_own_application_and_directory_are_in_no_list_of_anybodys(app, owner, console_ids):
    for screen in ("accounts", "applications", "groups", "directories"):
        for query in ("", "?q=Stormpath", "?q=console"):
            answer = owner.get(f"/{screen}/{query}")
            assert answer.status_code == 200
            assert not any(one in answer.text for one in console_ids.values()), (screen, query)
    for one in console_ids.values():
        for screen in ("accounts", "applications", "directories", "groups"):
            assert owner.get(f"/{screen}/{one}/").status_code == 404
        assert owner.get(f"/accounts/?directory={one}").status_code == 404


def test_an_administrator_of_no_directory_sees_none(sign_in, theirs):
    console = sign_in("manager", email="nothing@console.example", directories=[])
    text = console.get("/accounts/").text
    assert "No accounts yet" in text
    assert "No applications" in console.get("/applications/").text


def test_a_limit_that_is_taken_away_and_given_works_at_once(app, limited, theirs):
    assert limited.get(f"/accounts/{theirs['account']}/").status_code == 404
    with app.app_context():
        account = directory().find_account("limited@console.example")
        Administrator.grant(account, "manager", directories=[Directory.get(theirs["directory"])])
    assert "leia@alderaan.example" not in limited.get("/accounts/").text


def test_an_account_of_theirs_is_named_by_nothing(app, limited, theirs):
    with app.app_context():
        href = Account.get(theirs["account"]).href
    for text in ("darth@vader.example", " DARTH@vader.example ", theirs["account"], href, theirs["group"]):
        answer = limited.get("/search/", query_string={"q": text})
        assert answer.status_code == 200, text
        assert f"/{theirs['account']}/" not in answer.text
