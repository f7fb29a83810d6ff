"""Directories in the console: their list, the page of one, a new one, and what goes with one."""

import pytest

from stormpath_app import Account, Application, Directory

from ..conftest import PASSWORD
from ..payloads import HTML


@pytest.fixture
def rebels(app):
    """Return the id of a directory that no application asks."""
    with app.app_context():
        return Directory.create(name="Rebels", description="Of the Alliance").id


def found(app, directory_id):
    with app.app_context():
        directory = Directory.find(directory_id)
        return directory and (directory.name, directory.description, directory.status)


def version(app, directory_id):
    with app.app_context():
        return str(Directory.get(directory_id).version)


# --- The list ---


def test_each_directory_is_listed_with_what_it_asks_and_mails(app, owner, rebels):
    page = owner.get("/directories/").text
    assert "Rebels" in page
    assert "At least 8 characters" in page
    assert "Password reset, Password was reset" in page
    assert "Stormpath Administrators" not in page


def test_a_limited_administrator_sees_their_own_directories_alone(app, sign_in, rebels, home_directory):
    manager = sign_in("manager", directories=["Rebels"])
    page = manager.get("/directories/").text
    assert "Rebels" in page
    assert "My Application Directory" not in page
    for path in ("", "policy", "policy/accounts", "workflows/", "workflows/reset", "provider"):
        assert manager.get(f"/directories/{home_directory}/{path}").status_code == 404
    assert manager.get(f"/directories/{rebels}/").status_code == 200


def test_the_directory_of_the_administrators_has_no_page(app, owner):
    with app.app_context():
        hidden = Directory.named("Stormpath Administrators").id
    for path in ("", "policy", "policy/accounts", "workflows/reset", "workflows/reset/preview", "provider", "delete"):
        assert owner.get(f"/directories/{hidden}/{path}").status_code == 404
    assert owner.post(f"/directories/{hidden}/policy", do="save").status_code == 404


# --- New ---


def test_a_new_directory_can_be_asked_by_an_application_at_once(app, owner):
    with app.app_context():
        application = Application.current().id
    answer = owner.post(
        "/directories/new?kind=cloud", name="Empire", status="ENABLED", application=application, follow=True
    )
    assert "Empire was created." in answer.text
    with app.app_context():
        assert [store.account_store.name for store in Application.current().account_store_mappings][-1] == "Empire"


def test_a_new_directory_can_be_on_its_own(app, owner):
    owner.post("/directories/new?kind=cloud", name="Empire", status="ENABLED", application="")
    with app.app_context():
        assert len(Application.current().account_store_mappings) == 1
        assert Directory.named("empire") is not None


def test_a_name_that_is_taken_is_told_and_what_was_typed_stays(owner, rebels):
    page = owner.post(
        "/directories/new?kind=cloud", name="rebels", description="Others", status="ENABLED", application=""
    ).text
    assert "already exists" in page
    assert "Others" in page


def test_an_application_that_cannot_be_seen_cannot_be_chosen(app, owner):
    with app.app_context():
        console = Application.named("Stormpath").id
    assert owner.post("/directories/new?kind=cloud", name="E", status="ENABLED", application=console).status_code == 404
    with app.app_context():
        assert Directory.named("E") is None


# --- One ---


def test_the_page_of_a_directory_shows_what_it_asks_and_who_asks_it(owner, home_directory):
    page = owner.get(f"/directories/{home_directory}/").text
    for part in ("At least 8 characters", "Password reset", "My Application", "Any address.", "0 accounts"):
        assert part in page


def test_a_directory_is_renamed_and_disabled(app, owner, rebels):
    answer = owner.post(
        f"/directories/{rebels}/",
        name="Alliance",
        description="",
        status="DISABLED",
        version=version(app, rebels),
    )
    assert answer.status_code == 303
    assert found(app, rebels) == ("Alliance", None, "DISABLED")


def test_two_who_change_it_at_once_are_told(app, owner, rebels):
    before = version(app, rebels)
    fields = {"description": "Of the Alliance", "status": "ENABLED", "version": before}
    assert owner.post(f"/directories/{rebels}/", name="One", **fields).status_code == 303
    page = owner.post(f"/directories/{rebels}/", name="Two", **fields)
    assert page.status_code == 200
    assert "Somebody else changed this" in page.text
    assert found(app, rebels)[0] == "One"


@pytest.mark.parametrize("role", ["viewer", "support", "manager"])
def test_it_is_looked_at_by_all_and_changed_by_owners_alone(app, sign_in, rebels, role):
    browser = sign_in(role)
    page = browser.get(f"/directories/{rebels}/")
    assert page.status_code == 200
    assert "Save directory" not in page.text
    fields = {"name": "Sith", "status": "ENABLED", "version": version(app, rebels)}
    assert browser.post(f"/directories/{rebels}/", **fields).status_code == 403
    assert browser.get("/directories/new?kind=cloud").status_code == 403
    assert browser.post(f"/directories/{rebels}/delete", typed="Rebels").status_code == 403
    assert found(app, rebels)[0] == "Rebels"


def test_what_people_typed_is_shown_and_not_read_by_the_browser(app, owner, rebels):
    for text in HTML:
        with app.app_context():
            directory = Directory.get(rebels)
            directory.description = "".join(letter for letter in text if letter.isprintable())[:1000]
            directory.save()
        for path in ("", f"{rebels}/", f"{rebels}/policy", f"{rebels}/workflows/reset"):
            page = owner.get(f"/directories/{path}").text
            assert "<script>alert" not in page.lower()
            assert "onerror=" not in page.lower() or "&lt;" in page


def test_where_its_accounts_come_from_is_told(owner, rebels):
    assert "Cloud directory" in owner.get(f"/directories/{rebels}/provider").text


@pytest.mark.parametrize("path", ["x", "%00", "../x", "a" * 300])
def test_what_is_no_directory_is_not_found(owner, path):
    assert owner.get(f"/directories/{path}/").status_code == 404
    assert owner.get(f"/directories/{path}/policy").status_code == 404


# --- Delete ---


def test_what_goes_with_it_is_told_and_its_name_must_be_typed(app, owner, home_directory):
    with app.app_context():
        Account.create("han@falcon.example", PASSWORD)
    page = owner.get(f"/directories/{home_directory}/delete").text
    assert "Accounts: 1, with their groups, logins, keys and custom data." in page
    assert "My Application" in page
    refused = owner.post(f"/directories/{home_directory}/delete", typed="my application directory")
    assert (refused.status_code, found(app, home_directory) is not None) == (200, True)
    assert owner.post(f"/directories/{home_directory}/delete", typed="My Application Directory").status_code == 303
    assert found(app, home_directory) is None
