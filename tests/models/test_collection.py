"""Collections: the resources that belong to something."""

import re

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings, strategies as st

from stormpath_app import Account, Application
from stormpath_app.database import session
from stormpath_app.errors import (
    InvalidOrder,
    InvalidQueryValue,
    PropertyRequired,
    RangeReversed,
    ResourceNotFound,
    StormpathError,
    UnknownProperty,
    UnsupportedOrder,
    UnsupportedQueryValue,
)
from stormpath_app.models import (
    AccountStoreMapping,
    Client,
    Collection,
    collection,
    listing,
)

from ..conftest import PASSWORD, statements
from ..together import together


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
    assert [one.name for one in client.applications] == ["My Application", "Stormpath"]
    names = ["Empire", "My Application Directory", "Stormpath Administrators"]
    assert sorted(one.name for one in client.directories) == names
    assert [one.email for one in client.accounts] == ["darth@vader.example"]


# --- As a list ---


def test_a_place_and_a_part_are_those_of_a_list_in_one_statement(app, accounts):
    for part, expected in ((slice(2), "01"), (slice(2, 4), "23"), (slice(-2, None), "34"), (slice(-3, -1), "23")):
        with statements(app) as seen:
            assert emails(accounts[part]) == list(expected)
        assert len(seen) == 1
    with statements(app) as seen:
        assert emails([accounts[3], accounts[-1]]) == list("34")
    assert len(seen) == 2


@pytest.mark.parametrize("place", [5, -6, 10**30])
def test_there_is_nobody_at_a_place_outside(accounts, place):
    with pytest.raises(IndexError):
        accounts[place]


def test_each_verb_returns_another_collection(accounts):
    accounts.order("email desc").limit(2).offset(1).search("4@")
    assert (emails(accounts), len(accounts)) == (list("01234"), 5)


def test_a_limit_and_an_offset_are_for_all_that_is_asked(accounts):
    some = accounts.limit(2).offset(1).order("email desc")
    assert (emails(some), len(some), emails(some[1:]), emails(reversed(some))) == (list("32"), 2, ["2"], list("23"))
    assert accounts.offset(5).count() == 0
    assert emails(accounts.query(limit=2, offset=1, order_by="email desc")) == list("32")


@together("verb", ["limit", "offset"])
@together("number", [-1, "1", 1.5, True, None])
def test_a_limit_is_a_number(accounts, verb, number):
    with pytest.raises(InvalidQueryValue) as refused:
        getattr(accounts, verb)(number)
    assert refused.value.code == 2103


def test_a_count_goes_as_far_as_it_is_asked_to(app, accounts):
    with statements(app) as seen:
        assert [accounts.count(at_most=number) for number in (1, 5, 6, 10**30)] == [1, 5, 5, 5]
        assert accounts
    assert len(seen) == 5


def test_who_is_in_a_collection_is_looked_up_alone(app, accounts, stranger):
    first = accounts[0]
    with statements(app) as seen:
        assert [one in accounts for one in (first, stranger, first.href, None)] == [True, False, False, False]
    assert len(seen) == 2
    assert first not in accounts.limit(1).offset(1)


def test_a_page_is_one_statement_however_it_is_sorted(app, accounts, monkeypatch):
    monkeypatch.setattr(collection, "_PAGE", 100)
    for some in (accounts, accounts.order("surname desc"), accounts.search({"email": "*"}), accounts.limit(4)):
        with statements(app) as seen:
            assert {account.directory_id for account in some}
        assert len(seen) == 1


# --- Searching. What finds whom is held against a plain model in test_searches.py. ---


def test_a_search_by_the_beginning_of_a_name_comes_in_its_order(accounts):
    for account, name in zip(accounts, ["Leo", "Lea", "LEIA", "Han", "Leb"], strict=True):
        account.given_name = name
        account.save()
    assert [account.given_name for account in accounts.search({"givenName": "le*"})] == ["Lea", "Leb", "LEIA", "Leo"]
    assert emails(accounts.query(given_name="le*").order("email desc")) == list("4210")


def test_an_address_finds_one_person_alone(accounts):
    account = accounts.create(email="leia@alderaan.example", password=PASSWORD)
    accounts.create(email="léia@alderaan.example", password=PASSWORD)
    assert list(accounts.search({"email": "LEIA@Alderaan.example"})) == [account]


def test_a_text_that_is_sorted_is_cut_after_the_first_that_are_found(accounts, monkeypatch):
    monkeypatch.setattr(listing, "CANDIDATES", 3)
    found = accounts.search("falcon").order("email desc")
    assert (emails(found), len(found), emails(found[-1:]), accounts[4] in found) == (list("210"), 3, ["0"], False)
    assert emails(accounts.search("falcon")) == list("01234")


def test_a_blank_text_finds_everybody(accounts):
    assert emails(accounts.search("  ")) == list("01234")


