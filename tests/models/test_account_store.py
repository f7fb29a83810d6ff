"""AccountStore: a group in the place of a directory, and what ends with either."""

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, groups_required, hashers
from stormpath_app.database import database, session
from stormpath_app.errors import (
    AccountAlreadyExists,
    AccountNotFound,
    AccountStoreNotMapped,
    DefaultAccountStoreDisabled,
    DefaultGroupStoreDisabled,
    DirectoryDisabled,
    GroupDisabled,
    LoginFailed,
    LoginOutdated,
    NoDefaultGroupStore,
    PasswordRefused,
    ReadOnly,
    ResourceNotFound,
    UnknownProperty,
    WrongPassword,
)
from stormpath_app.models import AccountSession, AccountStoreMapping, Client, GroupMembership

from ..conftest import PASSWORD
from .test_event import events
from .test_session import opens, set_and_save, start

HAN, LEIA = "han@falcon.example", "leia@alderaan.example"
OTHER = "Kessel12.Parsecs"


@pytest.fixture
def application(context):
    """Return the current application, which has one account store: the group."""
    return through_a_group()


def through_a_group():
    application = Application.current()
    application.account_store_mappings[0].delete()
    group = Client().directories.create(name="Customers").groups.create(name="gold")
    application.add_account_store(group, is_default=True)
    return application


@pytest.fixture
def group(application):
    return application.account_store_mappings[0].account_store


@pytest.fixture
def directory(group):
    return group.directory


@pytest.fixture
def han(application):
    """Return a member of the group."""
    return application.accounts.create(email=HAN, password=PASSWORD, username="solo")


@pytest.fixture
def leia(directory):
    """Return an account of the directory that is not in the group."""
    return directory.accounts.create(email=LEIA, password=PASSWORD)


# --- Accounts and groups ---


def test_an_application_has_the_members_of_its_group_and_the_group(application, group, directory, han, leia):
    directory.groups.create(name="silver")
    assert list(application.accounts) == [han]
    assert list(application.groups) == [group]
    with pytest.raises(ResourceNotFound):
        application.accounts.get(leia.href)


def test_an_application_has_the_accounts_of_all_its_stores_once(application, group, directory, han, leia):
    staff = Client().directories.create(name="Staff")
    luke = staff.accounts.create(email="luke@tatooine.example", password=PASSWORD)
    pilots, silver = staff.groups.create(name="pilots"), directory.groups.create(name="silver")
    silver.add_account(han)
    for store in (staff, silver):
        application.add_account_store(store)
    assert (set(application.accounts), len(application.accounts)) == ({han, luke}, 2)
    assert set(application.groups) == {group, silver, pilots}
    application.add_account_store(directory)
    assert (set(application.accounts), len(application.accounts)) == ({han, luke, leia}, 3)
    assert set(application.groups) == {group, silver, pilots}


def test_an_application_without_stores_has_neither(application, group, han):
    application.account_store_mappings[0].delete()
    assert (list(application.accounts), list(application.groups)) == ([], [])


def test_an_account_tells_the_applications_that_let_it_in(application, directory, han, leia):
    other = Client().applications.create(name="Bar")
    assert (list(han.applications), list(leia.applications)) == ([application], [])
    other.add_account_store(directory)
    assert (set(han.applications), list(leia.applications)) == ({application, other}, [other])


# --- Creating ---


def test_an_account_is_created_in_the_directory_of_the_group_and_is_in_the_group(application, group, directory, han):
    assert (han.directory, list(group.accounts), han.has_group("gold")) == (directory, [han], True)
    created, joined = events("account.created")[-1], events("account.group_added")[-1]
    assert (created.application_id, joined.account_id, created.account_id) == (application.id, han.id, han.id)


def test_the_group_is_joined_once_and_not_again_with_a_later_change(group, han):
    group.remove_account(han)
    set_and_save(han, given_name="Han")
    assert not group.has_account(han)


