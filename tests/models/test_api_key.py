"""API keys: whose they are, who is let in by them, and who must not be."""

import re

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory, errors
from stormpath_app.database import session
from stormpath_app.models import ApiKey, Client, Tenant

from ..conftest import PASSWORD
from ..together import together
from .test_event import events


@pytest.fixture
def han(context):
    return Account.create("han@falcon.example", PASSWORD, "Han", "Solo")


@pytest.fixture
def key(han):
    return han.api_keys.create(name="ship", description="Of the Falcon")


def elsewhere():
    """Return an account that may not log in to the current application."""
    return Directory.create(name="Elsewhere").create_account(email="x@example.com", password=PASSWORD)


# --- Making and changing ---


def test_a_key_has_an_id_of_25_capitals_and_digits_and_a_secret_of_256_bits(key):
    assert re.fullmatch("[0-9A-Z]{25}", key.id)
    assert re.fullmatch("[A-Za-z0-9_-]{43}", key.secret)
    assert (key.name, key.description, key.status, key.is_enabled) == ("ship", "Of the Falcon", "ENABLED", True)
    assert key.href == f"/v1/apiKeys/{key.id}"


def test_a_key_belongs_to_its_account_or_to_the_tenant(han, key):
    mine = Client().tenant.api_keys.create({"name": "mine"})
    assert (key.account, key.tenant) == (han, Tenant.current())
    assert (mine.account, mine.tenant) == (None, Tenant.current())
    assert list(han.api_keys) == [key]
    assert list(Client().tenant.api_keys) == [mine]
    assert list(elsewhere().api_keys) == []


def test_keys_come_in_the_order_they_were_made(han):
    made = [han.api_keys.create().id for _ in range(5)]
    assert [key.id for key in han.api_keys] == made
    assert len(set(made)) == 5


def test_the_secret_is_told_once(app, han, key):
    secret, key_id = key.secret, key.id
    session.remove()
    again = ApiKey.get(key_id)
    with pytest.raises(AttributeError, match="told once"):
        _ = again.secret
    assert again.has_secret(secret)
    assert not again.has_secret(secret + "x")


def test_a_secret_is_in_no_repr_no_row_and_no_line_of_the_log(han, key, caplog):
    key.name = "other"
    key.save()
    row = session.execute(sa.text("SELECT * FROM stormpath_api_keys")).one()
    secret, stored = key.secret, key.secret_hash
    with pytest.raises(errors.ApiKeyRefused) as refused:
        ApiKey.authenticate(key.id + "X", secret)
    told = [repr(key), caplog.text, str(refused.value), refused.value.developer_message, repr(refused.value)]
    told += [line.details for line in events()]
    assert not [text for text in told if secret in text or stored in text]
    assert secret not in row
    assert not {"secret", "secret_hash"} & set(ApiKey.readable)


@together("name", ["secret", "secret_hash", "id", "account", "account_id", "tenant_id"])
@together("of_tenant", [True, False])
def test_what_a_key_is_made_of_cannot_be_chosen(han, name, of_tenant):
    keys = Client().tenant.api_keys if of_tenant else han.api_keys
    with pytest.raises(errors.PropertyError):
        keys.create({name: "x" * 25})
    with pytest.raises(errors.PropertyError):
        keys.create(**{name: "x" * 25})
    assert len(keys) == 0


@together(
    ("attribute", "value", "error"),
    [
        ("name", "x" * 256, errors.TooLong),
        ("name", 7, errors.WrongType),
        ("description", "x" * 1001, errors.TooLong),
        ("status", "UNVERIFIED", errors.UnsupportedValue),
        ("status", None, errors.WrongType),
    ],
)
def test_a_value_that_cannot_be_is_refused_where_it_is_set(key, attribute, value, error):
    with pytest.raises(error):
        setattr(key, attribute, value)


def test_each_change_of_a_key_is_in_the_log(han, key):
    key.status = "disabled"
    key.save()
    key.save()
    key.delete()
    lines = [line for line in events() if line.kind.startswith("api_key.")]
    assert [line.kind for line in lines] == ["api_key.created", "api_key.updated", "api_key.deleted"]
    assert {(line.account_id, line.directory_id) for line in lines} == {(han.id, han.directory_id)}
    assert {line.target_id for line in lines} == {key.id}
    assert lines[1].data["changed"] == {"status": ["ENABLED", "DISABLED"]}
    assert Client().tenant.api_keys.create().account is None
    assert events("api_key.created")[-1].account_id is None


def test_the_keys_of_an_account_go_with_it(han, key):
    key_id, secret, mine = key.id, key.secret, Client().tenant.api_keys.create()
    han.delete()
    session.remove()
    assert ApiKey.find(key_id) is None
    assert ApiKey.find(mine.id)
    with pytest.raises(errors.ApiKeyNotFound):
        ApiKey.authenticate(key_id, secret)


def test_a_pair_of_anothers_making_can_be_adopted_once(context):
    tenant = Tenant.current()
    adopted = ApiKey.adopt("MYID", "s" * 43, tenant_id=tenant.id)
    assert ApiKey.authenticate("MYID", "s" * 43) is adopted
    with pytest.raises(errors.Conflict):
        ApiKey.adopt("MYID", "t" * 43, tenant_id=tenant.id)
    assert ApiKey.authenticate("MYID", "s" * 43) is adopted


