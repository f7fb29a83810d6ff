"""What must be the same on SQLite, PostgreSQL and MariaDB."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from stormpath_app import Account, Application
from stormpath_app.database import database, session
from stormpath_app.errors import AccountAlreadyExists, ChangedMeanwhile, LoginFailed
from stormpath_app.installation import downgrade_schema, schema_revision, set_up, upgrade_schema
from stormpath_app.migrations import VERSION_TABLE
from stormpath_app.models import AccountSession, AuditEvent, Base, LoginName

from .conftest import PASSWORD, make_app, statements

EMAIL = "leia@alderaan.example"
MANY = 12


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def app(request, tmp_path):
    """Return an app on a database of its own, set up."""
    uri = None if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_server").new_database()
    app = make_app(tmp_path, STORMPATH_DATABASE_URI=uri)
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
                "include_name": lambda name, kind, _parents: kind != "table" or name.startswith("stormpath_"),
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
    with app.app_context():
        create()

    def log_in(_number):
        return Application.current().authenticate_account(EMAIL, PASSWORD).account.email

    assert at_once(app, log_in) == [EMAIL] * MANY
    with app.app_context():
        assert session.scalar(sa.select(sa.func.count()).where(AuditEvent.kind == "login.succeeded")) == MANY
        with pytest.raises(LoginFailed):
            Application.current().authenticate_account(EMAIL, "wrong")
