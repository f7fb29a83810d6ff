"""What administrators do for themselves: name, password, and where they are signed in."""

import re

import pytest

from stormpath_app.models import administrator

from ..conftest import PASSWORD
from .test_entry import log_in

pytestmark = pytest.mark.sqlite

NEW = "Another1.Password"


def me(app):
    with app.app_context():
        return administrator.directory().find_account("viewer@console.example")


@pytest.fixture
def viewer(sign_in):
    return sign_in("viewer")


def version(viewer):
    return re.search('name="version"[^>]*value="([^"]+)"', viewer.get("/me/").text)[1]


def test_a_name_is_saved(app, viewer):
    answer = viewer.post("/me/name", given_name="Ada", surname="Lovelace", version=version(viewer), follow=True)
    assert "Your name was saved." in answer.text
    assert me(app).full_name == "Ada Lovelace"


def test_a_name_that_cannot_be_or_was_changed_meanwhile_is_told(app, viewer):
    before = version(viewer)
    assert "exceeded" in viewer.post("/me/name", given_name="x" * 300, version=before).text
    viewer.post("/me/name", given_name="Ada", version=before)
    assert "Somebody else changed this" in viewer.post("/me/name", given_name="Eve", version=before).text
    assert me(app).given_name == "Ada"


def test_a_new_password_ends_the_other_logins_and_this_one_goes_on(app, viewer):
    other = app.test_client()
    log_in(other, "viewer@console.example")
    fields = {"old_password": PASSWORD, "password": NEW, "password_again": NEW}
    assert "Your password is changed" in viewer.post("/me/password", **fields, follow=True).text
    assert other.get("/admin/").status_code == 302
    assert log_in(other, "viewer@console.example", NEW).status_code == 303


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"old_password": "wrong"}, "The password is wrong."),
        ({"password": "short", "password_again": "short"}, "minimum length"),
        ({"password_again": "other"}, "match"),
        ({"old_password": ""}, "Password required."),
    ],
    ids=["wrong", "weak", "differs", "missing"],
)
def test_a_password_that_cannot_be_is_told_at_its_field(app, viewer, fields, told):
    sent = {"old_password": PASSWORD, "password": NEW, "password_again": NEW, **fields}
    answer = viewer.post("/me/password", **sent)
    assert (answer.status_code, told in answer.text) == (200, True)
    assert NEW not in answer.text
    assert log_in(app.test_client(), "viewer@console.example").status_code == 303


def test_other_logins_are_seen_and_ended_one_or_all(app, viewer):
    browsers = [app.test_client() for _ in range(3)]
    for browser in browsers:
        log_in(browser, "viewer@console.example")
    page = viewer.get("/me/").text
    ids = re.findall('name="login" value="([^"]{22})"', page)
    assert len(ids) == 3
    viewer.post("/me/logins", login=ids[0])
    assert [browser.get("/admin/").status_code for browser in browsers].count(302) == 1
    viewer.post("/me/logins", login="others")
    assert [browser.get("/admin/").status_code for browser in browsers].count(302) == 3
    assert viewer.get("/").status_code == 200


@pytest.mark.parametrize("login", ["", "x", "0" * 22])
def test_nobody_elses_login_is_ended(viewer, login):
    assert viewer.post("/me/logins", login=login).status_code == 404


def test_the_addresses_of_the_forms_lead_to_the_page(viewer):
    for path in ("name", "password", "logins"):
        assert viewer.get(f"/me/{path}").location == "/admin/me/"