# --- Who is let in ---


def test_id_and_secret_let_the_key_in(han, key):
    mine = Client().tenant.api_keys.create()
    for keys in (Application.current().api_keys, han.api_keys, ApiKey):
        assert keys.authenticate(key.id, key.secret) is key
    for keys in (Client().tenant.api_keys, ApiKey):
        assert keys.authenticate(mine.id, mine.secret) is mine


def test_the_tenants_own_key_is_no_account_of_the_application(context):
    mine = Client().tenant.api_keys.create()
    assert Application.current().api_keys.get_key(mine.id) is None
    with pytest.raises(errors.ApiKeyAccountRefused):
        Application.current().api_keys.authenticate(mine.id, mine.secret)


def close(what):
    what.status = "DISABLED"
    what.save()


def unverify(account):
    account.status = "UNVERIFIED"
    account.save()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda key: key.delete(), errors.ApiKeyNotFound),
        (close, errors.ApiKeyDisabled),
        (lambda key: close(key.account), errors.ApiKeyAccountRefused),
        (lambda key: unverify(key.account), errors.ApiKeyAccountRefused),
        (lambda key: close(key.account.directory), errors.ApiKeyAccountRefused),
        (lambda key: close(Application.current()), errors.ApiKeyAccountRefused),
        (lambda key: Application.current().account_store_mappings[0].delete(), errors.ApiKeyAccountRefused),
    ],
    ids=["deleted", "disabled", "account disabled", "account unverified", "directory", "application", "not mapped"],
)
def test_a_key_that_must_not_open_is_refused_by_the_next_request(key, change, error):
    key_id, secret = key.id, key.secret
    assert ApiKey.authenticate(key_id, secret)
    change(key)
    session.remove()
    for keys in (ApiKey, Application.current().api_keys):
        with pytest.raises(error):
            keys.authenticate(key_id, secret)
    found = Application.current().api_keys.get_key(key_id)
    assert (found is not None) is (error is errors.ApiKeyDisabled)


def test_the_key_of_an_account_from_elsewhere_is_refused(context):
    account = elsewhere()
    key = account.api_keys.create()
    with pytest.raises(errors.ApiKeyAccountRefused):
        ApiKey.authenticate(key.id, key.secret)
    assert Application.current().api_keys.get_key(key.id) is None
    assert account.api_keys.authenticate(key.id, key.secret) is key


@together("key_id", ["", "nobody", "x" * 500, "\0", "\ud800", None, b"x", "{href}", "{lower}", "{id} "])
def test_what_is_no_id_is_refused_as_such(key, key_id):
    if isinstance(key_id, str):
        key_id = key_id.format(href=key.href, lower=key.id.lower(), id=key.id)
    with pytest.raises(errors.ApiKeyNotFound):
        ApiKey.authenticate(key_id, key.secret)


@together("secret", ["", "{other}", "{secret} ", "{hash}", "x" * 10_000, "\0", "\ud800", None, 7, b"x"])
def test_a_secret_that_is_not_the_keys_own_is_refused(han, key, secret):
    other = han.api_keys.create()
    if isinstance(secret, str):
        secret = secret.format(other=other.secret, secret=key.secret, hash=key.secret_hash)
    with pytest.raises(errors.WrongApiKeySecret):
        ApiKey.authenticate(key.id, secret)


def test_a_stranger_cannot_tell_the_causes_apart(key):
    disabled = key.account.api_keys.create(status="disabled")
    told = []
    for key_id, secret in [("nobody", "x"), (key.id, "x"), (disabled.id, "x"), (disabled.id, disabled.secret)]:
        with pytest.raises(errors.ApiKeyRefused) as refused:
            ApiKey.authenticate(key_id, secret)
        told.append((refused.value.status, refused.value.code, refused.value.message))
    sentence = "API Key Authentication failed because the API key or secret submitted is invalid."
    assert set(told) == {(401, 10019, sentence)}


# --- Refusals ---


def test_a_refused_key_is_in_the_log_once_an_hour(han, key, held_clock):
    keys = Application.current().api_keys
    for _ in range(3):
        with pytest.raises(errors.WrongApiKeySecret):
            keys.authenticate(key.id, "wrong")
    (refused,) = events("api_key.refused")
    assert (refused.target_id, refused.account_id, refused.data) == (key.id, han.id, {"why": "WrongApiKeySecret"})
    key.status = "disabled"
    key.save()
    held_clock.forward(hours=1, seconds=1)
    with pytest.raises(errors.ApiKeyDisabled):
        keys.authenticate(key.id, key.secret)
    assert [one.data["why"] for one in events("api_key.refused")] == ["WrongApiKeySecret", "ApiKeyDisabled"]


def test_an_id_that_no_key_has_fills_no_log(context, key):
    with pytest.raises(errors.ApiKeyNotFound):
        Application.current().api_keys.authenticate("nobody", "wrong")
    assert events("api_key.refused") == []