@together("text", ["\0", "\x02", "\x02\x020", "a\x7f", "\ud800", "x" * 256, "\u0301", '"', "%", "0_f", "0@f*"])
def test_what_no_name_has_finds_nobody(accounts, text):
    assert not accounts.search(text)
    assert not accounts.search({"surname": text})
    assert not accounts.search({"surname": f"*{text}*"})


@together(
    ("wanted", "error", "code"),
    [
        ({"given_nmae": "x"}, UnknownProperty, 2015),
        ({"password_hash": "x"}, UnknownProperty, 2015),
        ({"given_name.x": "x"}, UnknownProperty, 2015),
        ({"email": 7}, InvalidQueryValue, 2103),
        ({"email": " "}, InvalidQueryValue, 2103),
        ({"created_at": "soon"}, InvalidQueryValue, 2103),
        ({"created_at": "[2016,2015]"}, RangeReversed, 2108),
        ({"status": "FROZEN"}, UnsupportedQueryValue, 2105),
        ({"status": "ENABLE*"}, UnsupportedQueryValue, 2105),
        ({"order_by": "surname up"}, InvalidOrder, 2104),
        ({"orderBy": "directory"}, UnsupportedOrder, 2106),
        ({"orderBy": "password_hash"}, UnsupportedOrder, 2106),
        ({"orderBy": ",".join(["surname"] * 21)}, InvalidOrder, 2104),
        ({"orderBy": "custom_data.a.\0"}, UnsupportedOrder, 2106),
        ({"orderBy": "custom_data.a.\ud800"}, UnsupportedOrder, 2106),
        ({"self": "x"}, UnknownProperty, 2015),
        ({f"custom_data.a{number}": "x" for number in range(21)}, InvalidQueryValue, 2103),
        ({"q": None}, InvalidQueryValue, 2103),
        ({"q": 7}, InvalidQueryValue, 2103),
    ],
)
def test_a_search_that_cannot_be_says_why_when_it_is_made(accounts, wanted, error, code):
    with pytest.raises(error) as refused:
        accounts.search(wanted)
    assert isinstance(refused.value, StormpathError)
    assert (refused.value.status, refused.value.code) == (400, code)


def test_applications_directories_and_groups_are_searched_by_name_and_description(context):
    client = Client()
    directory = client.directories.create(name="Rebels", description="Those who left\nthe Émpire: 100%")
    directory.groups.create(name="Pilots", description="left")
    client.applications.create(name="Émpire", description="left: 100")
    assert [one.name for one in client.directories.search("empire")] == ["Rebels"]
    assert [one.name for one in client.directories.search("left the emp")] == ["Rebels"]
    assert [one.name for one in client.directories.search({"description": "*"})] == [
        *("Stormpath Administrators", "Rebels"),
    ]
    for wanted in ("those*", "*100%", "*LEFT*"):
        assert [one.name for one in client.directories.search({"description": wanted})] == ["Rebels"]
    for wanted in ("left", "*rebels*", "*rebels", "100%"):
        assert not client.directories.search({"description": wanted})
    assert [one.name for one in client.groups.search({"description": "LEFT", "name": "pilot*"})] == ["Pilots"]
    assert [one.name for one in client.directories.order("description desc")] == [
        *("Stormpath Administrators", "Rebels", "My Application Directory"),
    ]
    assert [one.name for one in client.applications.search({"status": "enabled", "name": "émp*"})] == ["Émpire"]
    assert not client.applications.search({"name": "emp*"})


def test_a_changed_name_is_found_and_the_one_before_is_not(context):
    directory = next(iter(Client().directories))
    directory.name, directory.description = "Cantina", "Where pilots meet"
    directory.save()
    assert [one.name for one in Client().directories.search("pilots")] == ["Cantina"]
    assert not Client().directories.search("application")


def test_who_is_deleted_is_found_no_more(accounts):
    accounts[0].delete()
    Application.current().default_account_store().groups.create(name="pilots").add_account(accounts[0])
    assert emails(accounts.search("falcon")) == list("1234")
    Application.current().default_account_store().delete()
    assert not Client().accounts.search("falcon")


def test_members_of_a_group_are_searched_alone(accounts):
    group = Application.current().groups.create(name="pilots")
    for account in accounts[1:3]:
        group.add_account(account)
    assert emails(group.accounts.search("falcon").order("email desc")) == list("21")
    assert emails(group.accounts.search({"email": "2@*"})) == ["2"]
    assert len(group.account_memberships.query(createdAt="[2026,]")) == 2
    with pytest.raises(InvalidQueryValue):
        group.account_memberships.search("falcon")


def test_mappings_come_in_the_order_of_their_index(context):
    application = Application.current()
    other = Client().directories.create(name="Empire")
    second = application.add_account_store(other)
    mappings = Collection(AccountStoreMapping, AccountStoreMapping.application_id == application.id)
    second.list_index, mappings[0].list_index = 0, 1
    second.save()
    mappings[0].save() if mappings[0] is not second else mappings[1].save()
    assert [mapping.list_index for mapping in mappings] == sorted(mapping.list_index for mapping in mappings)
    assert list(mappings.search({"listIndex": "0"})) == [second]
    assert len(mappings.search({"list_index": "(,5]"})) == 2
    assert len(mappings.search({"list_index": "[-1e300,1e300]"})) == 2
    assert mappings.order("list_index desc")[-1] is mappings[0]


