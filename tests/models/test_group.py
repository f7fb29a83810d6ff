"""Group: a named set of accounts of a directory."""

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Group, StormpathManager, clock
from stormpath_app.database import session
from stormpath_app.errors import (
    AlreadyExists,
    DefaultGroupStoreDisabled,
    DirectoriesDiffer,
    InvalidFormat,
    NoDefaultGroupStore,
    PropertyRequired,
    ResourceNotFound,
    TooLong,
    UnknownProperty,
    UnsupportedValue,
    WrongType,
)
from stormpath_app.models import Client, Collection, GroupMembership
from stormpath_app.models.administration import ROLES

from ..conftest import PASSWORD, statements
from ..together import together
from .test_event import events


@pytest.fixture
def directory(context):
    """Return the directory of the application's accounts."""
    return Application.current().default_account_store()


@pytest.fixture
def elsewhere(context):
    """Return a directory that the application does not use."""
    return Client().directories.create(name="Empire")


@pytest.fixture
def admins(directory):
    return directory.groups.create({"name": "admins", "description": "May do all"})


@pytest.fixture
def han(context):
    return Account.create("han@falcon.example", PASSWORD, "Han", "Solo", username="solo")


@pytest.fixture
def darth(elsewhere):
    return elsewhere.accounts.create(email="darth@vader.example", password=PASSWORD, username="darth")


def names(groups):
    return sorted(group.name for group in groups)


# --- What it is ---


def test_the_old_manuals_lines_work_to_the_letter(app, han):
    stormpath_manager = app.extensions["stormpath"].manager
    assert isinstance(stormpath_manager, StormpathManager)
    user = han
    directory = stormpath_manager.application.default_account_store_mapping.account_store
    free_users = directory.groups.create({"name": "free users"})
    paid_users = directory.groups.create({"name": "paid users"})
    admins = directory.groups.create({"name": "admins"})
    user.add_group(free_users)
    assert [user.has_group(group) for group in (free_users, paid_users, admins)] == [True, False, False]


def test_a_group_is_what_it_was_created_with(admins, directory):
    admins.refresh()
    assert (admins.name, admins.description, admins.status) == ("admins", "May do all", "ENABLED")
    assert admins.href == f"/v1/groups/{admins.id}"
    assert Group.get(admins.href) is directory.groups.get(admins.id) is admins
    assert admins.directory is directory
    assert list(admins.accounts) == list(admins.account_memberships) == []


@together(
    ("given", "error"),
    [
        ({}, PropertyRequired),
        ({"name": None}, PropertyRequired),
        ({"name": " "}, PropertyRequired),
        ({"name": 7}, WrongType),
        ({"name": ["admins"]}, WrongType),
        ({"name": "x" * 256}, TooLong),
        ({"name": "ad\u200bmins"}, InvalidFormat),
        ({"name": "admins\0"}, InvalidFormat),
        ({"name": "/v1/groups/0353QuDJUTzgm3zO2H0Sat"}, InvalidFormat),
        ({"name": "team x/v1/groups/b "}, InvalidFormat),
        ({"name": "admins"}, AlreadyExists),
        ({"name": " ADMINS "}, AlreadyExists),
        ({"name": "\uff41\uff44\uff4d\uff49\uff4e\uff53"}, AlreadyExists),
        ({"name": "crew", "description": "x" * 1001}, TooLong),
        ({"name": "crew", "status": "UNVERIFIED"}, UnsupportedValue),
        ({"name": "crew", "nmae": "x"}, UnknownProperty),
    ],
)
def test_a_group_that_cannot_be_leaves_nothing_behind(admins, directory, given, error):
    with pytest.raises(error) as caught:
        directory.groups.create(given)
    assert "Group" in caught.value.message
    assert names(directory.groups) == ["admins"]
    assert len(events("group.created")) == 1