@pytest.mark.parametrize(
    ("given", "error"),
    [({"email": "HAN@falcon.example"}, AccountAlreadyExists), ({"password": "short"}, PasswordRefused)],
    ids=["taken", "weak"],
)
def test_an_account_that_cannot_be_is_in_no_group(application, han, given, error):
    with pytest.raises(error):
        application.accounts.create({"email": LEIA, "password": PASSWORD, **given})
    assert session.scalar(sa.select(sa.func.count()).select_from(GroupMembership)) == 1


@pytest.mark.parametrize("name", ["group", "groups", "first_group", "came_through"])
def test_what_somebody_sends_puts_them_into_no_group(application, directory, name):
    directory.groups.create(name="admins")
    for create in (application.accounts.create, directory.accounts.create, application.create_account):
        with pytest.raises((UnknownProperty, ReadOnly)):
            create(email=HAN, password=PASSWORD, **{name: "admins"})
        with pytest.raises((UnknownProperty, ReadOnly)):
            create({"email": HAN, "password": PASSWORD, name: "admins"})
    assert len(Client().accounts) == 0


def test_an_account_that_cannot_join_is_not_created(app, application, group):
    store = application.default_account_store()
    with app.app_context():
        Application.current().default_account_store().delete()
    with pytest.raises(ResourceNotFound):
        store.create_account(email=HAN, password=PASSWORD)
    assert len(Client().accounts) == 0


@pytest.mark.parametrize("closed", ["group", "directory"])
def test_nothing_is_created_in_a_group_that_is_closed(application, group, closed):
    set_and_save(group if closed == "group" else group.directory, status="disabled")
    with pytest.raises(DefaultAccountStoreDisabled):
        application.accounts.create(email=HAN, password=PASSWORD)


def test_new_groups_go_to_a_directory_alone(application, directory):
    with pytest.raises(NoDefaultGroupStore):
        application.groups.create(name="silver")
    mapping = application.add_account_store(directory)
    set_and_save(mapping, is_default_group_store=True)
    assert application.groups.create(name="silver").directory is directory
    set_and_save(directory, status="disabled")
    with pytest.raises(DefaultGroupStoreDisabled):
        application.groups.create(name="bronze")


def test_a_group_has_the_password_policy_of_its_directory(group, directory):
    assert group.password_policy is directory.password_policy


# --- Logging in ---


def refusal(application, login, password=PASSWORD, **more):
    with pytest.raises(LoginFailed, match=r"^Invalid username or password\.$") as caught:
        application.authenticate_account(login, password, **more)
    return type(caught.value)


def test_a_member_is_let_in_and_nobody_else_of_the_directory(application, group, han, leia):
    for login in (HAN, "SOLO"):
        assert application.authenticate_account(login, PASSWORD).account is han
    assert refusal(application, HAN, OTHER) is WrongPassword
    assert refusal(application, LEIA) is AccountNotFound
    group.add_account(leia)
    assert application.authenticate_account(LEIA, PASSWORD).account is leia
    group.remove_account(leia)
    assert refusal(application, LEIA) is AccountNotFound


def test_who_is_in_the_directory_alone_costs_a_hash_like_a_stranger(application, leia, monkeypatch):
    hashed = []
    monkeypatch.setattr(hashers, "verify", lambda _password, stored, _cost: hashed.append(stored))
    for login in (LEIA, "nobody"):
        assert refusal(application, login) is AccountNotFound
    assert hashed == [None, None]


def test_the_first_store_whose_account_has_the_login_decides(application, group, han, leia):
    staff = Client().directories.create(name="Staff")
    twins = {name: staff.accounts.create(email=name, password=OTHER) for name in (HAN, LEIA)}
    application.add_account_store(staff)
    assert refusal(application, HAN, OTHER) is WrongPassword
    assert application.authenticate_account(LEIA, OTHER).account is twins[LEIA]
    set_and_save(application.account_store_mappings[1], list_index=0)
    assert application.authenticate_account(HAN, OTHER).account is twins[HAN]