def plan(app, some):
    """Return how SQLite reads the first two of a collection."""
    with statements(app) as seen:
        some[:2]
    values = ("x",) * seen[0].count("?")
    return [row[-1] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {seen[0]}", values)]


@pytest.mark.sqlite
def test_an_index_that_finds_is_the_one_that_sorts(app, accounts):
    mine = Application.current().default_account_store().accounts
    for some in (
        mine,
        mine.search({"email": "x*"}),
        mine.search({"status": "ENABLED"}),
        *(mine.order(name) for name in ("email", "username", "surname desc", "given_name", "created_at")),
        *(accounts, accounts.search({"surname": "x"})),
    ):
        (only,) = plan(app, some)
        assert re.match(r"SEARCH stormpath_accounts USING INDEX \w+ \(directory_id=", only)


@pytest.mark.sqlite
def test_an_address_is_found_by_an_index_in_all_directories_at_once(app, accounts):
    for some in (Client().accounts.search({"email": "0@falcon.example"}), Client().accounts.query(username="0@*")):
        assert len(some[:2]) == 1
        assert re.match(r"SEARCH stormpath_accounts USING INDEX \w+ \(directory_id=\? AND \w+[=>]", plan(app, some)[0])


def test_a_collection_is_shown_without_being_read(accounts, context):
    found = accounts.search("han")
    with statements(context) as sent:
        assert repr(found) == "<Collection of Account>"
    assert sent == []


# --- Pages by the place of a row, and the first so many ---


def follow(found, size, **how):
    """Return all pages, as somebody finds them who goes on as long as there is more."""
    page = found.page(size, **how)
    pages = [page]
    while page.has_after:
        page = found.page(size, after=page.items[-1].id, **how)
        pages.append(page)
    return pages


@pytest.fixture
def namesakes(context):
    """Return a collection of groups; those that a test makes have few descriptions and statuses between them."""
    return Application.current().default_account_store().groups


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    statuses=st.lists(st.sampled_from(["ENABLED", "DISABLED"]), max_size=9),
    size=st.integers(1, 4),
    order=st.sampled_from(["status", "status desc", "name desc", "created_at", "created_at desc", ""]),
    from_the_end=st.booleans(),
)
def test_pages_have_each_row_once_in_order_there_and_back_over_all_ties(
    namesakes, held_clock, statuses, size, order, from_the_end
):
    for each in list(namesakes):
        each.delete()
    for number, status in enumerate(statuses):
        namesakes.create(name=f"{number}", status=status)
    found = namesakes.order(order) if order else namesakes
    every = [each.id for each in found][:: -1 if from_the_end else 1]
    pages = follow(found, size, from_the_end=from_the_end)
    assert [each.id for page in pages for each in page.items] == every
    assert not pages[0].has_before
    assert all(page.has_before for page in pages[1:])
    page = pages[-1]
    back = [page]
    while page.has_before:
        page = found.page(size, before=page.items[0].id, from_the_end=from_the_end)
        back.append(page)
    assert [page.items for page in reversed(back)] == [page.items for page in pages]
    assert all(page.has_after for page in back[1:])


def test_a_page_after_the_last_before_the_first_or_beside_a_stranger_is_the_first(accounts, stranger):
    first, last = accounts[0].id, accounts[-1].id
    for place in ({"after": last}, {"before": first}, {"after": stranger.id}, {"before": "none"}, {"after": "\0"}):
        page = accounts.page(2, **place)
        assert (emails(page.items), page.has_before, page.has_after) == (["0", "1"], False, True)
    assert emails(accounts.page(2, from_the_end=True, after=first).items) == ["4", "3"]


def test_a_page_of_nothing_is_empty(context):
    assert Application.current().accounts.page(3) == ([], False, False)


def test_a_page_costs_two_statements_however_far_from_the_first_it_is(accounts, context):
    place = accounts[3].id
    with statements(context) as sent:
        assert emails(accounts.page(1, after=place).items) == ["4"]
    assert len(sent) == 2


def test_the_head_of_a_collection_is_as_many_of_those_that_are_found_and_no_others(accounts):
    accounts[2].status = "DISABLED"
    accounts[2].save()
    assert len(accounts.head(3)) == 3
    assert len(accounts.head(30)) == 5
    assert emails(accounts.query(status="DISABLED").head(3)) == ["2"]
    assert emails(accounts.search("falcon").head(30).query(status="DISABLED")) == ["2"]
    assert len(accounts.head(4).order("email desc")) == 4


def test_nothing_can_be_created_among_the_head_of_a_collection(accounts):
    with pytest.raises(TypeError):
        accounts.head(3).create(email="luke@tatooine.example", password=PASSWORD)
