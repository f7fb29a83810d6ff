"""Which groups an account is in: told at once, counted where they open doors, and the same when many do it at once."""

import contextlib
import json

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from werkzeug.local import LocalProxy

from stormpath_app import Account, Application, Directory
from stormpath_app.database import session
from stormpath_app.errors import (
    ChangedMeanwhile,
    Conflict,
    DirectoriesDiffer,
    InvalidFormat,
    PropertyRequired,
    ReadOnly,
    ResourceNotFound,
    UnknownProperty,
    WrongType,
)
from stormpath_app.models import Client, GroupMembership
from stormpath_app.models.member import enabled_groups
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, statements
from ..together import together
from .test_event import events


@pytest.fixture
def han(context):
    return Account.create("han@falcon.example", PASSWORD, "Han", "Solo", username="solo")


@pytest.fixture
def admins(context):
    return Application.current().groups.create(name="admins")


@pytest.fixture
def crew(context):
    return Application.current().groups.create(name="the crew")


def count():
    return session.scalar(sa.select(sa.func.count()).select_from(GroupMembership))


# --- Coming and going ---

WAYS = {
    "itself": lambda group: group,
    "a proxy": lambda group: LocalProxy(lambda: group),
    "name": lambda group: group.name,
    "name in capitals": lambda group: f" {group.name.upper()} ",
    "href": lambda group: group.href,
    "href of another host": lambda group: f"https://api.example.com{group.href}",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_group_is_joined_asked_for_and_left_by_any_of_its_names(han, admins, way):
    assert not han.has_group(way(admins))
    membership = han.add_group(way(admins))
    assert (membership.account, membership.group) == (han, admins)
    assert (membership.account_id, membership.group_id) == (han.id, admins.id)
    assert han.has_group(way(admins))
    assert han.in_group(way(admins))
    assert list(han.groups) == [admins]
    assert list(han.group_memberships) == [membership]
    assert GroupMembership.get(membership.href) is membership
    han.remove_group(way(admins))
    assert not han.has_group(way(admins))
    assert list(han.groups) == []


def test_somebody_who_is_logged_in_may_be_given_as_the_proxy_that_user_is(han, admins):
    user = LocalProxy(lambda: han)
    membership = admins.add_account(user)
    assert user.add_group(admins) is membership
    assert admins.has_account(user)
    admins.remove_account(user)
    assert not user.has_group(admins)


def test_a_rival_who_joined_first_and_left_again_is_in_nobodys_way(han, admins, monkeypatch):
    def come_too_late(*values):
        monkeypatch.setattr(GroupMembership, "_make", make)
        make(*values)
        raise Conflict  # the rival's row was there; it is gone when the next one looks

    make = GroupMembership._make
    monkeypatch.setattr(GroupMembership, "_make", come_too_late)
    han.add_group(admins)
    assert list(han.groups) == [admins]
    assert len(events("account.group_added")) == count() == 1


def test_who_is_added_again_has_the_same_membership_and_the_log_says_it_once(han, admins):
    first = han.add_group(admins)
    assert han.add_group("ADMINS") is admins.add_account("solo") is first
    assert count() == len(events("account.group_added")) == 1


def test_the_log_tells_who_came_into_which_group_and_who_left_it(han, admins):
    han.add_group(admins)
    admins.remove_account(han)
    for kind in ("account.group_added", "account.group_removed"):
        (told,) = events(kind)
        assert (told.account_id, told.directory_id) == (han.id, han.directory_id)
        assert (told.target_kind, told.target_id, told.target_name) == ("group", admins.id, "admins")
        assert told.data == {"account": "han@falcon.example"}


def test_a_membership_can_be_deleted_by_itself(han, admins):
    han.add_group(admins).delete()
    assert not han.has_group(admins)
    assert len(events("account.group_removed")) == 1


@pytest.mark.parametrize("group", ["nobody's", "", "/v1/groups/x", "/v1/groups/"])
def test_a_group_that_there_is_not_is_named_in_the_error_with_those_there_are(han, admins, crew, group):
    for verb in (han.add_group, han.remove_group):
        with pytest.raises(ResourceNotFound) as caught:
            verb(group)
        assert repr(group) in caught.value.developer_message
        assert "It has: 'admins', 'the crew'." in caught.value.developer_message
        assert "admins" not in caught.value.message
    assert not han.has_group(group)


def test_a_misspelt_group_is_told_with_the_one_that_was_meant(han, admins):
    with pytest.raises(ResourceNotFound) as caught:
        han.add_group("Admin")
    assert "has no Group 'Admin'. Did you mean 'admins'?" in caught.value.developer_message


def test_where_there_is_no_group_the_error_says_how_to_make_one(han):
    with pytest.raises(ResourceNotFound) as caught:
        han.add_group("admins")
    assert "`flask stormpath create-group` makes one" in caught.value.developer_message


def test_who_is_in_no_group_cannot_leave_it(han, admins):
    for verb, whom in ((han.remove_group, admins), (admins.remove_account, han)):
        with pytest.raises(ResourceNotFound) as caught:
            verb(whom)
        assert caught.value.developer_message == "The Account 'han@falcon.example' is not in the Group 'admins'."
    assert events("account.group_removed") == []


@pytest.mark.parametrize("way", [lambda group: group, lambda group: group.href], ids=["itself", "href"])
def test_a_group_of_another_directory_is_refused(han, way):
    theirs = Client().directories.create(name="Empire").groups.create(name="admins")
    for verb in (han.add_group, han.remove_group):
        with pytest.raises(DirectoriesDiffer, match="Groups of its own Directory"):
            verb(way(theirs))
    with pytest.raises(ResourceNotFound):
        han.add_group("admins")
    assert not han.has_group(way(theirs))
    assert count() == 0


@pytest.mark.parametrize("group", [None, 7, b"admins", ["admins"]], ids=str)
def test_what_cannot_be_a_group_is_the_programs_mistake(han, admins, group):
    for verb in (han.add_group, han.remove_group, han.has_group):
        with pytest.raises(TypeError):
            verb(group)


# --- What opens doors ---


def test_several_groups_can_be_asked_for(han, admins, crew):
    han.add_group(admins)
    assert han.has_groups(["ADMINS", admins, admins.href])
    assert not han.has_groups(["admins", "the crew"])
    assert han.has_groups(["admins", "the crew"], all=False)
    assert han.has_groups((crew, admins), all=False)
    assert not han.has_groups(iter(["the crew", "nobody's"]), all=False)
    han.add_group(crew)
    assert han.has_groups({"admins", "the crew"})


@pytest.mark.parametrize("groups", ["admins", None, 7], ids=repr)
def test_a_single_group_is_no_list_of_groups(han, groups):
    with pytest.raises(TypeError, match=r"takes a list, such as \['admins'\]; .* is none"):
        han.has_groups(groups)


@pytest.mark.parametrize("how", ["fresh", "told"])
def test_a_disabled_group_opens_no_door_until_it_is_enabled_again(han, admins, crew, how):
    han.add_group(admins)
    han.add_group(crew)
    admins.status = "DISABLED"
    admins.save()
    if how == "fresh":
        session.expunge_all()
        han = Account.get(han.id)
    assert not han.has_group("admins")
    assert not han.has_group(admins.href)
    assert not han.in_group(admins)
    assert not han.has_groups(["admins", "the crew"])
    assert han.has_groups(["admins", "the crew"], all=False)
    assert sorted(group.name for group in han.groups) == ["admins", "the crew"]
    admins = Client().groups.get(admins.id)
    admins.status = "ENABLED"
    admins.save()
    assert han.has_group("admins")


def test_a_group_goes_by_its_newest_name_alone(han, admins):
    han.add_group(admins)
    admins.name = "rulers"
    admins.save()
    assert [han.has_group(name) for name in ("admins", "rulers")] == [False, True]


def test_no_name_can_pass_for_the_href_of_another_group(han, admins):
    with pytest.raises(InvalidFormat):
        han.directory.groups.create(name=f"x{admins.href}")
    crafted = han.directory.groups.create(name=f"x{admins.href}.")
    han.add_group(crafted.name)
    assert [han.has_group(group) for group in (crafted, crafted.name)] == [True, True]
    assert [han.has_group(group) for group in (admins, admins.href)] == [False, False]


def test_an_account_that_was_found_otherwise_asks_with_one_statement(app, han, admins, crew):
    han.add_group(admins)
    with statements(app) as seen:
        assert han.has_groups(["admins", "the crew", admins], all=False)
    assert len(seen) == 1


def test_who_is_in_many_groups_is_in_each(han):
    for number in range(120):
        han.add_group(han.directory.groups.create(name=f"group {number}"))
    assert han.has_groups([f"Group {number}" for number in range(120)])
    assert len(han.groups) == len(list(han.groups)) == 120


def test_each_database_is_asked_in_its_own_words():
    query = enabled_groups(sa.bindparam("account_id"))
    spelled = {
        "CAST(json_agg(stormpath_groups.id || ": postgresql.dialect(),
        "JSON_ARRAYAGG(concat(stormpath_groups.id, ": mysql.dialect(),
    }
    for words, dialect in spelled.items():
        assert words in str(query.compile(dialect=dialect))


def test_where_there_is_no_group_the_database_may_say_nothing_or_an_empty_list(han):
    for empty in (None, "[]", json.dumps([])):
        session().info["stormpath_enabled_groups"] = {han.id: empty}
        assert not han.has_groups(["admins"])


# --- From an old copy, and inside a block ---


@pytest.mark.parametrize("who", ["account", "group"])
def test_who_was_deleted_meanwhile_is_not_added(app, han, admins, who):
    gone = han if who == "account" else admins
    with app.app_context():
        type(gone).get(gone.id).delete()
    with pytest.raises(ResourceNotFound, match="does not exist"):
        han.add_group(admins)
    assert count() == 0
    assert events("account.group_added") == []


@pytest.mark.parametrize("what", ["membership", "group"])
def test_a_membership_that_ended_meanwhile_cannot_be_deleted(app, han, admins, what):
    membership_id = han.add_group(admins).id
    session.expunge_all()
    membership = GroupMembership.get(membership_id)
    with app.app_context():
        (GroupMembership.get(membership_id) if what == "membership" else Client().groups.get(admins.id)).delete()
    with pytest.raises(ChangedMeanwhile):
        membership.delete()
    assert len(events("account.group_removed")) == (1 if what == "membership" else 0)


def test_inside_a_block_everything_is_one_change(han, admins, crew):
    def come_and_fail():
        with atomic():
            han.add_group(admins)
            assert han.has_group("admins")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        come_and_fail()
    assert not han.has_group("admins")
    assert count() == len(events("account.group_added")) == 0
    with atomic():
        assert han.add_group(admins) is han.add_group(admins)
        han.add_group(crew)
        han.remove_group(crew)
    assert [group.name for group in han.groups] == ["admins"]


@pytest.mark.parametrize("block", [contextlib.nullcontext, atomic], ids=["alone", "inside a block"])
def test_a_race_that_was_lost_gives_what_the_other_one_made(monkeypatch, han, admins, block):
    of, asked = GroupMembership.of, []

    def see_it_late(*ids):
        asked.append(ids)
        return of(*ids) if len(asked) > 1 else None

    won = han.add_group(admins)
    monkeypatch.setattr(GroupMembership, "of", see_it_late)
    with block():
        assert han.add_group(admins) == won
    assert count() == len(events("account.group_added")) == 1


def test_who_is_taken_out_by_two_at_once_is_taken_out_once(app, monkeypatch, han, admins):
    membership = han.add_group(admins)
    with app.app_context():
        GroupMembership.get(membership.id).delete()
    monkeypatch.setattr(GroupMembership, "of", lambda *_: membership)  # as one who began before it was gone
    with pytest.raises(ResourceNotFound):
        han.remove_group(admins)
    assert len(events("account.group_removed")) == 1


# --- As a resource ---

MAKERS = {
    "the client": lambda han, admins: Client().group_memberships.create({"account": han, "group": admins}),
    "hrefs": lambda han, admins: Client().group_memberships.create(account=han.href, group=admins.href),
    "the account": lambda han, admins: han.group_memberships.create(group=admins),
    "the group": lambda han, admins: admins.account_memberships.create({"account": han}),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_membership_is_made_from_both_its_ends(han, admins, make):
    membership = make(han, admins)
    assert (membership.account, membership.group) == (han, admins)
    assert make(han, admins) is membership
    assert list(Client().group_memberships) == [membership]
    membership.delete()
    assert not admins.has_account(han)


@together(
    ("given", "error"),
    [
        ({"group": "/v1/groups/none"}, ResourceNotFound),
        ({"group": None}, PropertyRequired),
        ({}, PropertyRequired),
        ({"group": 5}, WrongType),
        ({"gruop": "x"}, UnknownProperty),
    ],
)
def test_a_membership_of_nothing_is_refused(han, given, error):
    with pytest.raises(error):
        han.group_memberships.create(given)
    assert count() == 0


def test_a_membership_across_directories_is_refused(han):
    elsewhere = Directory.create(name="Empire").groups.create(name="troopers")
    with pytest.raises(DirectoriesDiffer):
        Client().group_memberships.create(account=han, group=elsewhere)
    assert count() == 0


def test_a_membership_is_never_changed(han, admins, crew):
    membership = han.add_group(admins)
    with pytest.raises(ReadOnly):
        membership.group = crew
    with pytest.raises(ReadOnly):
        membership["group"] = crew
    assert han.has_group(admins)
