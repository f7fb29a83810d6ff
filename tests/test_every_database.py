"""What must be the same on SQLite, PostgreSQL and MariaDB."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from stormpath_app import Account, Application, groups_required, hashers, login_user
from stormpath_app.database import database, session
from stormpath_app.errors import AccountAlreadyExists, ChangedMeanwhile, LoginFailed, TooManyAttempts, WrongPassword
from stormpath_app.installation import downgrade_schema, schema_revision, set_up, upgrade_schema
from stormpath_app.migrations import VERSION_TABLE, is_of_the_models
from stormpath_app.models import AccountSession, AuditEvent, Base, GroupMembership, LoginName

from .conftest import PASSWORD, make_app, statements

EMAIL = "leia@alderaan.example"
MANY = 12


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def app(request, tmp_path):
    """Return an app on a database of its own, set up."""
    uri = None if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_server").new_database()
    marks = request.node.iter_markers("settings")
    settings = {name: value for mark in marks for name, value in mark.kwargs.items()}
    app = make_app(tmp_path, STORMPATH_DATABASE_URI=uri, **settings)
    set_up(app)
    yield app
    with app.app_context():
        database.engine.dispose()


def at_once(app, work):
    """Do the work in many threads at one moment; return what each returned, or the class of its error."""
    barrier = threading.Barrier(MANY)

    def run(number):
        with app.app_context():
            Application.current()
            barrier.wait()
            try:
                return work(number)
            except Exception as error:
                return type(error)

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(run, range(MANY)))


def create(_number=0, **more):
    return Application.current().accounts.create({"email": EMAIL, "password": PASSWORD, **more}).id


def test_the_migrations_make_the_tables_that_the_models_know(app):
    with app.app_context(), database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": VERSION_TABLE,
                "compare_type": True,
                "include_name": is_of_the_models,
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_can_be_taken_back_and_made_again(app):
    with app.app_context():
        create()
        downgrade_schema("base")
        assert schema_revision() is None
        assert set(sa.inspect(database.engine).get_table_names()) == {VERSION_TABLE}
        upgrade_schema()
    set_up(app)
    with app.app_context():
        assert create()


def test_a_person_registers_looks_and_leaves(app, client, register, log_in):
    assert register(client).status_code == 302
    with statements(app) as seen:
        assert client.get("/secret").text == "Hello Leia"
    assert len(seen) == 1
    client.get("/logout")
    assert client.get("/secret").status_code == 302
    assert log_in(client, EMAIL.upper()).status_code == 302
    assert client.get("/secret").text == "Hello Leia"


def test_of_many_who_want_one_address_one_gets_it(app):
    found = at_once(app, create)
    assert sorted(map(str, found)).count(str(AccountAlreadyExists)) == MANY - 1
    with app.app_context():
        assert session.scalars(sa.select(LoginName.name_key)).all() == [EMAIL]
        assert session.scalar(sa.select(sa.func.count()).where(AuditEvent.kind == "account.created")) == 1


def test_names_that_differ_by_an_accent_are_two_and_by_case_are_one(app):
    with app.app_context():
        create(username="josé")
        create(username="jose", email="other@alderaan.example")
        with pytest.raises(AccountAlreadyExists):
            create(username="JOSÉ", email="third@alderaan.example")
        assert Application.current().find_account("José").email == EMAIL


def test_a_change_made_from_an_old_copy_is_refused(app):
    with app.app_context():
        leia = Account.get(create())
        with app.app_context():
            other = Account.get(leia.id)
            other.given_name = "Leia"
            other.save()
        leia.given_name = "General"
        with pytest.raises(ChangedMeanwhile):
            leia.save()


def test_an_account_that_is_deleted_leaves_no_login_and_no_name(app, client, register):
    register(client)
    with app.app_context():
        Application.current().find_account(EMAIL).delete()
        tables = (Account, LoginName, AccountSession)
        assert [session.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables] == [0, 0, 0]
        assert create()


def test_a_directory_that_is_deleted_takes_its_accounts_along(app):
    with app.app_context():
        create()
        Application.current().default_account_store_mapping.account_store.delete()
        assert session.scalar(sa.select(sa.func.count()).select_from(Account)) == 0


def test_logins_at_the_same_moment_get_in_and_are_all_in_the_log(app):
    people = [f"{number}@alderaan.example" for number in range(MANY)]
    with app.app_context():
        for email in people:
            create(email=email)

    def log_in(number):
        return Application.current().authenticate_account(people[number], PASSWORD).account.email

    assert at_once(app, log_in) == people
    with app.app_context():
        assert session.scalar(sa.select(sa.func.count()).where(AuditEvent.kind == "login.succeeded")) == MANY
        with pytest.raises(LoginFailed):
            Application.current().authenticate_account(people[0], "wrong")


def test_nobodys_first_login_is_in_the_way_of_another(app):
    with app.app_context():
        people = [create(email=f"{number}@alderaan.example") for number in range(MANY)]

    def enter(number):
        with app.test_request_context():
            return login_user(Account.get(people[number]))

    assert at_once(app, enter) == [True] * MANY
    with app.app_context():
        assert session.scalar(sa.select(sa.func.count()).select_from(AccountSession)) == MANY


@pytest.mark.settings(STORMPATH_THROTTLE={"free_failures": 3})
def test_of_many_who_guess_at_once_few_get_as_far_as_a_hash(app, monkeypatch):
    hashed = []
    monkeypatch.setattr(hashers, "verify", lambda *_: hashed.append(1))
    with app.app_context():
        create()

    def guess(_number):
        Application.current().authenticate_account(EMAIL, "wrong")

    found = at_once(app, guess)
    assert (found.count(WrongPassword), found.count(TooManyAttempts), len(hashed)) == (3, MANY - 3, 3)


def test_of_many_who_join_a_group_at_once_each_is_told_of_the_one_membership(app):
    with app.app_context():
        leia = create()
        Application.current().groups.create(name="rebels")
    found = at_once(app, lambda _number: Account.get(leia).add_group("rebels").id)
    assert len(set(found)) == 1
    with app.app_context():
        assert session.scalars(sa.select(GroupMembership.id)).all() == [found[0]]


def test_a_view_for_a_group_costs_no_statement_more_and_sees_who_left(app, client, register):
    app.add_url_rule("/rebels", "rebels", groups_required(["Rebels", "pilots"])(lambda: "Hello rebel"))
    register(client)
    assert client.get("/rebels").status_code == 302
    with app.app_context():
        leia = Application.current().find_account(EMAIL)
        for name in ("rebels", "pilots"):
            leia.add_group(Application.current().groups.create(name=name))
    with statements(app) as seen:
        assert client.get("/rebels").text == "Hello rebel"
    assert len(seen) == 1
    with app.app_context():
        Application.current().find_account(EMAIL).remove_group("pilots")
    assert client.get("/rebels").status_code == 302


def test_a_device_that_comes_back_goes_on_with_another_token(app, client, register):
    register(client)
    old = client.get_cookie("__Host-stormpath_token").value
    client.delete_cookie("__Host-stormpath_session")
    assert client.get("/secret").text == "Hello Leia"
    assert client.get_cookie("__Host-stormpath_token").value != old
    assert client.get("/secret").text == "Hello Leia"
