"""Many at once: threads and processes that want one name, and changes made from an old copy."""

import contextlib
import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import bcrypt
import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, User
from stormpath_app.database import session
from stormpath_app.errors import ChangedMeanwhile, ResourceNotFound
from stormpath_app.models import AccountSession, Client, GroupMembership, LoginName, Tenant
from stormpath_app.transactions import atomic, release

from ..conftest import PASSWORD, make_app
from .test_event import events

OTHER = "Kessel12.Parsecs"
EMAIL = "leia@alderaan.example"


@pytest.fixture
def leia(app):
    """Return the id of an account; no app context is open."""
    with app.app_context():
        return Account.create(EMAIL, PASSWORD, "Leia").id


def outcome(work, *arguments):
    """Return what came of it: "done", or the name of the error."""
    try:
        work(*arguments)
    except Exception as error:
        return type(error).__name__
    return "done"


def at_once(app, work, *each):
    """Do the work in as many threads as there are arguments, at one moment; return what came of each, sorted."""
    barrier = threading.Barrier(len(each))

    def run(argument):
        with app.app_context():
            Application.current()
            release()  # there are fewer connections than threads
            barrier.wait(60)
            return outcome(work, argument)

    with ThreadPoolExecutor(len(each)) as pool:
        return sorted(pool.map(run, each))


def create(names):
    Application.current().accounts.create({"email": EMAIL, "password": PASSWORD, **names})


def has_one_account(app):
    with app.app_context():
        assert len(Application.current().accounts) == 1
        assert len(events("account.created")) == 1
        (account,) = Application.current().accounts
        assert set(session.scalars(sa.select(LoginName.account_id))) == {account.id}
    return True


@pytest.mark.parametrize(
    "names",
    [
        [{"email": EMAIL}] * 8,
        [{"email": EMAIL}, {"email": EMAIL.upper()}] * 4,
        [{"email": f"{number}@alderaan.example", "username": "leia"} for number in range(8)],
    ],
    ids=["one address", "two spellings", "one username"],
)
def test_of_threads_that_want_one_name_one_gets_it(app, names):
    assert at_once(app, create, *names) == ["AccountAlreadyExists"] * 7 + ["done"]
    assert has_one_account(app)


_barrier = None


def _enter(barrier):
    global _barrier
    _barrier = barrier


def _create_in_process(instance):
    app = make_app(Path(instance))
    with app.app_context():
        _barrier.wait(60)
        return outcome(create, {})


def test_of_processes_that_want_one_address_one_gets_it(app, instance):
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(4)
    with ProcessPoolExecutor(4, spawn, _enter, (barrier,)) as pool:
        outcomes = sorted(pool.map(_create_in_process, [str(instance)] * 4))
    assert outcomes == ["AccountAlreadyExists"] * 3 + ["done"]
    assert has_one_account(app)


def _make_and_join_in_process(instance):
    app = make_app(Path(instance))
    with app.app_context():
        _barrier.wait(60)
        made = outcome(Application.current().groups.create, {"name": "crew"})
        return made, outcome(join, "crew")


def test_processes_that_make_one_group_and_join_it_make_one_group_and_one_membership(app, leia, instance):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, spawn, _enter, (spawn.Barrier(4),)) as pool:
        outcomes = sorted(pool.map(_make_and_join_in_process, [str(instance)] * 4))
    assert outcomes == [("AlreadyExists", "done")] * 3 + [("done", "done")]
    assert is_in_once(app)


def test_of_threads_that_change_to_one_address_one_gets_it(app):
    with app.app_context():
        ids = [Account.create(f"{number}@alderaan.example", PASSWORD).id for number in range(8)]

    def move(account_id):
        account = Account.get(account_id)
        account.email = EMAIL
        account.save()

    assert at_once(app, move, *ids) == ["AccountAlreadyExists"] * 7 + ["done"]
    with app.app_context():
        assert session.scalar(sa.select(sa.func.count()).select_from(LoginName)) == 8


NAMED = {
    "applications": lambda: Client().applications,
    "directories": lambda: Client().directories,
    "groups": lambda: Application.current().groups,
}


@pytest.mark.parametrize("kind", NAMED)
def test_of_threads_that_want_one_name_for_a_resource_one_gets_it(app, kind):
    outcomes = at_once(app, lambda name: NAMED[kind]().create(name=name), *["Shop", "SHOP"] * 4)
    assert outcomes == ["AlreadyExists"] * 7 + ["done"]


def join(group):
    Application.current().find_account(EMAIL).add_group(group)


def is_in_once(app):
    with app.app_context():
        assert session.scalar(sa.select(sa.func.count()).select_from(GroupMembership)) == 1
        assert len(events("account.group_added")) == 1
        assert Application.current().find_account(EMAIL).has_group("crew")
    return True


def test_threads_that_put_one_account_into_one_group_make_one_membership(app, leia):
    with app.app_context():
        href = Application.current().groups.create(name="crew").href
    assert at_once(app, join, *["crew", "CREW", href] * 10) == ["done"] * 30
    assert is_in_once(app)


def test_of_threads_that_take_one_account_out_of_a_group_one_does(app, leia):
    with app.app_context():
        Application.current().groups.create(name="crew").add_account(EMAIL)
    outcomes = at_once(app, lambda _: Account.get(leia).remove_group("crew"), *range(8))
    assert outcomes == ["ResourceNotFound"] * 7 + ["done"]
    with app.app_context():
        assert len(events("account.group_removed")) == 1


