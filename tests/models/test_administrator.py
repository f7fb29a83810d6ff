"""Administrators: who may use the console, what each may do there, and the last owner, who stays."""

import threading

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory, Group, origin
from stormpath_app.database import database, session
from stormpath_app.errors import (
    AccountAlreadyExists,
    ChangedMeanwhile,
    Conflict,
    LastOwner,
    PasswordRefused,
    Protected,
    ResourceNotFound,
    UnsupportedValue,
)
from stormpath_app.installation import set_up
from stormpath_app.models import Administrator, AuditEvent, Client, administrator
from stormpath_app.models.administration import MANAGER, OWNER, ROLES, SUPPORT, VIEWER

from ..conftest import PASSWORD, make_app
from ..test_installation import problems
from ..together import together

pytestmark = pytest.mark.settings(STORMPATH_ADMIN_URL="/admin")

LEIA, HAN = "leia@alderaan.example", "han@falcon.example"


@pytest.fixture
def leia(context):
    """Return the only owner."""
    return Administrator.create(LEIA, PASSWORD, OWNER, given_name="Leia", surname="Organa")


@pytest.fixture
def han(context):
    """Return another administrator."""
    return Administrator.create(HAN, PASSWORD, SUPPORT)


def again(found):
    """Return an administrator as it is in the database; None: it is none."""
    session.expire_all()
    return Administrator.of(Account.get(found.account.href))


# --- Roles ---


def test_each_role_may_do_what_those_before_it_may(leia):
    for place, role in enumerate(ROLES):
        Administrator.grant(leia.account, OWNER)
        other = Administrator.create(f"{role}@alderaan.example", PASSWORD, role)
        assert [other.may(one) for one in ROLES] == [number <= place for number in range(len(ROLES))]


def test_the_role_is_the_highest_group_that_the_account_is_in(han):
    han.account.add_group(MANAGER)
    assert again(han).role == MANAGER
    han.account.remove_group(MANAGER)
    assert again(han).role == SUPPORT


def test_an_account_without_a_role_is_no_administrator(leia, han):
    han.revoke()
    assert again(han) is None
    with pytest.raises(ResourceNotFound, match="does not exist"):
        Administrator.get(han.account.href)
    assert Administrator.get(leia.account.href).role == OWNER


def test_a_group_of_that_name_in_another_directory_makes_no_administrator(context):
    luke = Account.create("luke@tatooine.example", PASSWORD)
    luke.directory.groups.create(name=OWNER).add_account(luke)
    assert Administrator.of(luke) is None


def test_another_role_takes_the_place_of_the_one_before_and_is_in_the_log(leia, han):
    with origin.acting(origin.Origin(actor=leia.account.id, interface="admin")):
        Administrator.grant(han.account, MANAGER)
    assert again(han).role == MANAGER
    assert [group.name for group in han.account.groups] == [MANAGER]
    written = session.scalars(
        sa.select(AuditEvent).where(AuditEvent.account_id == han.account.id).order_by(AuditEvent.id.desc()).limit(2)
    ).all()
    assert {(one.kind, one.target_name, one.actor_id, one.interface) for one in written} == {
        ("account.group_added", MANAGER, leia.account.id, "admin"),
        ("account.group_removed", SUPPORT, leia.account.id, "admin"),
    }


def test_a_role_that_there_is_not_is_refused(han):
    with pytest.raises(UnsupportedValue, match="one of: viewer, support, manager, owner"):
        Administrator.grant(han.account, "emperor")


def test_an_administrator_that_cannot_be_leaves_nothing_behind(leia):
    for address, password, error in (
        (LEIA.upper(), PASSWORD, AccountAlreadyExists),
        (HAN, "short", PasswordRefused),
    ):
        with pytest.raises(error):
            Administrator.create(address, password, OWNER)
    assert [account.email for account in administrator.directory().accounts] == [LEIA]


# --- Limits ---


def test_an_administrator_may_be_limited_to_directories_and_one_that_is_gone_leaves_none(han):
    rebels = Directory.create(name="Rebels")
    Administrator.grant(han.account, SUPPORT, directories=[rebels])
    assert again(han).directory_ids == {rebels.id}
    gone = rebels.id
    rebels.delete()
    assert again(han).directory_ids == {gone}
    Administrator.grant(han.account, SUPPORT, directories=[])
    assert again(han).directory_ids == frozenset()
    Administrator.grant(han.account, SUPPORT)
    assert again(han).directory_ids is None


def test_limits_are_in_the_log_and_an_owner_has_none(han):
    rebels = Directory.create(name="Rebels")
    Administrator.grant(han.account, SUPPORT, directories=[rebels])
    assert Administrator.grant(han.account, OWNER, directories=[rebels]).directory_ids is None
    assert again(han).directory_ids is None
    told = session.scalars(
        sa.select(AuditEvent).where(AuditEvent.kind == "administrator.limited").order_by(AuditEvent.id)
    ).all()
    assert [one.data["directories"] for one in told] == [[None, [rebels.id]], [[rebels.id], None]]


def test_limits_go_with_the_account(leia, han):
    Administrator.grant(han.account, SUPPORT, directories=[])
    han.account.delete()
    assert session.scalars(sa.select(administrator.AdministratorLimit)).all() == []


# --- The last owner ---


