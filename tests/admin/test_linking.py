"""The account linking policy on the page of an application."""

import pytest

from stormpath_app import Application, Directory


@pytest.fixture
def here(app):
    """Return the id of the site's application."""
    with app.app_context():
        return Application.current().id


def policy(app):
    with app.app_context():
        found = Application.current().account_linking_policy
        return found.status, found.automatic_provisioning, found.matching_property


def version(app):
    with app.app_context():
        return str(Application.current().account_linking_policy.version)


def test_each_part_is_changed_by_a_tick_and_told_in_the_log(app, owner, here):
    fields = {"is_enabled": "y", "by_email": "y", "version": version(app)}
    answer = owner.post(f"/applications/{here}/linking", follow=True, **fields)
    assert "Account linking was saved." in answer.text
    assert policy(app) == ("ENABLED", "DISABLED", "email")
    assert "Account linking of My Application changed" in owner.get("/log/").text
    owner.post(f"/applications/{here}/linking", provisions="y", version=version(app))
    assert policy(app) == ("DISABLED", "ENABLED", None)


def test_the_page_says_in_words_what_the_policy_comes_to(app, owner, here):
    page = owner.get(f"/applications/{here}/").text
    assert "asked on the login page whether that account is theirs" in page
    assert "linked at once" not in page
    fields = {"is_enabled": "y", "by_email": "y", "provisions": "y", "version": version(app)}
    page = owner.post(f"/applications/{here}/linking", follow=True, **fields).text
    assert "logged in to that account, which is linked at once" in page
    assert "an account of My Application Directory as well, which is linked" in page


def test_two_who_change_it_at_once_are_told(app, owner, here):
    before = version(app)
    owner.post(f"/applications/{here}/linking", is_enabled="y", version=before)
    answer = owner.post(f"/applications/{here}/linking", version=before, follow=True)
    assert "Somebody else changed account linking" in answer.text
    assert policy(app)[0] == "ENABLED"


@pytest.mark.parametrize("role", ["viewer", "support", "manager"])
def test_all_read_it_and_owners_alone_change_it(app, sign_in, here, role):
    browser = sign_in(role)
    page = browser.get(f"/applications/{here}/").text
    assert "Who linked an account themselves" in page
    assert "Save account linking" not in page
    assert browser.post(f"/applications/{here}/linking", is_enabled="y", version=version(app)).status_code == 403
    assert policy(app)[0] == "DISABLED"


def test_the_account_stores_show_their_provider_and_offer_it_as_no_default(app, owner, here):
    with app.app_context():
        given = {"provider_id": "github", "client_id": "1", "client_secret": "a secret"}
        store = Application.current().add_account_store(Directory.create(name="Hub", provider=given))
        mapping = store.id
    page = owner.get(f"/applications/{here}/").text
    assert '<span class="sp-badge">GitHub</span>' in page
    assert "New accounts go here" not in page
    answer = owner.post(f"/applications/{here}/stores", do="default_account_store", mapping=mapping, follow=True)
    assert 'class="sp-alert sp-bad"' in answer.text
    with app.app_context():
        assert Application.current().default_account_store().name == "My Application Directory"
