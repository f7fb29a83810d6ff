"""Applications in the console: their account stores by buttons, and which of them a login name would meet."""

import re

import pytest

from stormpath_app import Account, Application, Directory
from stormpath_app.models import Group

from ..conftest import PASSWORD


@pytest.fixture
def site(app):
    with app.app_context():
        return Application.current().id


@pytest.fixture
def empire(app):
    with app.app_context():
        return Directory.create(name="Empire").id


def stores(app, site):
    with app.app_context():
        return [mapping.account_store.name for mapping in Application.get(site).account_store_mappings]


def mapping(app, site, name):
    with app.app_context():
        mappings = Application.get(site).account_store_mappings
        return next(each.id for each in mappings if each.account_store.name == name)


def test_a_store_is_added_moved_made_the_default_and_taken_away_by_buttons(app, owner, site, empire):
    path, home = f"/applications/{site}/stores", stores(app, site)[0]
    assert "Empire is asked last now." in owner.post(path, do="add", store=empire, follow=True).text
    one = mapping(app, site, "Empire")
    owner.post(path, do="up", mapping=one)
    assert stores(app, site) == ["Empire", home]
    owner.post(path, do="up", mapping=one)
    assert stores(app, site) == ["Empire", home]
    owner.post(path, do="down", mapping=one)
    assert stores(app, site) == [home, "Empire"]
    for default in ("default_account_store", "default_group_store"):
        owner.post(path, do=default, mapping=one)
    with app.app_context():
        assert Application.get(site).default_account_store().name == "Empire"
        assert Application.get(site).default_group_store().name == "Empire"
    owner.post(path, do="remove", mapping=one)
    assert stores(app, site) == [home]


def test_a_store_that_is_there_already_is_told_and_what_is_none_is_a_404(app, owner, site, empire):
    path = f"/applications/{site}/stores"
    owner.post(path, do="add", store=empire)
    assert owner.post(path, do="add", store=empire, follow=True).status_code == 200
    assert len(stores(app, site)) == 2
    for wrong in ("", "NONE", "\0", site):
        assert owner.post(path, do="add", store=wrong).status_code == 404
        assert owner.post(path, do="up", mapping=wrong).status_code == 404
    one = mapping(app, site, "Empire")
    assert owner.post(path, do="explode", mapping=one).status_code == 400


def test_what_somebody_else_took_away_meanwhile_is_a_404_and_not_another_one(app, owner, sign_in, site, empire):
    path = f"/applications/{site}/stores"
    owner.post(path, do="add", store=empire)
    one = mapping(app, site, "Empire")
    sign_in("owner", email="second@console.example").post(path, do="remove", mapping=one)
    assert owner.post(path, do="remove", mapping=one).status_code == 404
    assert len(stores(app, site)) == 1


def test_managers_look_and_change_nothing(app, sign_in, site, empire):
    manager = sign_in("manager")
    page = manager.get(f"/applications/{site}/")
    assert page.status_code == 200
    assert 'name="do"' not in page.text
    assert manager.post(f"/applications/{site}/stores", do="add", store=empire).status_code == 403
    assert manager.post(f"/applications/{site}/", name="Mine", status="ENABLED").status_code == 403


def test_a_login_name_is_tried_against_the_stores_in_their_order(app, owner, site, empire):
    with app.app_context():
        directory, application = Directory.get(empire), Application.get(site)
        directory.create_account(email="darth@vader.example", password=PASSWORD)
        Account.create("leia@alderaan.example", PASSWORD)
        application.add_account_store(directory.create_group(name="sith"))
        application.add_account_store(directory)
    text = owner.get(f"/applications/{site}/?login=darth@vader.example").text
    steps = re.findall(r"<li class=\"[^\"]*\">.*?</li>", text.split("sp-chain")[1], re.DOTALL)
    told = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", step)).strip() for step in steps]
    assert [each.split()[-1] for each in told][:2] == ["it", "it"]
    assert "Empire has it" in told[2]
    text = owner.get(f"/applications/{site}/?login=LEIA@alderaan.example").text
    assert text.count("is not asked") == 2
    with app.app_context():
        group = Directory.get(empire).groups[0]
        group.status = "DISABLED"
        group.save()
        assert isinstance(group, Group)
    assert "is disabled, and not asked" in owner.get(f"/applications/{site}/?login=nobody").text


def test_an_application_is_made_with_a_directory_of_its_own(app, owner):
    answer = owner.post("/applications/new", name="Second", create_directory="y", status="ENABLED")
    assert answer.status_code == 303
    with app.app_context():
        assert Application.named("Second").default_account_store() is not None
    page = owner.post("/applications/new", name="Second", status="ENABLED")
    assert page.status_code == 200
    assert 'aria-invalid="true"' in page.text


def test_the_name_of_the_consoles_own_application_is_taken(owner):
    page = owner.post("/applications/new", name="Stormpath", status="ENABLED")
    assert page.status_code == 200
    assert 'aria-invalid="true"' in page.text
