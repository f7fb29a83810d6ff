"""API keys in the console: a secret is shown once, to whoever made it, and to nobody after."""

import re

import pytest

from stormpath_app import Account
from stormpath_app.database import session
from stormpath_app.models import ApiKey, AuditEvent

from ..conftest import PASSWORD


@pytest.fixture
def leia(app):
    with app.app_context():
        return Account.create("leia@alderaan.example", PASSWORD).id


def made(page):
    """Return the id and the secret that a page shows."""
    return (re.search(rf'id="key-{part}">([^<]+)<', page.text)[1] for part in ("id", "secret"))


def test_a_secret_is_shown_on_the_answer_that_made_it_and_on_no_page_after(app, owner, leia):
    page = owner.post("/api-keys/new", account="leia@alderaan.example", name="ci")
    key_id, secret = made(page)
    with app.app_context():
        key = ApiKey.get(key_id)
        assert key.has_secret(secret)
        assert key.account_id == leia
    for path in (
        "/api-keys/",
        f"/api-keys/{key_id}/",
        "/api-keys/export/csv",
        "/api-keys/export/json",
        "/log/",
    ):
        assert secret not in owner.get(path).text, path
    with app.app_context():
        assert not any(secret in event.details for event in session.query(AuditEvent))
    assert page.headers["Cache-Control"] == "no-store"


def test_its_file_is_sent_to_whoever_has_the_secret_alone(owner, leia):
    key_id, secret = made(owner.post("/api-keys/new"))
    file = owner.post("/api-keys/file", id=key_id, secret=secret)
    assert file.headers["Content-Disposition"] == f'attachment; filename="apiKey-{key_id}.properties"'
    assert f"apiKey.id = {key_id}" in file.text
    assert f"apiKey.secret = {secret}" in file.text
    for wrong in ("", "x", secret[:-1], "\0", "é"):
        assert owner.post("/api-keys/file", id=key_id, secret=wrong).status_code == 404
    assert owner.get("/api-keys/file", follow_redirects=True).status_code == 404


def test_a_key_without_an_account_is_the_tenants(app, owner):
    key_id, _secret = made(owner.post("/api-keys/new"))
    with app.app_context():
        assert ApiKey.get(key_id).account_id is None
    assert "The tenant" in owner.get(f"/api-keys/{key_id}/").text


def test_a_key_for_nobody_known_is_refused_and_what_was_typed_stays(app, owner):
    page = owner.post("/api-keys/new", account="nobody@example.com", name="ci")
    assert page.status_code == 200
    assert "There is not one account" in page.text
    assert 'value="ci"' in page.text


def test_keys_are_found_by_the_beginning_of_their_id_and_by_their_owner(owner, leia):
    key_id, _secret = made(owner.post("/api-keys/new", account=leia))
    other, _secret = made(owner.post("/api-keys/new"))
    for text in (key_id[:-1], key_id.lower(), "LEIA@alderaan.example"):
        page = owner.get("/api-keys/", query_string={"q": text})
        assert f"/api-keys/{key_id}/" in page.text, text
        assert f"/api-keys/{other}/" not in page.text


def test_a_key_is_renamed_disabled_and_deleted(app, owner, leia):
    key_id, _secret = made(owner.post("/api-keys/new", account=leia))
    version = re.search(r'name="version"[^>]*value="(\d+)"', owner.get(f"/api-keys/{key_id}/").text)[1]
    owner.post(f"/api-keys/{key_id}/", name="old", status="DISABLED", version=version)
    with app.app_context():
        key = ApiKey.get(key_id)
        assert (key.name, key.status) == ("old", "DISABLED")
    assert "Type old to delete it" in owner.post(f"/api-keys/{key_id}/delete", typed="new").text
    owner.post(f"/api-keys/{key_id}/delete", typed=" old ")
    with app.app_context():
        assert ApiKey.find(key_id) is None