@together("name", ["x" * 255, "Änderungen & <b>", "漢字", "🗝", "a/v1/groups/b c", '"]', "two  blanks", "%"])
def test_a_name_may_hold_any_character_that_is_seen(directory, han, name):
    group = directory.groups.create(name=name)
    session.expire_all()
    assert group.name == name
    assert directory.find_group(name) is group
    group.add_account(han)
    assert han.has_group(group)
    assert han.has_group(name)


def test_another_directory_has_names_of_its_own(admins, elsewhere):
    assert elsewhere.groups.create(name="Admins").id != admins.id
    assert admins.directory.find_group("ADMINS") is admins


def test_a_group_cannot_take_anothers_name_and_may_write_its_own_in_another_way(admins, directory):
    directory.groups.create(name="crew")
    admins.name = "Crew"
    with pytest.raises(AlreadyExists, match=r"^Group with that name already exists\.  Please choose another name\.$"):
        admins.save()
    admins.name = "Admins"
    admins.save()
    assert names(directory.groups) == ["Admins", "crew"]


def test_a_name_that_was_given_up_is_free(admins, directory):
    admins.name = "rulers"
    admins.save()
    directory.groups.create(name="admins").delete()
    directory.groups.create(name="admins")
    assert names(directory.groups) == ["admins", "rulers"]


@together("name", ["", " ", "\0", "\ud800", "x" * 5000, "admin", "%", "admins\0"])
def test_a_name_that_no_group_has_finds_none(admins, directory, name):
    assert directory.find_group(name) is None
    with pytest.raises(ResourceNotFound):
        directory.get_group(name)


# --- Where it is ---


def test_an_application_creates_groups_in_its_default_group_store_and_knows_those_of_all_its_stores(
    admins, directory, elsewhere
):
    application = Application.current()
    second = Client().directories.create(name="Rebels")
    application.add_account_store(second)
    second.groups.create(name="pilots")
    elsewhere.groups.create(name="troopers")
    crew = application.groups.create({"name": "crew"}, description="Of the Falcon")
    assert (crew.directory, crew.description) == (directory, "Of the Falcon")
    assert names(application.groups) == ["admins", "crew", "pilots"]
    assert names(Client().groups) == sorted(["admins", "crew", "pilots", "troopers", *ROLES])
    assert [(event.target_name, event.application_id) for event in events("group.created")][-1] == (
        *("crew", application.id),
    )


def test_an_application_without_an_open_group_store_creates_none(context):
    application = Application.current()
    store = application.default_group_store()
    store.status = "DISABLED"
    store.save()
    with pytest.raises(DefaultGroupStoreDisabled) as caught:
        application.groups.create(name="crew")
    assert caught.value.code == 5103
    application.default_group_store_mapping.delete()
    with pytest.raises(NoDefaultGroupStore) as caught:
        application.groups.create(name="crew")
    assert caught.value.code == 5102
    assert "newly created groups" in caught.value.developer_message
    assert len(Client().groups) == len(ROLES)


def test_groups_are_created_in_an_application_or_directory(admins, han):
    for groups in (Client().groups, han.groups):
        with pytest.raises(TypeError, match="created elsewhere"):
            groups.create(name="crew")
    with pytest.raises(TypeError, match="created elsewhere"):
        admins.accounts.create(email="leia@alderaan.example", password=PASSWORD)


# --- Who is in it ---

