"""Fields that no form of ours has are nothing (P-J4)."""

import pytest

from stormpath_app import Account, Application, Directory
from stormpath_app.models import ApiKey, Group

from ..conftest import PASSWORD

pytestmark = pytest.mark.sqlite

FORGED = {
    "id": "FORGED",
    "href": "x",
    "pk": "FORGED",
    "password_hash": "$2b$04$forged",
    "is_admin": "1",
    "role": "owner",
    "directory_id": "FORGED",
    "account_id": "FORGED",
    "tenant_id": "FORGED",
    "created_at": "2001-01-01",
    "custom_data": '{"a":1}',
    "groups": "owners",
    "name_key": "forged",
    "application_id": "FORGED",
    "version_id": "9",
    "secret": "mine",
    "secret_hash": "mine",
    "list_form_pk": "FORGED",
    "rowid": "FORGED",
    "url": "//evil.example",
}


@pytest.fixture
def crew(app, home_directory):
    with app.app_context():
        return Directory.get(home_directory).create_group(name="crew").id


def test_a_group_takes_nothing_but_what_its_form_has(app, owner, crew, home_directory):
    with app.app_context():
        other = Directory.create(name="Empire").id
        before = Group.get(crew).created_at
    version = "1"
    owner.post(f"/groups/{crew}/", **FORGED, name="crew2", status="ENABLED", directory=other, version=version)
    with app.app_context():
        group = Group.get(crew)
        assert (group.name, group.directory_id, group.created_at) == ("crew2", home_directory, before)
        assert not dict(group.custom_data)


def test_an_application_and_a_key_take_nothing_else(app, owner):
    owner.post("/applications/new", **FORGED, name="Second", status="ENABLED")
    page = owner.post("/api-keys/new", **FORGED, status="DISABLED")
    with app.app_context():
        assert Application.named("Second").id != "FORGED"
        key = next(one for one in map(ApiKey.find, set(page.text.split('id="key-id">')[1].split("<")[:1])) if one)
        assert key.status == "ENABLED"
        assert key.account_id is None
        assert not key.has_secret("mine")


def test_an_account_takes_nothing_but_what_its_form_has(app, owner):
    with app.app_context():
        account = Account.create("leia@alderaan.example", PASSWORD)
        account_id, hashed, home = account.id, account.password_hash, account.directory_id
    for path in (f"/accounts/{account_id}/", f"/accounts/{account_id}/edit"):
        owner.post(path, **FORGED, email="leia@alderaan.example", given_name="Leia", status="ENABLED", version="1")
    with app.app_context():
        account = Account.get(account_id)
        assert (account.password_hash, account.directory_id) == (hashed, home)
        assert not list(account.groups)


@pytest.mark.parametrize("field", ["password_hash", "search_text", "email_key", "id", "directory_id", "custom_data"])
def test_nothing_secret_is_listed_sorted_filtered_or_searched(app, owner, field):
    with app.app_context():
        account = Account.create("leia@alderaan.example", PASSWORD)
        hashed = account.password_hash
    plain = owner.get("/accounts/")
    assert hashed not in plain.text
    for query in (f"?sort={field}", f"?sort=-{field}", f"?{field}={hashed}", f"?flt1_{field}_equals={hashed}"):
        page = owner.get(f"/accounts/{query}")
        assert page.status_code == 200
        assert "leia@alderaan.example" in page.text
        assert hashed not in page.text.replace(query, "")
    for text in (hashed, hashed[:12], "$2b$"):
        page = owner.get("/accounts/", query_string={"q": text})
        assert "leia@alderaan.example" not in page.text
