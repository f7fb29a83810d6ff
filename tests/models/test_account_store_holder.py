"""AccountStoreHolder: how an application is given account stores, and how it tells them."""

import pytest

from stormpath_app.errors import (
    AccountStoreAlreadyMapped,
    InvalidReference,
    PropertyRequired,
    ResourceNotFound,
    UnknownProperty,
)
from stormpath_app.models import Application, Client

from ..conftest import PASSWORD, statements


@pytest.fixture
def application(context):
    """Return an application without account stores."""
    return Client().applications.create(name="Shop")


@pytest.fixture
def customers(application):
    return Client().directories.create(name="Customers")


@pytest.fixture
def gold(customers):
    return customers.groups.create(name="gold")


def names(application):
    return [mapping.account_store.name for mapping in application.account_store_mappings]


# --- Giving it some ---


@pytest.mark.parametrize("through", ["application", "client"])
def test_a_store_is_mapped_as_stormpaths_clients_do(application, customers, through):
    mapping = (Client() if through == "client" else application).account_store_mappings.create(
        {
            "application": application,
            "account_store": customers,
            "list_index": 0,
            "is_default_account_store": True,
            "is_default_group_store": False,
        }
    )
    assert (mapping.application, mapping.account_store, mapping.list_index) == (application, customers, 0)
    assert application.default_account_store_mapping is mapping
    assert application.default_group_store_mapping is None


@pytest.mark.parametrize("how", ["itself", "href", "name"])
@pytest.mark.parametrize("what", ["directory", "group"])
def test_a_store_is_given_by_itself_its_href_or_its_name(application, customers, gold, what, how):
    store = {"directory": customers, "group": gold}[what]
    given = {"itself": store, "href": "https://old.example" + store.href, "name": store.name.upper()}[how]
    assert application.add_account_store(given).account_store is store
    application.account_store_mappings[0].delete()
    assert application.account_store_mappings.create(account_store=given).account_store is store


def test_an_application_is_given_by_itself_or_its_href(application, customers):
    mapping = Client().account_store_mappings.create(application=application.href, account_store=customers.href)
    assert mapping.application is application


def test_of_a_directory_and_a_group_with_one_name_the_directory_is_meant(application, customers):
    customers.groups.create(name="Customers")
    assert application.add_account_store("customers").account_store is customers


NOTHING = ["/v1/directories/nobody", "/v1/groups/nobody", "/v1/accounts/x", "nobody", "gold", "\0", 5, [], {}]


@pytest.mark.parametrize("given", NOTHING, ids=ascii)
def test_a_store_that_is_none_is_refused(application, gold, given):
    Client().directories.create(name="Staff").groups.create(name="gold")  # so that the name says not which
    with pytest.raises(InvalidReference) as caught:
        application.account_store_mappings.create(account_store=given)
    assert (caught.value.status, caught.value.code, caught.value.property) == (400, 2002, "account_store")
    with pytest.raises(InvalidReference):
        application.add_account_store(given)
    assert names(application) == []


def test_an_application_that_is_none_or_another_is_refused(application, customers):
    for given in ("/v1/applications/nobody", customers, 5):
        with pytest.raises(InvalidReference):
            Client().account_store_mappings.create(application=given, account_store=customers)
    with pytest.raises(InvalidReference):
        application.account_store_mappings.create(application=Application.current(), account_store=customers)
    assert names(application) == []


def test_what_is_missing_or_misspelt_is_told(application, customers):
    with pytest.raises(PropertyRequired, match="application"):
        Client().account_store_mappings.create(account_store=customers)
    with pytest.raises(PropertyRequired, match="account store"):
        application.account_store_mappings.create({"account_store": None})
    with pytest.raises(UnknownProperty):
        application.account_store_mappings.create(account_store=customers, listIndex=0)


def test_a_group_and_its_directory_can_both_be_mapped_each_once(application, customers, gold):
    for store in (gold, customers):
        application.add_account_store(store)
        with pytest.raises(AccountStoreAlreadyMapped):
            application.add_account_store(store.href)
    assert names(application) == ["gold", "Customers"]


# --- Telling them ---


def test_the_mappings_are_a_sequence_in_the_order_of_asking(application, customers, gold):
    mappings = application.account_store_mappings
    assert (len(mappings), list(mappings), bool(mappings)) == (0, [], False)
    first = mappings.create(account_store=customers)
    second = mappings.create(account_store=gold, list_index=0)
    assert list(mappings) == [second, first] == [*reversed(mappings)][::-1]
    assert (mappings[0], mappings[-1], mappings[:1], mappings[5:]) == (second, first, [second], [])
    assert (len(mappings), first in mappings, mappings.index(first)) == (2, True, 1)
    assert application["account_store_mappings"][0] is second


def test_a_mapping_is_found_by_its_href_in_its_application_alone(application, customers):
    mapping = application.add_account_store(customers)
    assert application.account_store_mappings.get(mapping.href) is mapping
    for href in (Application.current().account_store_mappings[0].href, "nobody"):
        with pytest.raises(ResourceNotFound):
            application.account_store_mappings.get(href)


def test_a_store_tells_its_mappings_and_applications(application, customers, gold):
    other = Client().applications.create(name="Bar")
    mappings = [other.add_account_store(customers), application.add_account_store(customers)]
    of_group = application.add_account_store(gold)
    assert set(customers.account_store_mappings) == set(customers.application_mappings) == set(mappings)
    assert set(customers.applications) == {application, other}
    assert (list(gold.account_store_mappings), list(gold.applications)) == ([of_group], [application])


# --- Many accounts ---


def sql_of(app, work):
    with statements(app) as seen:
        work()
    return seen[-1]


def test_a_page_of_the_accounts_of_one_directory_is_asked_for_by_its_index(context, application, customers):
    application.add_account_store(customers)
    customers.accounts.create(email="han@falcon.example", password=PASSWORD)
    seen = sql_of(context, lambda: next(iter(application.accounts)))
    assert "directory_id = " in seen
    assert "group" not in seen.partition("WHERE")[2]


def test_a_group_of_a_directory_that_is_mapped_as_a_whole_is_not_looked_at(context, application, customers, gold):
    for store in (gold, customers):
        application.add_account_store(store)
    assert "group_memberships" not in sql_of(context, lambda: len(application.accounts))