WAYS = {
    "itself": lambda account: account,
    "href": lambda account: account.href,
    "href of another host": lambda account: f"https://api.example.com{account.href}",
    "e-mail address": lambda account: "HAN@Falcon.example",
    "username": lambda account: "Solo",
    "search for the address": lambda account: {"email": "HAN@falcon.example"},
    "search for the beginning of a name": lambda account: {"givenName": "h*", "surname": "SOLO"},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_an_account_is_added_asked_for_and_removed_by_any_of_its_names(admins, han, way):
    membership = admins.add_account(way(han))
    assert (membership.account, membership.group) == (han, admins)
    assert admins.has_account(way(han))
    assert list(admins.accounts) == [han]
    assert list(admins.account_memberships) == [membership]
    admins.remove_account(way(han))
    assert not admins.has_account(way(han))
    assert list(admins.accounts) == []


def test_an_address_that_looks_like_a_href_is_that_of_its_owner(admins, han):
    evader = Account.create("x/v1/accounts/y@evil.example", PASSWORD)
    admins.add_account(evader.email)
    assert admins.has_account(evader.email)
    assert list(admins.accounts) == [evader]


def test_several_accounts_can_be_asked_for(admins, han):
    leia = Account.create("leia@alderaan.example", PASSWORD)
    admins.add_account(han)
    assert admins.has_accounts([han, "solo", han.href])
    assert not admins.has_accounts([han, leia])
    assert admins.has_accounts([han, leia], all=False)
    assert admins.has_accounts(("nobody", "solo"), all=False)
    assert not admins.has_accounts(iter([leia, "nobody"]), all=False)


@together("who", ["nobody", "", "\0", "/v1/accounts/x", "/v1/accounts/"])
def test_who_is_not_there_is_not_found_by_name(admins, who):
    for verb in (admins.add_account, admins.remove_account):
        with pytest.raises(ResourceNotFound) as caught:
            verb(who)
        assert repr(who) in caught.value.developer_message
    assert not admins.has_account(who)


@together("search", [{}, {"status": "DISABLED"}, {"q": " "}, {"limit": 1}, {"q": "nobody"}])
def test_a_search_that_finds_nobody_or_asks_for_nothing_means_nobody(admins, han, search):
    for verb in (admins.add_account, admins.remove_account, han.add_group, han.remove_group):
        with pytest.raises(ResourceNotFound):
            verb(search)
    assert not admins.has_account(search)
    assert len(admins.accounts) == 0


def test_a_search_means_the_first_it_finds_in_the_directory_of_the_group(admins, han, darth):
    Account.create("ben@falcon.example", PASSWORD, "Ben", "Solo")
    assert admins.add_account({"surname": "solo"}).account is han
    assert admins.has_accounts([{"username": "darth"}, {"given_name": "Han"}], all=False)
    with pytest.raises(ResourceNotFound):
        admins.add_account({"username": "darth"})
    with pytest.raises(UnknownProperty):
        admins.has_account({"login": "solo"})


def test_a_group_is_searched_for_too(admins, han, elsewhere):
    elsewhere.groups.create(name="troopers")
    assert han.add_group({"name": "ADM*"}).group is admins
    assert han.has_group({"description": "may do*"})
    assert not han.has_group({"name": "troopers"})
    assert not han.has_group({})
    assert han.has_groups([{"name": "admins"}, {"name": "troopers"}], all=False)
    with pytest.raises(ResourceNotFound) as caught:
        han.add_group({"name": "admns"})
    assert "Did you mean 'admins'?" in caught.value.developer_message
    with pytest.raises(TypeError, match="takes a list"):
        han.has_groups({"name": "admins"})
    han.remove_group({"name": "admins"})
    assert not han.has_group(admins)


@pytest.mark.parametrize("way", [lambda account: account, lambda account: account.href], ids=["itself", "href"])
def test_an_account_of_another_directory_is_refused(admins, darth, way):
    for verb in (admins.add_account, admins.remove_account):
        with pytest.raises(DirectoriesDiffer) as caught:
            verb(way(darth))
        assert (caught.value.status, caught.value.code) == (400, 400)
    assert not admins.has_account(way(darth))
    assert len(admins.accounts) == 0


@pytest.mark.parametrize("who", [None, 7, b"solo", ["solo"]], ids=str)
def test_what_cannot_be_an_account_is_the_programs_mistake(admins, han, who):
    with pytest.raises(TypeError, match="itself, its href, its name or a dictionary"):
        admins.add_account(who)
    with pytest.raises(TypeError, match="itself, its href, its name or a dictionary"):
        admins.add_account(admins)
    with pytest.raises(TypeError, match=r"takes a list, such as \['admins'\]"):
        admins.has_accounts("solo")


def test_members_come_in_pages_and_only_of_this_group(admins, han, directory, monkeypatch):
    monkeypatch.setattr("stormpath_app.models.collection._PAGE", 2)
    crew = directory.groups.create(name="crew")
    for number in range(5):
        admins.add_account(directory.accounts.create(email=f"{number}@x.example", password=PASSWORD))
    crew.add_account(han)
    assert [account.email[0] for account in admins.accounts] == list("01234")
    assert (len(admins.accounts), len(crew.accounts), len(admins.account_memberships)) == (5, 1, 5)
    assert isinstance(admins.accounts, Collection)
    with pytest.raises(ResourceNotFound):
        admins.accounts.get(han.href)


def test_a_disabled_group_still_tells_who_is_in_it(admins, han):
    admins.add_account(han)
    admins.status = "disabled"
    admins.save()
    assert admins.has_account(han)
    assert list(han.groups) == list(Group.get(admins.id).directory.groups) == [admins]


# --- Its end ---


def test_a_deleted_group_takes_its_memberships_along_and_leaves_its_accounts(admins, han, directory):
    crew = directory.groups.create(name="crew")
    for group in (admins, crew):
        group.add_account(han)
    admins.delete()
    assert list(han.groups) == [crew]
    assert session.scalar(sa.select(sa.func.count()).select_from(GroupMembership)) == 1
    assert Application.current().find_account("solo") is han
    with pytest.raises(ResourceNotFound):
        Group.get(admins.href)


@pytest.mark.parametrize("what", ["account", "directory"])
def test_memberships_end_with_what_they_are_of(admins, han, what):
    admins.add_account(han)
    (han if what == "account" else han.directory).delete()
    assert session.scalar(sa.select(sa.func.count()).select_from(GroupMembership)) == 0
    left = [group for group in Client().groups if not group.is_role]
    assert left == ([admins] if what == "account" else [])


# --- The log ---


def test_the_log_tells_of_a_groups_life(admins, directory):
    admins.name, admins.status = "rulers", "disabled"
    admins.save()
    admins.delete()
    created, updated, deleted = (events(f"group.{kind}")[0] for kind in ("created", "updated", "deleted"))
    assert {event.directory_id for event in (created, updated, deleted)} == {directory.id}
    assert {event.target_id for event in (created, updated, deleted)} == {admins.id}
    assert (created.target_name, deleted.target_name) == ("admins", "rulers")
    assert updated.data["changed"] == {"name": ["admins", "rulers"], "status": ["ENABLED", "DISABLED"]}
    assert created.application_id is None


def test_a_save_without_a_change_says_nothing(admins):
    admins.save()
    assert events("group.updated") == []


def test_what_is_set_on_a_group_is_written_by_its_own_save_alone(admins, han):
    admins.status = "disabled"
    admins.add_account(han)
    assert session.scalar(sa.select(Group.status).where(Group.id == admins.id)) == "ENABLED"
    assert admins.status == "DISABLED"


def test_each_verb_commits_once(app, directory, han):
    commits = []

    def note(current):
        if not current.in_nested_transaction():  # a savepoint
            commits.append(current)

    sa.event.listen(session(), "after_commit", note)
    for work in (
        lambda: directory.groups.create(name="crew"),
        lambda: han.add_group("crew"),
        lambda: han.remove_group("crew"),
        lambda: directory.find_group("crew").delete(),
    ):
        commits.clear()
        work()
        assert len(commits) == 1
    sa.event.remove(session(), "after_commit", note)


def test_its_times_are_its_own(held_clock, admins):
    held_clock.forward(hours=1)
    admins.description = None
    admins.save()
    assert (admins.modified_at, admins.modified_at > admins.created_at) == (clock.now(), True)


def test_finding_a_group_by_name_is_one_statement(app, admins, directory):
    with statements(app) as seen:
        assert directory.find_group("ADMINS") is admins
    assert len(seen) == 1