def test_threads_that_come_and_go_leave_no_half_of_it(app, leia):
    def come_and_go(_):
        account = Account.get(leia)
        account.add_group("crew")
        with contextlib.suppress(ResourceNotFound):
            account.remove_group("crew")

    with app.app_context():
        Application.current().groups.create(name="crew")
    assert at_once(app, come_and_go, *range(8)) == ["done"] * 8
    with app.app_context():
        there = len(Account.get(leia).group_memberships)
        assert len(events("account.group_added")) - len(events("account.group_removed")) == there == 0


def test_who_is_added_while_the_group_is_deleted_is_in_no_group(app, leia):
    with app.app_context():
        Application.current().groups.create(name="crew")

    def delete_or_join(number):
        if number == 0:
            Application.current().default_group_store().get_group("crew").delete()
        else:
            join("crew")

    assert set(at_once(app, delete_or_join, *range(8))) <= {"done", "ResourceNotFound"}
    with app.app_context():
        assert session.scalar(sa.select(sa.func.count()).select_from(GroupMembership)) == 0


def test_threads_that_want_different_things_all_get_them(app):
    assert at_once(app, lambda name: create({"email": f"{name}@x.example"}), *range(8)) == ["done"] * 8


def test_logins_at_once_are_let_in_as_far_as_wrong_ones_would_be_free_and_all_logged(app, leia):
    assert at_once(app, lambda _: User.from_login(EMAIL, PASSWORD), *range(5)) == ["done"] * 5
    with app.app_context():
        assert len(events("login.succeeded")) == 5


# --- From an old copy ---


@pytest.mark.parametrize(
    ("meanwhile", "then"),
    [
        (lambda account: _set(account, given_name="Padmé"), lambda account: _set(account, surname="Organa")),
        (lambda account: _set(account, given_name="Padmé"), lambda account: _set(account, password=OTHER)),
        (lambda account: _set(account, given_name="Padmé"), lambda account: account.delete()),
        (lambda account: account.delete(), lambda account: _set(account, surname="Organa")),
        (lambda account: account.delete(), lambda account: account.delete()),
    ],
    ids=["two names", "a password", "deleted after", "deleted before", "deleted twice"],
)
def test_a_change_from_an_old_copy_is_refused_and_writes_nothing(app, leia, meanwhile, then):
    with app.app_context():
        account = Account.get(leia)
        with app.app_context():
            meanwhile(Account.get(leia))
            logged = len(events())
        with pytest.raises(ChangedMeanwhile) as caught:
            then(account)
        assert (caught.value.status, caught.value.code) == (409, 409)
    with app.app_context():
        assert len(events()) == logged
        left = Account.find(leia)
        assert left is None or (left.given_name, left.surname) == ("Padmé", None)


def test_a_change_can_be_repeated_once_it_is_loaded_again(app, leia):
    with app.app_context():
        account = Account.get(leia)
        with app.app_context():
            _set(Account.get(leia), given_name="Padmé")
        account.surname = "Organa"
        with pytest.raises(ChangedMeanwhile):
            account.save()
        account.refresh()
        _set(account, surname="Organa")
        assert account.full_name == "Padmé Organa"


def test_no_account_is_created_in_a_directory_that_is_gone_meanwhile(app):
    with app.app_context():
        store = Application.current().default_account_store()
        with app.app_context():
            Application.current().default_account_store().delete()
        assert outcome(store.accounts.create, {"email": EMAIL, "password": PASSWORD}) != "done"
    with app.app_context():
        assert len(Client().accounts) == session.scalar(sa.select(sa.func.count()).select_from(AccountSession)) == 0


@pytest.mark.parametrize("change", [{"password": OTHER}, {"status": "DISABLED"}], ids=str)
def test_a_login_is_decided_by_what_is_true_now_and_not_by_what_was_loaded(app, leia, change):
    with app.app_context():
        Application.current().find_account(EMAIL)
        with app.app_context():
            _set(Account.get(leia), **change)
        assert outcome(User.from_login, EMAIL, PASSWORD) in {"WrongPassword", "AccountDisabled"}


def _set(account, **values):
    for name, value in values.items():
        setattr(account, name, value)
    account.save()


# --- Nobody waits for a hash ---


@pytest.mark.parametrize(
    "work",
    [
        lambda account: Account.create("han@falcon.example", OTHER),
        lambda account: User.from_login(EMAIL, PASSWORD),
        lambda account: outcome(User.from_login, EMAIL, OTHER),
        lambda account: outcome(User.from_login, "nobody", OTHER),
        lambda account: account.check_password(PASSWORD),
        lambda account: _set(account, password=OTHER),
    ],
    ids=["create", "log in", "wrong password", "unknown login", "check", "new password"],
)
def test_others_write_while_a_password_is_hashed(app, leia, outside, work, monkeypatch):
    def somebody_writes(*arguments):
        with outside.begin() as connection:
            connection.execute(sa.update(Tenant.__table__).values(name=Tenant.name + "!"))
        return hashpw(*arguments)

    hashpw = bcrypt.hashpw
    monkeypatch.setattr(bcrypt, "hashpw", somebody_writes)
    with app.app_context():
        work(Account.get(leia))
    with app.app_context(), atomic():
        assert Client().tenant.name.startswith("My Tenant!")