ENDS = {
    "another role": lambda owner: Administrator.grant(owner.account, VIEWER),
    "no role": lambda owner: owner.revoke(),
    "out of the group": lambda owner: owner.account.remove_group(OWNER),
    "by the group": lambda owner: owner.account.directory.find_group(OWNER).remove_account(owner.account),
    "disabled": lambda owner: _disable(owner.account),
    "unverified": lambda owner: _disable(owner.account, "UNVERIFIED"),
    "deleted": lambda owner: owner.account.delete(),
}


def _disable(account, status="DISABLED"):
    account.status = status
    account.save()


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_last_owner_stays(leia, han, end):
    with pytest.raises(LastOwner, match="Make somebody else an owner first"):
        end(leia)
    assert again(leia).role == OWNER
    assert again(leia).account.status == "ENABLED"


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_an_owner_may_go_where_another_one_is(leia, han, end):
    Administrator.grant(han.account, OWNER)
    end(leia)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_an_owner_who_is_disabled_does_not_count(leia, han, end):
    Administrator.grant(han.account, OWNER)
    _disable(han.account)
    with pytest.raises(LastOwner):
        end(leia)


def test_who_is_no_owner_may_go(leia, han):
    han.account.delete()
    assert [account.email for account in administrator.directory().accounts] == [LEIA]


def test_two_owners_who_demote_each_other_at_once_leave_one(app):
    with app.app_context():
        ids = [Administrator.create(address, PASSWORD, OWNER).account.id for address in (LEIA, HAN)]
    begin, done = threading.Barrier(2), []

    def demote(account_id):
        with app.app_context():
            account = Account.get(account_id)
            begin.wait()
            try:
                Administrator.grant(account, VIEWER)
                done.append("demoted")
            except (LastOwner, ChangedMeanwhile, Conflict) as error:
                done.append(type(error).__name__)

    threads = [threading.Thread(target=demote, args=(one,)) for one in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["LastOwner", "demoted"]
    with app.app_context():
        assert administrator.exist()


# --- What belongs to the console ---


def _rename(resource):
    resource.name = "Mine"
    resource.save()


CHANGES = {
    "application renamed": lambda: _rename(administrator.console()),
    "application disabled": lambda: _disable(administrator.console()),
    "application deleted": lambda: administrator.console().delete(),
    "directory renamed": lambda: _rename(administrator.directory()),
    "directory disabled": lambda: _disable(administrator.directory()),
    "directory deleted": lambda: administrator.directory().delete(),
    "role renamed": lambda: _rename(administrator.directory().find_group(OWNER)),
    "role disabled": lambda: _disable(administrator.directory().find_group(VIEWER)),
    "role deleted": lambda: administrator.directory().find_group(OWNER).delete(),
    "mapping deleted": lambda: next(iter(administrator.console().account_store_mappings)).delete(),
    "other store": lambda: administrator.console().add_account_store(Application.current().default_account_store()),
    "role as store": lambda: Application.current().add_account_store(administrator.directory().find_group(OWNER)),
}


@together("change", CHANGES.values(), ids=CHANGES)
def test_what_the_console_needs_stays_as_it_is(context, change):
    with pytest.raises(Protected):
        change()
    session.rollback()
    assert administrator.missing() is None


def test_the_directory_of_the_administrators_may_be_a_sites_too(context):
    mapping = Application.current().add_account_store(administrator.directory())
    mapping.delete()
    assert administrator.missing() is None


def test_what_it_tells_may_be_changed_and_groups_that_are_no_roles_are_anybodys(context):
    application, home = administrator.console(), administrator.directory()
    for one in (application, home, home.find_group(OWNER)):
        one.description = "Ours"
        one.save()
    crew = home.groups.create(name="crew")
    _rename(crew)
    crew.delete()


def test_a_groups_name_means_the_hosts_own_and_never_a_role(context):
    assert Group.named(SUPPORT) is None
    ours = Application.current().default_account_store().groups.create(name=SUPPORT)
    assert Group.named(SUPPORT) is ours
    Application.current().add_account_store(SUPPORT)


# --- Setting up ---


def test_a_database_from_before_the_console_is_told_and_mended(app):
    with app.app_context():
        with database.engine.begin() as connection:
            for table in ("account_store_mappings", "groups"):
                connection.exec_driver_sql(f"DELETE FROM stormpath_{table}")
            connection.exec_driver_sql("DELETE FROM stormpath_applications WHERE name_key = 'stormpath'")
        told = ("warning", "The console has not all it needs in the database yet. Run `flask stormpath init`.")
        assert told in problems(app)
        set_up(app)
        session.expire_all()
        assert told not in problems(app)
        assert administrator.missing() is None
        app.config["STORMPATH_ADMIN_URL"] = None


def test_without_a_console_nothing_is_missing(tmp_path):
    app = make_app(tmp_path, STORMPATH_ADMIN_URL=None)
    set_up(app)
    with app.app_context():
        with database.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM stormpath_account_store_mappings")
        assert not [sentence for _level, sentence in problems(app) if "console" in sentence]
        database.engine.dispose()


def test_no_site_may_have_the_consoles_name(tmp_path):
    app = make_app(tmp_path, STORMPATH_APPLICATION=" STORMPATH ")
    with pytest.raises(Exception, match="give yours another one"):
        set_up(app)
    assert any("give yours another one" in sentence for level, sentence in problems(app) if level == "error")


def test_an_application_that_is_missing_is_told_without_the_consoles(context):
    assert "'Stormpath'" not in Application.missing()
    assert [one.name for one in Client().applications] == ["My Application", "Stormpath"]
