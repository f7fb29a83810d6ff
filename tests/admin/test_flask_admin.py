"""What Flask-Admin as it is shipped gets wrong, and the console does not have."""

import pytest

from stormpath_app import Application
from stormpath_app.database import session
from stormpath_app.models import Account, Group

from .test_gate import rules

pytestmark = pytest.mark.sqlite


def test_nobody_is_let_in_without_a_login(client):
    assert client.get("/admin/").status_code == 302
    assert client.get("/admin/accounts/").status_code == 302


def test_nothing_is_deleted_without_a_token(app, owner, home_directory):
    with app.app_context():
        group = Application.current().default_account_store().home.create_group(name="crew").id
    answer = owner.browser.post(f"/admin/groups/{group}/delete", data={"typed": "crew"})
    assert answer.status_code == 400
    with app.app_context():
        assert Group.find(group)


def test_nothing_is_deleted_or_changed_by_opening_a_page(app, owner, ada):
    with app.app_context():
        before = [session.query(model).count() for model in (Account, Group, Application)]
    for path, methods, _view in rules(app):
        if "GET" in methods:
            owner.browser.get(path.replace("nothing", ada))
    with app.app_context():
        assert [session.query(model).count() for model in (Account, Group, Application)] == before


@pytest.mark.parametrize("path", ["static/admin/css/bootstrap4/admin.css", "static/vendor/jquery.min.js", "static/"])
def test_none_of_its_files_is_served(app, owner, path):
    for folder in ("", "accounts/", "home/"):
        assert owner.get(f"/{folder}{path}").status_code == 404
    assert not any("static" in rule.endpoint for rule in app.url_map.iter_rules() if "admin" in rule.endpoint)


def test_none_of_its_routes_for_scripts_is_there(app, owner, ada):
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert not any(name in endpoint for endpoint in endpoints for name in ("ajax", "details_view", "inline"))
    for path in ("ajax/lookup/", "ajax/update/", "details/", "edit/", "delete/", "export/xls/"):
        assert owner.post(f"/accounts/{path}", list_form_pk=ada).status_code in {404, 405}


def test_none_of_its_templates_is_used(owner):
    for path in ("/", "/accounts/", "/groups/new"):
        text = owner.get(path).text
        assert "bootstrap" not in text
        assert "<script>" not in text
        assert " style=" not in text
        assert "onclick" not in text