def test_a_disabled_group_lets_nobody_in_through_it_but_another_store_does(application, group, directory, han):
    set_and_save(group, status="disabled")
    assert refusal(application, HAN) is AccountNotFound
    mapping = application.add_account_store(directory)
    assert application.authenticate_account(HAN, PASSWORD).account is han
    mapping.delete()
    silver = directory.groups.create(name="silver")
    silver.add_account(han)
    application.add_account_store(silver)
    assert application.authenticate_account(HAN, PASSWORD).account is han


def given_as(store):
    return [store, store.href, "https://old.example" + store.href, store.name, store.name.upper()]


def test_a_store_that_is_named_is_asked_alone(application, group, directory, han, leia):
    staff = Client().directories.create(name="Staff")
    twin = staff.accounts.create(email=HAN, password=OTHER)
    application.add_account_store(staff)
    for named in given_as(staff):
        assert application.authenticate_account(HAN, OTHER, account_store=named).account is twin
        assert application.find_account(HAN, account_store=named) is twin
    for named in given_as(group):
        assert application.authenticate_account(HAN, PASSWORD, account_store=named).account is han
        assert refusal(application, HAN, OTHER, account_store=named) is WrongPassword
        assert refusal(application, LEIA, account_store=named) is AccountNotFound


def test_a_store_that_is_named_and_not_mapped_is_not_asked(application, directory, han):
    silver = directory.groups.create(name="silver")
    silver.add_account(han)
    for store in (directory, silver):
        for named in given_as(store):
            assert refusal(application, HAN, account_store=named) is AccountStoreNotMapped
    for named in ("nobody", "/v1/directories/nobody", "\0", ""):
        assert refusal(application, HAN, account_store=named) is AccountStoreNotMapped
    for named in (5, han, {"href": directory.href}):
        with pytest.raises(TypeError):
            application.authenticate_account(HAN, PASSWORD, account_store=named)


def test_why_a_store_that_is_named_is_closed_stands_in_the_log_alone(application, group, directory, han):
    set_and_save(group, status="disabled")
    assert refusal(application, HAN, account_store=group) is GroupDisabled
    set_and_save(directory, status="disabled")
    assert refusal(application, HAN, account_store=group) is DirectoryDisabled
    set_and_save(group, status="enabled")
    assert refusal(application, HAN, account_store=group) is DirectoryDisabled
    assert [event.data["code"] for event in events("login.failed")] == [7105, 7106, 7106]


def test_two_applications_tell_no_stranger_who_is_in_the_directory_and_not_in_the_group(
    application, directory, leia, held_clock
):
    other = Client().applications.create(name="Bar")
    other.add_account_store(directory)
    silver = directory.groups.create(name="silver")
    application.add_account_store(silver, list_index=0)
    set_and_save(silver, status="disabled")

    def told(asked, login):
        with pytest.raises(LoginFailed) as caught:
            asked.authenticate_account(login, OTHER)
        return caught.value.code

    for login in (LEIA, "nobody@alderaan.example"):
        assert [told(asked, login) for asked in (application,) * 5 + (other,)] == [7104] * 5 + [429]


# --- Doors ---


@pytest.fixture
def doors(app, client, register, log_in):
    """Return the browser of Leia, who registered through the group; no app context is open."""
    app.add_url_rule("/gold", "gold", groups_required(["gold"])(lambda: "Hello gold"))
    with app.app_context():
        through_a_group()
    assert register(client).status_code == 302
    return client


def change(app, work):
    with app.app_context():
        leia = Client().directories.get(Application.current().account_store_mappings[0].directory_id)
        work(leia.find_account(LEIA))


def test_who_registers_through_a_group_is_in_it(doors):
    assert doors.get("/secret").text == "Hello Leia"
    assert doors.get("/gold").text == "Hello gold"


CLOSINGS = {
    "leaving the group": lambda leia: leia.remove_group("gold"),
    "deleting the membership": lambda leia: next(iter(leia.group_memberships)).delete(),
    "disabling the group": lambda leia: set_and_save(leia.directory.find_group("gold"), status="disabled"),
    "taking the group away": lambda _leia: Application.current().account_store_mappings[0].delete(),
    "deleting the group": lambda leia: leia.directory.find_group("gold").delete(),
    "disabling the directory": lambda leia: set_and_save(leia.directory, status="disabled"),
    "deleting the directory": lambda leia: leia.directory.delete(),
}


