"""Collections: the resources that belong to something."""

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application
from stormpath_app.errors import PropertyRequired, ResourceNotFound
from stormpath_app.models import Client, collection

from ..conftest import PASSWORD, statements


@pytest.fixture
def accounts(context, held_clock, monkeypatch):
    """Return the accounts of the application: five, in pages of two."""
    monkeypatch.setattr(collection, "_PAGE", 2)
    for number in range(5):
        held_clock.forward(seconds=1)
        Account.create(f"{number}@falcon.example", PASSWORD)
    return Application.current().accounts


@pytest.fixture
def stranger(context):
    """Return an account of a directory that the application does not use."""
    return Client().directories.create(name="Empire").accounts.create(email="darth@vader.example", password=PASSWORD)


def emails(accounts):
    return [account.email[0] for account in accounts]


def test_a_collection_has_all_its_members_in_the_order_they_were_created(accounts, stranger):
    assert emails(accounts) == list("01234")
    assert len(accounts) == 5
    assert len(Client().accounts) == 6


def test_an_empty_collection_is_empty(context):
    assert list(Application.current().accounts) == []
    assert len(Application.current().accounts) == 0


def test_a_collection_is_asked_anew_each_time(accounts):
    next(iter(accounts)).delete()
    assert (len(accounts), emails(accounts)) == (4, list("1234"))


def test_members_may_be_deleted_on_the_way(accounts):
    for account in accounts:
        account.delete()
    assert len(accounts) == 0


def test_long_collections_come_in_pages(app, accounts):
    with statements(app) as seen:
        emails(accounts)
    assert 3 <= len(seen) <= 4  # the last may find nothing


def test_counting_loads_nobody(app, accounts):
    with statements(app) as seen:
        assert len(accounts) == 5
    assert len(seen) == 1


def test_a_member_is_found_by_href_or_id(accounts):
    first = next(iter(accounts))
    assert accounts.get(first.href) is accounts.get(first.id) is first


@pytest.mark.parametrize("href", ["", "x", "\0", "/v1/accounts/x"])
def test_what_is_no_member_is_not_found(accounts, stranger, href):
    for other in (href, stranger.href, stranger.id, Application.current().href):
        with pytest.raises(ResourceNotFound, match=r"^The requested resource does not exist\.$"):
            accounts.get(other)


@pytest.mark.parametrize(
    "given",
    [({"email": "han@falcon.example", "given_name": "Ben"},), ()],
    ids=["a dictionary and keywords", "keywords"],
)
def test_a_member_is_created_from_a_dictionary_keywords_or_both(context, given):
    account = Application.current().accounts.create(
        *given, email="han@falcon.example", password=PASSWORD, given_name="Han"
    )
    assert account.full_name == "Han"


def test_a_part_of_a_collection_is_one_that_creates_nothing(accounts):
    some = accounts.among(sa.select(Account.id).where(Account.email > "2"))
    assert (emails(some), len(some)) == (list("234"), 3)
    with pytest.raises(ResourceNotFound):
        some.get(next(iter(accounts)).href)
    with pytest.raises(TypeError, match="created elsewhere"):
        some.create(email="han@falcon.example", password=PASSWORD)


def test_nothing_creates_nothing(context):
    with pytest.raises(PropertyRequired):
        Application.current().accounts.create()


def test_accounts_are_created_in_an_application_or_directory(context):
    with pytest.raises(TypeError, match="created elsewhere"):
        Client().accounts.create(email="han@falcon.example", password=PASSWORD)


def test_the_client_has_everything_from_the_top(context, stranger):
    client = Client()
    assert client.tenant.key == "my-tenant"
    assert [one.name for one in client.applications] == ["My Application"]
    assert sorted(one.name for one in client.directories) == ["Empire", "My Application Directory"]
    assert [one.email for one in client.accounts] == ["darth@vader.example"]
