"""Search everywhere: one box that finds accounts, groups, directories, applications and pages."""

import pytest

from stormpath_app import Account, Application, Directory
from stormpath_app.database import session
from stormpath_app.models import AccountSession

from ..conftest import PASSWORD, statements


@pytest.fixture
def leia(app):
    with app.app_context():
        account = Account.create("Leia@alderaan.example", PASSWORD, "Leia", "Organa", username="Princess")
        return {"id": account.id, "href": account.href}


def found(console, text):
    """Return what the palette shows."""
    return console.get("/search/", query_string={"q": text, "part": "1"}).text


@pytest.mark.parametrize("text", ["leia@alderaan.example", "  LEIA@Alderaan.example ", "princess", "PRINCESS"])
def test_an_address_or_username_in_any_case_opens_the_account(owner, leia, text):
    answer = owner.get("/search/", query_string={"q": text})
    assert answer.location == f"/admin/accounts/{leia['id']}/"


def test_an_id_or_href_opens_what_it_is_of(app, owner, leia):
    with app.app_context():
        application = Application.current()
        group = application.default_account_store().home.create_group(name="crew")
        things = {"applications": application, "directories": group.directory, "groups": group}
        wanted = [(screen, one.id, one.href) for screen, one in things.items()]
    for screen, one, href in [("accounts", leia["id"], leia["href"]), *wanted]:
        for text in (one, href, f" {href} "):
            answer = owner.get("/search/", query_string={"q": text})
            assert (answer.status_code, answer.location) == (302, f"/admin/{screen}/{one}/"), text


@pytest.mark.parametrize("text", ["le", "organa", "derAA", "Princ"])
def test_the_beginning_of_a_name_and_what_is_inside_of_one_find_it(owner, leia, text):
    assert f"/admin/accounts/{leia['id']}/" in found(owner, text)


def test_an_address_that_is_in_two_directories_shows_both(app, owner, leia):
    with app.app_context():
        Directory.create(name="Empire").create_account(email="leia@alderaan.example", password=PASSWORD)
    page = owner.get("/search/?q=leia@alderaan.example")
    assert page.status_code == 200
    assert page.text.count("leia@alderaan.example</small>") + page.text.count("Leia@alderaan.example</small>") >= 1
    assert page.text.count('href="/admin/accounts/') >= 2


def test_pages_of_the_console_are_found_by_their_name(owner, sign_in):
    assert 'href="/admin/messages/"' in found(owner, "mess")
    assert 'href="/admin/api-keys/"' in found(owner, "api")
    assert 'href="/admin/api-keys/"' not in found(sign_in("support"), "api")


def test_owners_find_administrators_and_nobody_else_does(owner, sign_in):
    manager = sign_in("manager")
    assert "manager@console.example" in found(owner, "manager@con")
    assert "/admin/administrators/" in found(owner, "manager@con")
    assert "owner@console.example" not in found(manager, "owner@con")


def test_the_palette_shows_what_can_only_be_meant_first_and_once(owner, leia):
    text = found(owner, "princess")
    assert text.index("Exactly this") < text.index(f"/admin/accounts/{leia['id']}/")
    assert text.count(f"/admin/accounts/{leia['id']}/") == 1
    assert 'data-said="1 result"' in text


def test_nothing_typed_finds_nothing_and_what_is_nowhere_says_so(owner):
    assert "data-said" in found(owner, "  ")
    assert "Nothing is like “zzz-nowhere”" in found(owner, "zzz-nowhere")


def test_a_search_takes_the_same_statements_however_many_directories_there_are(app, owner, leia):
    found(owner, "nobody-here")
    with statements(app) as few:
        found(owner, "nobody-here")
    with app.app_context():
        for number in range(9):
            Directory.create(name=f"{number}")
    with statements(app) as many:
        found(owner, "nobody-here")
    assert len(many) == len(few) < 20


def test_a_search_after_the_login_ended_leads_to_the_login_and_back(app, owner):
    with app.app_context():
        session.query(AccountSession).delete()
        session.commit()
    answer = owner.get("/search/?q=leia&part=1")
    assert answer.status_code == 302
    assert answer.location.startswith("/admin/login?next=")