@pytest.mark.parametrize("close", CLOSINGS.values(), ids=CLOSINGS)
def test_a_member_is_let_in_no_more_after(app, doors, log_in, close):
    change(app, close)
    with app.app_context():
        assert session.scalar(sa.select(sa.func.count()).select_from(AccountSession)) == 0
    assert doors.get("/secret").status_code == doors.get("/gold").status_code == 302
    assert "Invalid username or password" in log_in(doors, LEIA).text


@pytest.mark.parametrize("table", ["groups", "directories", "applications", "accounts"])
def test_a_member_is_let_in_no_more_after_what_is_disabled_past_us(app, doors, table):
    with app.app_context(), database.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE stormpath_{table} SET status = 'DISABLED'")
    assert doors.get("/secret").status_code == 302


@pytest.mark.parametrize("table", ["group_memberships", "account_store_mappings"])
def test_a_member_is_let_in_no_more_after_what_is_deleted_past_us(app, doors, table):
    with app.app_context(), database.engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM stormpath_{table}")
    assert doors.get("/secret").status_code == 302


# --- What ends a login ---


def test_no_login_begins_of_who_is_not_in_the_group(app, application, group, han, leia):
    with pytest.raises(LoginOutdated):
        start(leia)
    with app.app_context():
        set_and_save(Application.current().default_account_store(), status="disabled")
    with pytest.raises(LoginOutdated):
        start(han)


@pytest.mark.parametrize("close", list(CLOSINGS)[:5])
def test_a_login_goes_on_where_another_store_lets_the_account_in(application, directory, han, close):
    application.add_account_store(directory)
    token = start(han)
    CLOSINGS[close](han)
    assert opens(token)


@pytest.mark.parametrize("close", list(CLOSINGS)[:5])
def test_a_login_of_another_member_or_application_goes_on(context, application, group, directory, han, leia, close):
    bar = Client().applications.create(name="Bar")
    bar.add_account_store(directory)
    elsewhere = start(han, bar)
    CLOSINGS[close](han)
    context.config["STORMPATH_APPLICATION"] = "Bar"
    assert opens(elsewhere)


def test_a_login_that_ended_with_the_membership_stays_so_when_it_is_back(group, han):
    token = start(han)
    group.remove_account(han)
    group.add_account(han)
    assert not opens(token)
    assert opens(start(han))


def test_leaving_a_group_that_is_no_store_ends_nothing(directory, han):
    silver = directory.groups.create(name="silver")
    silver.add_account(han)
    token = start(han)
    silver.remove_account(han)
    set_and_save(silver, status="disabled")
    silver.delete()
    assert opens(token)


def test_taking_a_directory_away_leaves_those_in_who_are_in_a_group_that_stays(application, directory, han, leia):
    mapping = application.add_account_store(directory)
    tokens = start(han), start(leia)
    mapping.delete()
    assert [opens(token) for token in tokens] == [True, False]


# --- Deleting ---


def test_a_deleted_group_leaves_its_accounts_and_no_mapping(application, group, han):
    staff = Client().directories.create(name="Staff")
    application.add_account_store(staff)
    group.delete()
    assert [(m.account_store, m.list_index) for m in application.account_store_mappings] == [(staff, 0)]
    assert Account.get(han.id).directory.name == "Customers"
    assert application.default_account_store_mapping is None


def test_a_deleted_directory_takes_its_place_and_those_of_its_groups_along(application, group, directory, han):
    staff = Client().directories.create(name="Staff")
    for store in (directory, staff):
        application.add_account_store(store)
    directory.delete()
    session.expire_all()
    assert [(m.account_store, m.list_index) for m in application.account_store_mappings] == [(staff, 0)]
    assert session.scalar(sa.select(sa.func.count()).select_from(AccountStoreMapping)) == 1 + 1  # the console's


def test_a_deleted_application_leaves_its_group(application, group, han):
    application.delete()
    assert list(group.accounts) == [han]
    assert list(group.applications) == []
